"""overbudget hash-password."""

import getpass
import sys

from overbudget.app.server.access.passwords import hashed
from overbudget.app.server.access.roles import ROLES
from overbudget.store.errors import OverbudgetError


def run(role: str) -> None:
    """Ask for a password, twice on a terminal, and print its line for a password file."""
    if role not in ROLES:
        raise OverbudgetError(f"{role!r} is no role; there are {', '.join(ROLES)}.")
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise OverbudgetError("The two are not the same.")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    print(hashed(password, role))

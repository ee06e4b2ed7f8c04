"""Passwords: hashed with Argon2id, kept in a file with a role and a hash a line, guessed at slowly."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from pathlib import Path

from overbudget.app.extras import needs
from overbudget.app.server.access.roles import ROLES
from overbudget.store.errors import OverbudgetError

LEAST_LENGTH = 10  # characters
LONGEST = 1_000  # characters that are looked at
TRIES = 5  # wrong passwords of one address a minute
TRIES_OF_ALL = 60  # of all addresses together
MINUTE = 60.0
MOST_ADDRESSES = 10_000  # that are remembered


def hashed(password: str, role: str) -> str:
    """A line for a password file. Errors: OverbudgetError where the password is too short to withstand guessing."""
    if len(password) < LEAST_LENGTH:
        raise OverbudgetError(f"A password has at least {LEAST_LENGTH} characters.")
    with needs("argon2", "dashboard", "overbudget hash-password"):
        from argon2 import PasswordHasher

    return f"{role} {PasswordHasher().hash(password[:LONGEST])}"


def read_passwords(path: Path) -> tuple[tuple[str, str], ...]:
    """The roles and hashes in a password file. Errors: OverbudgetError where it cannot be read, or a line is neither."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OverbudgetError(f"The password file {path} cannot be read: {error}.") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        role, _, hash_ = line.strip().partition(" ")
        if role not in ROLES or not hash_.startswith("$argon2id$"):
            raise OverbudgetError(
                f"Line {number} of {path} is not a role and a hash. overbudget hash-password --role admin writes one."
            )
        found.append((role, hash_))
    if not found:
        raise OverbudgetError(f"The password file {path} holds no password. overbudget hash-password writes one.")
    return tuple(found)


def role_of(password: str, passwords: Sequence[tuple[str, str]]) -> str | None:
    """The role that a password gives; None where it is none of them. Takes equally long for every wrong one."""
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    role = None
    for of, hash_ in passwords:
        try:
            PasswordHasher().verify(hash_, password[:LONGEST])
            role = role or of
        except (Argon2Error, InvalidHashError):
            continue
    return role


class Tries:
    """Counts wrong passwords by address, and together."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._of: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque()

    def allowed(self, address: str) -> bool:
        """Whether an address may try now."""
        return self._recent(self._of.get(address, deque())) < TRIES and self._recent(self._all) < TRIES_OF_ALL

    def wrong(self, address: str) -> None:
        """A try is counted before the password is looked at, so that tries at the same time do not pass unseen."""
        self._of.setdefault(address, deque()).append(self._now())
        self._of.move_to_end(address)
        self._all.append(self._now())
        while len(self._of) > MOST_ADDRESSES:
            self._of.popitem(last=False)

    def right(self, address: str) -> None:
        """Forget the wrong tries of an address."""
        for _ in self._of.pop(address, ()):
            if self._all:
                self._all.pop()

    def _recent(self, times: deque[float]) -> int:
        while times and times[0] <= self._now() - MINUTE:
            times.popleft()
        return len(times)

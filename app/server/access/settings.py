"""What `overbudget serve` is told about the network, checked before anything is served."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from overbudget.app.server.access.passwords import read_passwords
from overbudget.app.server.access.roles import ROLES
from overbudget.store.errors import OverbudgetError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Access:
    """Where the dashboard listens, under which addresses it is reached, and who signs in how.

    `origins` are the addresses in browsers ("https://tools.example.org"); `proxies` the networks whose `user_header` is
    believed; `roles` those of named users, all others have `default_role`; `passwords` are hashes, each with its role.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    base: str = ""  # "/tools/overbudget", or nothing
    origins: tuple[str, ...] = ()
    proxies: tuple[Network, ...] = ()
    user_header: str = "X-Forwarded-User"
    roles: dict[str, str] = field(default_factory=dict)
    default_role: str = "read"
    passwords: tuple[tuple[str, str], ...] = ()

    @property
    def signs_in(self) -> bool:
        return bool(self.proxies or self.passwords)

    @property
    def hosts(self) -> frozenset[str]:
        """The names under which requests may ask for this server."""
        named = {urlsplit(origin).hostname or "" for origin in self.origins}
        own = set() if self.host in ("0.0.0.0", "::") else {self.host}
        return frozenset({*LOOPBACK, *named, *own} - {""})


def access(
    host: str = "127.0.0.1",
    port: int = 8501,
    base_url: str = "",
    origins: Sequence[str] = (),
    proxies: Sequence[str] = (),
    user_header: str = "X-Forwarded-User",
    roles: Sequence[str] = (),
    default_role: str = "read",
    password_file: Path | None = None,
    without_sign_in: bool = False,
) -> Access:
    """The settings of a server. Errors: OverbudgetError where one makes no sense, or other machines would get in without sign-in."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", user_header):
        raise OverbudgetError(f"--user-header {user_header!r} is no name of a header, such as X-Forwarded-User.")
    settings = Access(
        host=host,
        port=port,
        base=_base(base_url),
        origins=tuple(_origin(origin) for origin in origins),
        proxies=tuple(_network(proxy) for proxy in proxies),
        user_header=user_header,
        roles=dict(_role(one) for one in roles),
        default_role=_known_role(default_role, "--default-role"),
        passwords=read_passwords(password_file) if password_file else (),
    )
    if not settings.signs_in and not without_sign_in and not is_loopback(host):
        raise OverbudgetError(
            f"--host {host} lets other machines in, and nobody signs in. Name a --password-file (overbudget hash-password makes "
            "one) or the --proxy that signs people in; --without-sign-in serves everybody who can reach this machine."
        )
    return settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _base(text: str) -> str:
    path = text.strip("/")
    if not re.fullmatch(r"(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*)?", path) or ".." in path.split("/"):
        raise OverbudgetError(f"--base-url {text!r} is no path such as /tools/overbudget.")
    return f"/{path}" if path else ""


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise OverbudgetError(f"--allowed-origin {text!r} is no origin such as https://tools.example.org.")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise OverbudgetError(f"--proxy {text!r} is no address or network such as 10.0.0.5 or 10.0.0.0/24.") from error


def _role(text: str) -> tuple[str, str]:
    user, equals, role = text.rpartition("=")
    if not equals or not user:
        raise OverbudgetError(f"--role {text!r} is not USER=ROLE, such as ann@example.org=admin.")
    return user, _known_role(role, f"--role {text}")


def _known_role(role: str, where: str) -> str:
    if role not in ROLES:
        raise OverbudgetError(f"{where}: {role!r} is no role; there are {', '.join(ROLES)}.")
    return role

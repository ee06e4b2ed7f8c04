"""The gate before everything the server has: pages, static files, the websocket, uploads, downloads, media.

It lets in who comes under a known name, from no foreign page, signed in. What stands behind it reads the user and the role
from two headers that the gate alone writes: they are taken off whatever comes in.
"""

import asyncio
import ipaddress
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from overbudget.app.server.access.headers import HOST, inline_hashes, security_headers
from overbudget.app.server.access.passwords import Tries, role_of
from overbudget.app.server.access.roles import ROLE_HEADER, ROLES, USER_HEADER, may
from overbudget.app.server.access.settings import Access
from overbudget.app.server.access.sign_in import sign_in_page
from overbudget.app.server.upload import PATH as UPLOAD

COOKIE = "overbudget_session"
SESSION = 12 * 3600  # seconds; whoever has a page open keeps it until it is loaded anew
SIGN_IN, SIGN_OUT = "/overbudget/sign-in", "/overbudget/sign-out"
LARGEST_FORM = 10_000  # bytes

Scope = dict[str, Any]


class Gate:
    """ASGI middleware. Sessions end with the server: their key is made at its start."""

    def __init__(self, app: Any, settings: Access, tries: Tries | None = None, secret: bytes | None = None) -> None:
        self.app, self.settings = app, settings
        self.tries, self.signer = (
            tries or Tries(),
            TimestampSigner(secret or secrets.token_bytes(32), salt="overbudget"),
        )
        self.hashes = inline_hashes()
        self.verifying = asyncio.Semaphore(2)  # each takes 64 MB for a moment

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")

        async def sending(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *security_headers(host, self.hashes)]}
            await send(message)

        out = sending if scope["type"] == "http" else send
        if headers.get(b"host") is None or _hostname(host) not in self.settings.hosts:
            await _refuse(scope, receive, out, PlainTextResponse("This server is not known under that name.", 421))
        elif _changes(scope) and not self._own(headers.get(b"origin"), host):
            await _refuse(scope, receive, out, PlainTextResponse("This request comes from another site.", 403))
        else:
            await self._signed_in(scope, receive, out, headers)

    async def _signed_in(self, scope: Scope, receive: Any, send: Any, headers: dict[bytes, str]) -> None:
        base, path = self.settings.base, scope["path"]
        if scope["type"] == "http" and self.settings.passwords and path in (base + SIGN_IN, base + SIGN_OUT):
            answer = await self._password(Request(scope, receive), path)
            await answer(scope, receive, send)
            return
        known = self._who(headers, scope)
        if known is None:
            to_page = scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get(b"accept", "")
            if self.settings.passwords and to_page:
                answer = RedirectResponse(base + SIGN_IN, 303)
            else:
                answer = PlainTextResponse("Sign in first.", 401)
            await _refuse(scope, receive, send, answer)
            return
        user, role = known
        if path == base + UPLOAD and not may(role, "upload"):
            await _refuse(scope, receive, send, PlainTextResponse("Your role may read, and not upload.", 403))
            return
        own = {self.settings.user_header.lower().encode(), USER_HEADER.encode(), ROLE_HEADER.encode()}
        passed = [(name, value) for name, value in scope["headers"] if name.lower().replace(b"_", b"-") not in own]
        passed += [(USER_HEADER.encode(), user.encode("utf-8")), (ROLE_HEADER.encode(), role.encode())]
        await self.app({**scope, "headers": passed}, receive, send)

    def _own(self, origin: str | None, host: str) -> bool:
        """Whether a request comes from a page of this server; without an origin it comes from no page."""
        if origin is None:
            return True
        return origin.lower() in self.settings.origins or (origin != "null" and urlsplit(origin).netloc == host)

    def _who(self, headers: dict[bytes, str], scope: Scope) -> tuple[str, str] | None:
        """The user and the role of a request; None where nobody has signed in."""
        if not self.settings.signs_in:
            return "", "admin"
        given = [
            value for name, value in scope["headers"] if name.lower() == self.settings.user_header.lower().encode()
        ]
        if self._is_proxy(_peer(scope)) and len(given) == 1 and given[0].strip():
            user = given[0].decode("utf-8", "replace").strip()[:200]
            return user, self.settings.roles.get(user, self.settings.default_role)
        if self.settings.passwords:
            for part in headers.get(b"cookie", "").split(";"):
                name, _, value = part.strip().partition("=")
                if name == COOKIE and (role := self._role_in(value)):
                    return "", role
        return None

    def _role_in(self, cookie: str) -> str | None:
        try:
            role = self.signer.unsign(cookie, max_age=SESSION).decode().partition("-")[0]
        except BadSignature:
            return None
        return role if role in ROLES else None

    def _is_proxy(self, address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self.settings.proxies)

    def _address(self, request: Request) -> str:
        """Whose tries are counted: the one that a proxy says it got them from, else who asks."""
        peer = _peer(request.scope)
        forwarded = request.headers.get("x-forwarded-for", "").split(",")[-1].strip()
        return forwarded[:100] if forwarded and self._is_proxy(peer) else peer

    async def _password(self, request: Request, path: str) -> Response:
        base = self.settings.base
        if path == base + SIGN_OUT:
            answer: Response = RedirectResponse(base + SIGN_IN, 303)
            answer.delete_cookie(COOKIE, path=base or "/")
            return answer
        if request.method != "POST":
            return HTMLResponse(sign_in_page(base + SIGN_IN))
        address = self._address(request)
        if not self.tries.allowed(address):
            said = "Too many wrong passwords. Wait a minute."
            return HTMLResponse(sign_in_page(base + SIGN_IN, said), 429, {"retry-after": "60"})
        self.tries.wrong(address)
        password = await _form_password(request)
        async with self.verifying:
            role = await asyncio.to_thread(role_of, password, self.settings.passwords)
        if role is None:
            return HTMLResponse(sign_in_page(base + SIGN_IN, "That is not the password."), 401)
        self.tries.right(address)
        answer = RedirectResponse(f"{base}/", 303)
        value = self.signer.sign(f"{role}-{secrets.token_hex(8)}").decode()
        encrypted = request.url.scheme == "https" or self._forwarded_https(request)
        answer.set_cookie(
            COOKIE, value, max_age=SESSION, path=base or "/", httponly=True, samesite="lax", secure=encrypted
        )
        return answer

    def _forwarded_https(self, request: Request) -> bool:
        origin = urlsplit(request.headers.get("origin", ""))
        return origin.scheme == "https" or str(request.headers.get("x-forwarded-proto")) == "https"


async def _form_password(request: Request) -> str:
    """The password in a form; "" where there is none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            return ""
    try:
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=10).get("password", [""])[0]
    except ValueError:  # more fields than the form has
        return ""


def _changes(scope: Scope) -> bool:
    """Whether a request could change something: all but reading ones, and the websocket."""
    return scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD", "OPTIONS")


def _hostname(host: str) -> str:
    """The name in a Host header, without its port; "" where it is none."""
    return (urlsplit(f"//{host}").hostname or "").lower() if HOST.fullmatch(host) else ""


def _peer(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


async def _refuse(scope: Scope, receive: Callable[[], Any], send: Any, answer: Response) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the browser sees 403
        return
    await answer(scope, receive, send)

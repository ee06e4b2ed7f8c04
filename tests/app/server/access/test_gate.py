"""Nothing behind the gate is reached without sign-in, from another site, or under another name."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from overbudget.app.server.access.gate import COOKIE, SESSION, SIGN_IN, SIGN_OUT, Gate
from overbudget.app.server.access.passwords import MINUTE, TRIES, TRIES_OF_ALL, Tries, hashed, read_passwords, role_of
from overbudget.app.server.access.roles import ROLE_HEADER, ROLES, USER_HEADER, may
from overbudget.app.server.access.settings import Access, access
from overbudget.app.server.upload import PATH as UPLOAD
from overbudget.store.errors import OverbudgetError

PASSWORD = "correct horse battery"
LINE = hashed(PASSWORD, "admin")
READER = hashed("only to look at it", "read")
PLACES = [
    "/",
    "/tail",
    "/static/js/index.js",
    "/_stcore/health",
    "/_stcore/host-config",
    "/media/abc.csv",
    "/component/x",
    UPLOAD,
]


class Inner:
    """What stands behind the gate: remembers what reached it."""

    def __init__(self) -> None:
        self.reached: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.reached.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"inside"})

    def header(self, name: str) -> list[str]:
        return [value.decode() for key, value in self.reached[-1]["headers"] if key.decode().lower() == name]


class Asked:
    """A gate with settings, and what it answers."""

    def __init__(self, settings: Access, tries: Tries | None = None, secret: bytes = b"k" * 32) -> None:
        self.inner = Inner()
        self.gate = Gate(self.inner, settings, tries, secret)

    def __call__(
        self, path: str = "/", method: str = "GET", peer: str = "127.0.0.1", kind: str = "http", body: bytes = b"",
        host: str = "localhost:8501", **headers: str,
    ) -> tuple[int, dict[str, str]]:  # fmt: skip
        """The status and headers of the answer; of a websocket 101 where it was let in, 403 where not."""
        sent: list[dict[str, Any]] = []
        given = [(b"host", host.encode())] if host else []
        given += [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {"type": kind, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
                 "headers": given, "client": (peer, 1), "server": ("localhost", 8501), "http_version": "1.1", "method": method}  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body} if kind == "http" else {"type": "websocket.connect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        before = len(self.inner.reached)
        with ThreadPoolExecutor(1) as thread:  # with no event loop yet, whatever tests ran before in this one
            thread.submit(asyncio.run, self.gate(scope, receive, send)).result()
        if kind == "websocket":
            return (101, {}) if len(self.inner.reached) > before else (403, {})
        start = next(message for message in sent if message["type"] == "http.response.start")
        answer = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return start["status"], answer


def of_proxy(**more: Any) -> Access:
    return access(proxies=["10.0.0.0/24"], roles=["ann=admin", "bob=upload"], **more)


def by_password(*lines: str) -> Access:
    return Access(passwords=tuple((line.split(" ")[0], line.split(" ")[1]) for line in lines))


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_reached_without_sign_in(path: str, method: str) -> None:
    for settings in (of_proxy(), by_password(LINE)):
        ask = Asked(settings)
        assert ask(path, method)[0] == 401
        assert ask(path, kind="websocket")[0] == 403
        assert ask.inner.reached == []


@pytest.mark.parametrize("peer", ["10.0.1.1", "127.0.0.1", "", "::1", "unix", "10.0.0.1.evil", "::ffff:10.0.1.5"])
def test_a_user_header_is_believed_from_the_proxy_alone(peer: str) -> None:
    ask = Asked(of_proxy())
    assert ask(peer=peer, x_forwarded_user="ann", x_forwarded_for="10.0.0.5")[0] == 401
    assert ask(peer=peer, kind="websocket", x_forwarded_user="ann")[0] == 403


@pytest.mark.parametrize("peer", ["10.0.0.0", "10.0.0.255", "::ffff:10.0.0.5"])
def test_the_proxy_says_who_has_signed_in(peer: str) -> None:
    ask = Asked(of_proxy())
    for user, role in (("ann", "admin"), ("bob", "upload"), ("eve", "read")):
        assert ask(peer=peer, x_forwarded_user=user)[0] == 200
        assert (ask.inner.header(USER_HEADER), ask.inner.header(ROLE_HEADER)) == ([user], [role])
        assert ask.inner.header("x-forwarded-user") == []
        assert ask(peer=peer, kind="websocket", x_forwarded_user=user)[0] == 101
    assert ask(peer=peer)[0] == 401
    assert ask(peer=peer, x_forwarded_user="  ")[0] == 401


def test_nobody_says_his_own_role() -> None:
    for ask in (Asked(of_proxy()), Asked(Access())):
        ask(
            peer="10.0.0.5",
            x_forwarded_user="eve",
            **{ROLE_HEADER: "admin", USER_HEADER: "ann", "X-Overbudget-Role": "admin"},
        )
        assert len(ask.inner.header(ROLE_HEADER)) == 1
    ask = Asked(of_proxy())
    ask(peer="10.0.0.5", x_forwarded_user="eve", x_overbudget_role="admin")
    assert ask.inner.header(ROLE_HEADER) == ["read"]


def test_who_may_only_read_does_not_upload() -> None:
    ask = Asked(of_proxy())
    statuses = [ask(UPLOAD, "PUT", peer="10.0.0.5", x_forwarded_user=user)[0] for user in ("eve", "bob", "ann")]
    assert statuses == [403, 200, 200]
    assert [[may(role, what) for what in ROLES] for role in (*ROLES, "root", "")] == [
        [True, False, False], [True, True, False], [True, True, True], [False] * 3, [False] * 3]  # fmt: skip


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "127.0.0.2", "[::2]", "[bad", "a b", "evil@localhost:1:2"]
)
def test_a_name_that_is_not_ours_is_refused(host: str) -> None:
    ask = Asked(Access())
    assert ask(host=host)[0] == 421
    assert ask(host=host, kind="websocket")[0] == 403
    assert ask.inner.reached == []


def test_the_names_of_this_machine_and_of_allowed_origins_are_ours() -> None:
    ask = Asked(access(origins=["https://Tools.example.org:8443"]))
    for host in (
        "localhost",
        "LOCALHOST:8501",
        "127.0.0.1:8501",
        "[::1]:8501",
        "tools.example.org",
        "tools.example.org:8443",
    ):
        assert ask(host=host)[0] == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:8502", "http://localhost", "file://", "x"]
)
def test_another_site_opens_no_websocket_and_changes_nothing(origin: str) -> None:
    ask = Asked(Access())
    assert ask(kind="websocket", origin=origin)[0] == 403
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ask(UPLOAD, method, origin=origin)[0] == 403
    assert ask.inner.reached == []


def test_our_own_pages_do() -> None:
    ask = Asked(access(origins=["https://tools.example.org"]))
    for origin in ("http://localhost:8501", "https://localhost:8501", "https://tools.example.org"):
        assert ask(kind="websocket", origin=origin)[0] == 101
        assert ask(UPLOAD, "PUT", origin=origin)[0] == 200


def test_the_password_opens_a_session_and_what_is_forged_or_old_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Asked(by_password(READER, LINE))
    assert ask(accept="text/html")[1]["location"] == SIGN_IN
    assert ask(SIGN_IN)[0] == 200
    status, headers = ask(SIGN_IN, "POST", body=b"password=correct+horse+battery")
    cookie = headers["set-cookie"].split(";")[0]
    assert status == 303
    assert all(word in headers["set-cookie"] for word in ("HttpOnly", "SameSite=lax", "Path=/"))
    assert "Secure" not in headers["set-cookie"]
    assert ask(cookie=f"a=b; {cookie}")[0] == 200
    assert ask.inner.header(ROLE_HEADER) == ["admin"]
    assert ask(cookie=cookie, kind="websocket")[0] == 101
    for wrong in (cookie[:-1], f"{cookie}x", f"{COOKIE}=admin", cookie.replace("admin", "read"), f"{COOKIE}="):
        assert ask(cookie=wrong)[0] == 401
    assert Asked(by_password(LINE), secret=b"o" * 32)(cookie=cookie)[0] == 401
    assert "max-age=0" in ask(SIGN_OUT)[1]["set-cookie"].lower()
    later = ask.gate.signer.get_timestamp() + SESSION + 1
    monkeypatch.setattr(ask.gate.signer, "get_timestamp", lambda: later)
    assert ask(cookie=cookie)[0] == 401


def test_over_https_the_cookie_is_for_https_alone() -> None:
    ask = Asked(by_password(LINE))
    for more in ({"x_forwarded_proto": "https"}, {"origin": "https://localhost:8501"}):
        assert "Secure" in ask(SIGN_IN, "POST", body=b"password=correct+horse+battery", **more)[1]["set-cookie"]


@pytest.mark.parametrize(
    "body", [b"", b"password=", b"password=wrong", b"\xff\xfe", b"password=" + b"x" * 20_000, b"a=b&" * 50, b"p"]
)
def test_what_is_not_the_password_opens_nothing(body: bytes) -> None:
    ask = Asked(by_password(LINE))
    try:
        assert ask(SIGN_IN, "POST", body=body)[0] == 401
    finally:
        assert ask.inner.reached == []


def test_guessing_is_slow_and_others_are_not_locked_out() -> None:
    clock = [0.0]
    ask = Asked(by_password(LINE), Tries(lambda: clock[0]))
    statuses = [ask(SIGN_IN, "POST", peer="10.0.0.9", body=b"password=guess")[0] for _ in range(TRIES + 1)]
    assert statuses == [401] * TRIES + [429]
    right = b"password=correct+horse+battery"
    assert ask(SIGN_IN, "POST", peer="10.0.0.9", body=right)[0] == 429
    assert ask(SIGN_IN, "POST", peer="10.0.0.8", body=right)[0] == 303
    clock[0] = MINUTE
    assert ask(SIGN_IN, "POST", peer="10.0.0.9", body=right)[0] == 303


def test_behind_a_proxy_each_person_has_tries_of_their_own_and_nobody_else_says_so() -> None:
    settings = access(proxies=["10.0.0.1"])
    ask = Asked(Access(proxies=settings.proxies, passwords=by_password(LINE).passwords))
    for number in range(TRIES):
        assert ask(SIGN_IN, "POST", peer="10.0.0.1", body=b"password=a", x_forwarded_for=f"{number}, 9.9.9.9")[0] == 401
    assert ask(SIGN_IN, "POST", peer="10.0.0.1", body=b"password=a", x_forwarded_for="1, 9.9.9.9")[0] == 429
    assert ask(SIGN_IN, "POST", peer="10.0.0.1", body=b"password=a", x_forwarded_for="8.8.8.8")[0] == 401
    for number in range(TRIES):
        ask(SIGN_IN, "POST", peer="7.7.7.7", body=b"password=a", x_forwarded_for=f"{number}")
    assert ask(SIGN_IN, "POST", peer="7.7.7.7", body=b"password=a", x_forwarded_for="new")[0] == 429


def test_all_addresses_together_are_bounded_too() -> None:
    tries = Tries(lambda: 0.0)
    for number in range(TRIES_OF_ALL):
        assert tries.allowed(f"address {number}")
        tries.wrong(f"address {number}")
    assert not tries.allowed("a new one")


def test_every_answer_forbids_frames_and_foreign_scripts() -> None:
    for settings in (Access(), of_proxy(), by_password(LINE)):
        _, headers = Asked(settings)(accept="text/html")
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "'unsafe-eval'" not in policy
        assert "script-src 'self' 'wasm-unsafe-eval' blob: 'sha256-" in policy
        assert "connect-src 'self' ws://localhost:8501 wss://localhost:8501;" in policy
        assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]


def test_a_host_writes_nothing_into_the_policy() -> None:
    _, headers = Asked(Access())(host="localhost:1; script-src *")
    assert "script-src *" not in headers["content-security-policy"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_other_machines_are_let_in_only_with_sign_in_or_when_told(host: str, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text(f"# the team\n{LINE}\n\n")
    with pytest.raises(OverbudgetError, match="nobody signs in"):
        access(host)
    assert access(host, without_sign_in=True).host == host
    assert access(host, password_file=tmp_path / "passwords").signs_in
    assert access(host, proxies=["10.0.0.1"]).signs_in
    for own in ("127.0.0.1", "localhost", "::1", "127.0.0.5"):
        assert access(own).host == own


@pytest.mark.parametrize("wrong", [
    {"base_url": "/a/../b"}, {"base_url": "/a b"}, {"base_url": "https://x/y"}, {"origins": ["tools"]}, {"origins": ["ftp://x"]},
    {"origins": ["https://x/path"]}, {"proxies": ["nginx"]}, {"proxies": ["10.0.0.0/99"]}, {"roles": ["ann"]}, {"roles": ["ann=root"]},
    {"default_role": "root"}, {"user_header": "a b"}, {"roles": ["=admin"]},
])  # fmt: skip
def test_a_setting_that_makes_no_sense_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(OverbudgetError, match="--"):
        access(**wrong)


def test_paths_are_told_with_and_without_slashes() -> None:
    assert [access(base_url=one).base for one in ("", "/", "a", "/a/b/", "tools/x")] == [
        "",
        "",
        "/a",
        "/a/b",
        "/tools/x",
    ]


@pytest.mark.parametrize("line", ["admin secret", "root $argon2id$v=19$m", "nonsense", "admin"])
def test_a_password_file_holds_hashes_alone(line: str, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text(f"{LINE}\n{line}\n")
    with pytest.raises(OverbudgetError, match="Line 2"):
        read_passwords(tmp_path / "passwords")
    (tmp_path / "passwords").write_text("\n")
    with pytest.raises(OverbudgetError, match="no password"):
        read_passwords(tmp_path / "passwords")


def test_a_password_is_kept_as_a_hash_and_has_some_length() -> None:
    assert PASSWORD not in LINE
    assert hashed(PASSWORD, "admin") != LINE
    passwords = by_password(READER, LINE).passwords
    assert [role_of(one, passwords) for one in (PASSWORD, "only to look at it", "", "correct horse batter")] == [
        "admin",
        "read",
        None,
        None,
    ]
    with pytest.raises(OverbudgetError, match="at least 10"):
        hashed("123456789", "read")
    assert hashed("1234567890", "read").startswith("read $argon2id$")

"""The example of deploy/nginx.conf, as it stands, in front of a real server: sign in, upload, every page, below a path."""

import base64
import http.client
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from overbudget.sample_traces.scale import write
from tests.browser.conftest import ROOT, _is_error
from tests.waiting import until

pytestmark = pytest.mark.browser

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
PLACE = "/tools/overbudget"
WAIT = 240_000  # ms; a million spans are read meanwhile
PEOPLE = {"ann": "pass-of-ann", "eve": "pass-of-eve"}
LARGE = 500 << 20
SPANS = (
    300_000  # in a dump of 130 MB, whose lines end with spaces up to that size: reading more spans shows nothing more
)
PAGES = ("review", "tail", "waterfall", "advice", "load", "compare", "health", "sql")


class Front(NamedTuple):
    """nginx in front of a server: its port, and a line for each request that has ended: method and bytes that came."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def largest(self, method: str) -> int:
        """Bytes of the largest request of a method, as they came from the browser."""
        lines = (line.split() for line in self.log.read_text().splitlines())
        return max((int(size) for name, size in lines if name == method), default=0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configuration(folder: Path, front: int, back: int) -> Path:
    """The example, with our ports and folders, in the least that nginx needs around it."""
    people = folder / "htpasswd"
    people.write_text("".join(f"{name}:{{PLAIN}}{password}\n" for name, password in PEOPLE.items()))
    example = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for ours, theirs in (("listen 80;", f"listen 127.0.0.1:{front};"), ("127.0.0.1:8501", f"127.0.0.1:{back}"),
                         ("/etc/nginx/overbudget.htpasswd", str(people)), ("tools.example.org;", "localhost;")):  # fmt: skip
        assert ours in example
        example = example.replace(ours, theirs)
    temporary = " ".join(
        f"{one}_temp_path {folder / one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; pid {folder / 'pid'}; error_log {folder / 'error.log'}; worker_processes 1;\n"
        f"{'user root;' if os.geteuid() == 0 else ''} events {{}}\n"
        f"http {{ log_format sizes '$request_method $request_length'; access_log {folder / 'access.log'} sizes; "
        f"{temporary} {example} }}\n"
    )
    return path


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """nginx in front of a server of a new workspace."""
    if NGINX is None:
        pytest.skip("there is no nginx; apt-get install nginx-light")
    folder, front, back = tmp_path_factory.mktemp("nginx"), free_port(), free_port()
    command = [sys.executable, "-m", "overbudget.app.cli", "serve", "--workspace", str(folder / "workspace"), "--port", str(back),
               "--base-url", PLACE, "--allowed-origin", f"http://localhost:{front}", "--proxy", "127.0.0.1", "--role", "ann=admin"]  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    nginx = subprocess.Popen([NGINX, "-c", str(configuration(folder, front, back)), "-p", str(folder)])
    try:
        until(lambda: _health(server, front, folder / "log") == 200, "nginx and the server answer")
        yield Front(front, folder / "access.log")
    finally:
        for process in (nginx, server):
            process.terminate()
            process.wait()


def _health(server: subprocess.Popen[bytes], port: int, log: Path) -> int:
    assert server.poll() is None, log.read_text()
    try:
        return asked(port, f"{PLACE}/_stcore/health", "ann")
    except OSError:
        return 0


def asked(port: int, path: str, person: str | None = None, method: str = "GET", **headers: str) -> int:
    """The status of an answer."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if person:
        given["Authorization"] = "Basic " + base64.b64encode(f"{person}:{PEOPLE[person]}".encode()).decode()
    connection = http.client.HTTPConnection("localhost", port, timeout=20)
    connection.request(method, path, headers=given)
    return connection.getresponse().status


def test_nobody_gets_past_the_proxy_without_signing_in_or_as_somebody_else(front: Front) -> None:
    port, upload = front.port, f"{PLACE}/overbudget/upload?name=x"
    assert asked(port, f"{PLACE}/") == 401
    assert asked(port, f"{PLACE}/", X_Forwarded_User="ann") == 401
    assert asked(port, f"{PLACE}/", "eve") == 200
    assert (
        asked(port, upload, "eve", "PUT", X_Overbudget_Upload="1", X_Forwarded_User="ann", X_Overbudget_Role="admin")
        == 403
    )
    assert asked(port, upload, "ann", "PUT", X_Overbudget_Upload="1", Origin="https://evil.example") == 403
    assert asked(port, PLACE, "ann") == 301


@pytest.fixture
def people(browser: Browser, front: Front) -> Iterator[dict[str, Page]]:
    """A page of each person; nothing may go wrong on any, and none may ask anybody else."""
    pages, wrong, contexts = {}, list[str](), []
    here = (f"{front.url}/", f"ws://localhost:{front.port}/", "data:", "blob:")
    for name, password in PEOPLE.items():
        context = browser.new_context(viewport={"width": 1440, "height": 1000},
                                      http_credentials={"username": name, "password": password})  # fmt: skip
        contexts.append(context)
        page = pages[name] = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
        page.on("console", lambda message: wrong.append(message.text) if _is_error(message) else None)
        page.on("request", lambda request: None if request.url.startswith(here) else wrong.append(request.url))
    yield pages
    for context in contexts:
        context.close()
    assert wrong == []


def padded(dump: Path, size: int) -> int:
    """A dump of at least `size` bytes; how many spans are in it."""
    spans = write(dump, SPANS, "json")
    lines = dump.read_bytes().splitlines()
    more = b" " * (1 + (size - dump.stat().st_size) // len(lines))
    with dump.open("wb") as file:
        file.writelines(line + more + b"\n" for line in lines)
    assert dump.stat().st_size >= size
    return spans


@pytest.mark.faults
def test_500_mb_are_uploaded_and_every_page_shows_them_below_the_path(
    people: dict[str, Page], front: Front, tmp_path: Path
) -> None:
    dump = tmp_path / "large.jsonl"
    spans = padded(dump, LARGE + 1)
    page = people["ann"]
    page.goto(f"{front.url}{PLACE}/datasets")
    page.locator(".ob-upload input").set_input_files(dump)
    page.get_by_text(f"large.jsonl: {spans:,} spans in").first.wait_for(timeout=WAIT)
    assert front.largest("PUT") > LARGE
    dump.unlink()
    for name in PAGES:
        page.goto(f"{front.url}{PLACE}/{name if name != 'review' else ''}?dataset=large")
        page.locator(f"[data-ready={name}]").first.wait_for(timeout=WAIT)
        assert page.locator("[data-testid=stException], [role=dialog]").count() == 0, name
    page.get_by_role("link", name="Review").click()
    page.locator("[data-ready=review]").wait_for(timeout=WAIT)
    assert page.url.startswith(f"{front.url}{PLACE}/")
    assert "dataset=large" in page.url


def test_who_may_read_sees_uploads_and_changes_nothing(people: dict[str, Page], front: Front, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("no dump")
    people["ann"].goto(f"{front.url}{PLACE}/datasets")
    people["ann"].locator(".ob-upload input").set_input_files(tmp_path / "none.jsonl")
    people["ann"].get_by_role("button", name="Dismiss").first.wait_for(timeout=WAIT)
    reader = people["eve"]
    reader.goto(f"{front.url}{PLACE}/datasets")
    reader.get_by_text("none.jsonl").first.wait_for(timeout=WAIT)
    reader.get_by_role("button", name="Open").first.wait_for(timeout=WAIT)
    reader.get_by_text("Files and warnings; download").first.click()
    reader.get_by_role("button", name="Download as Parquet").first.wait_for(timeout=WAIT)
    for button in ("Dismiss", "Rename", "Merge", "Delete"):
        assert reader.get_by_role("button", name=button).count() == 0
    assert reader.locator(".ob-upload").count() == 0

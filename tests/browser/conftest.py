"""A server and a real Chromium for the browser tests."""

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, sync_playwright

from overbudget.app.server.workspace import samples
from overbudget.ingest.pipeline import ingest
from tests.waiting import until

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), MAC if os.path.exists(MAC) else None)
    if found is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium; make test installs one")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One with every sample, made here: a server makes them one by one, each in a process of its own."""
    workspace = tmp_path_factory.mktemp("workspace")
    for sample in samples():
        ingest([sample.dump], workspace / f"sample-{sample.name}.duckdb")
    with served(workspace) as url:
        yield url


def answers(process: subprocess.Popen[bytes], url: str, workspace: Path) -> bool:
    """Whether the server answers; it must not have ended."""
    assert process.poll() is None, (workspace / "log").read_text()
    try:
        urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """The URL of a server of this workspace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (workspace / "log").open("wb")
    command = [sys.executable, "-m", "overbudget.app.cli", "serve", "--workspace", str(workspace), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://localhost:{port}"
    try:
        until(lambda: answers(process, url, workspace), "the server answers")
        yield url
    finally:
        process.terminate()
        process.wait()


@contextmanager
def opened(browser: Browser, server: str) -> Iterator[Page]:
    """A page of a person of their own; nothing may go wrong on it, and it may ask nobody but the server."""
    context = person(browser, server)
    with watched(context.new_page(), server) as page:
        yield page
    context.close()


def person(browser: Browser, server: str) -> BrowserContext:
    """Somebody with a browser of their own."""
    return browser.new_context(viewport={"width": 1440, "height": 1000}, base_url=server)


@contextmanager
def watched(page: Page, server: str) -> Iterator[Page]:
    """Nothing may go wrong on the page, and it may ask nobody but the server."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
    page.on("console", lambda message: wrong.append(message.text) if _is_error(message) else None)
    local = (server, server.replace("localhost", "127.0.0.1"), server.replace("http", "ws"), "data:", "blob:")
    page.on(
        "request", lambda request: None if request.url.startswith(local) else wrong.append(f"request to {request.url}")
    )
    yield page
    assert page.locator("[data-testid=stException]").count() == 0
    assert wrong == []
    page.close()


def upload_and_open(page: Page, dump: Path, wait: float = 60_000) -> None:
    """Drop a dump on the Datasets page and open the review of what came of it."""
    page.goto("/datasets")
    page.locator(".ob-upload input").set_input_files(dump)
    page.get_by_text(re.compile(re.escape(dump.name) + r": [\d,]+ spans? in")).first.wait_for(timeout=wait)
    page.get_by_role("button", name="Open the review").first.click(timeout=wait)  # the last that came stands first
    page.locator("[data-ready=review]").wait_for(timeout=wait)


def click_in(grid: Locator, x: float, y: float) -> None:
    """Click into a grid, at a share of its width and so many pixels down, once it stands still and nothing covers it.

    A mouse that is sent to where the grid was measured hits what moved there while charts are being drawn.
    """
    width = (grid.bounding_box() or {})["width"]
    grid.click(position={"x": x * width, "y": y}, timeout=60_000)


def again(page: Page, step: Callable[[], None], taken: Callable[[], bool]) -> None:
    """Make a step until it is seen to have been taken, ten seconds each time."""
    for _ in range(6):
        step()
        for _ in range(100):
            if taken():
                return
            page.wait_for_timeout(100)
    pytest.fail("a step was not taken, six times")


def type_cap(page: Page, grid: Locator, x: float, cap: str) -> None:
    """Write a cap of the whole request: `x` is where its percentile stands, as a share of the grid's width."""
    page.keyboard.press("Escape")
    click_in(grid, x, 52)
    page.wait_for_timeout(500)
    page.keyboard.type(cap, delay=60)
    page.keyboard.press("Enter")


def _is_error(message: ConsoleMessage) -> bool:
    """Streamlit looks for its server below the path of a link first, and finds it above: two 404s that mean nothing."""
    return message.type == "error" and "_stcore/" not in (message.location or {}).get("url", "")


@pytest.fixture(scope="session")
def visitor(browser: Browser, server: str) -> Iterator[BrowserContext]:
    """Whose browser has the program's scripts from one test to the next, which it would take seconds to read anew."""
    context = person(browser, server)
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext, server: str) -> Iterator[Page]:
    """A page that was never used: sessions belong to pages."""
    with watched(visitor.new_page(), server) as page:
        yield page

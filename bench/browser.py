"""Seconds until the dashboard shows a dataset, and from a changed budget or filter to the answer of each page: python -m bench.browser DATASET."""

import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
CHANGES = 5
PAGES = ("", "tail", "waterfall", "advice", "load", "compare", "health", "sql")


def main() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="overbudget-bench-") as workspace:
        (Path(workspace) / "bench.duckdb").symlink_to(Path(sys.argv[1]).resolve())
        server = subprocess.Popen(
            [sys.executable, "-m", "overbudget.app.cli", "serve", "--workspace", workspace, "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(f"http://localhost:{port}/_stcore/health")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                page = browser.new_page(viewport={"width": 1440, "height": 1000})
                print(json.dumps(_measure(page, f"http://localhost:{port}/?dataset=bench")))
                browser.close()
        finally:
            server.terminate()
            server.wait()


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    """Until a server answers; after a minute that is an error."""
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


# Resolves when the script that answers a change has run: the page is complete then.
_ANSWERED = """() => new Promise((done) => {
    const app = document.querySelector("[data-test-script-state]");
    const begun = performance.now();
    let ran = app.dataset.testScriptState === "running";
    const look = () => {
        const state = app.dataset.testScriptState;
        ran = ran || state === "running";
        if ((ran && state === "notRunning") || performance.now() - begun > 30000) return done(performance.now() - begun);
        requestAnimationFrame(look);
    };
    look();
})"""


def _measure(page: Page, url: str) -> dict[str, float]:
    """Seconds to the first page; then per page the median from a changed budget, and from a changed filter, to the answer."""
    base, query = url.split("/?")
    start = time.perf_counter()
    page.goto(url)
    page.locator("[data-ready=review]").wait_for(timeout=60_000)
    found = {"first": time.perf_counter() - start}
    for name in PAGES:
        page.goto(f"{base}/{name}?{query}")
        page.locator(".ob-head").first.wait_for(timeout=120_000)
        page.wait_for_timeout(2500)
        found[f"{name or 'review'} budget"] = _median(page, _budgets(page))
        if page.get_by_text("More filters", exact=True).count():  # the others look at whole datasets
            found[f"{name or 'review'} filter"] = _median(page, _windows(page))
    return found


def _median(page: Page, changes: Iterator[None]) -> float:
    """Seconds from the change that each step of `changes` has prepared, by the Enter key, to the answer."""
    took = []
    for _ in changes:
        page.evaluate(f"window.answered = ({_ANSWERED})(); 0")
        page.keyboard.press("Enter" if page.evaluate("document.activeElement.tagName") == "INPUT" else "Control+Enter")
        took.append(page.evaluate("window.answered") / 1000)
        page.wait_for_timeout(700)
    return statistics.median(took)


def _budgets(page: Page) -> Iterator[None]:
    page.get_by_text("Budget file", exact=True).click()
    box = page.get_by_role("textbox", name="Budget file (TOML)")
    for change in range(CHANGES):
        box.fill(f'[budget]\np95 = "{300 + change}ms"\n')
        box.focus()
        yield


def _windows(page: Page) -> Iterator[None]:
    """Later and later beginnings of the time window: each leaves other requests, so that all is measured anew."""
    page.get_by_text("More filters", exact=True).click()
    box = page.get_by_role("combobox", name="From (UTC)")
    for _ in range(CHANGES):
        box.click()
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(200)
        yield


if __name__ == "__main__":
    main()

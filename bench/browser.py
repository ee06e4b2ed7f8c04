"""Seconds until the dashboard shows a dataset, and from a changed budget to the redrawn review: python -m bench.browser DATASET."""

import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
CHANGES = 7


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="overbudget-bench-") as workspace:
        (Path(workspace) / "bench.duckdb").symlink_to(Path(sys.argv[1]).resolve())
        server = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--workspace", workspace, "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(f"http://localhost:{port}/_stcore/health")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                page = browser.new_page(viewport={"width": 1440, "height": 1000})
                print(json.dumps(_measure(page, f"http://localhost:{port}/?dataset=bench")))
                browser.close()
        finally:
            server.terminate()
            server.wait()


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def _measure(page: Page, url: str) -> dict[str, float]:
    start = time.perf_counter()
    page.goto(url)
    page.locator("[data-ready=review]").wait_for(timeout=60_000)
    first = time.perf_counter() - start
    page.get_by_role("tab", name="Budget file").click()
    redraws = []
    for change in range(CHANGES):
        cap = f"{300 + change}ms"
        box = page.get_by_role("textbox", name="Budget file (TOML)")
        box.fill(f'[budget]\np95 = "{cap}"\n')
        start = time.perf_counter()
        box.press("Control+Enter")
        page.locator("td.caps", has_text=f"{300 + change} ms").first.wait_for(timeout=60_000)
        redraws.append(time.perf_counter() - start)
        page.wait_for_timeout(1000)
    return {"first": first, "redraw": statistics.median(redraws)}


if __name__ == "__main__":
    main()

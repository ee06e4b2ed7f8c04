"""`make screenshots`: every page at 1440 and 390 pixels, light and dark, into docs/images/."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAGES = {
    "review": "?dataset=sample-slow_database_tenant",
    "tail": "tail?dataset=sample-slow_database_tenant",
    "waterfall": "waterfall?dataset=sample-slow_database_tenant",
    "advice": "advice?dataset=sample-tools_in_a_row",
    "load": "load?dataset=sample-load_ramp",
    "compare": "compare?base=sample-healthy&candidate=sample-slow_database_tenant",
    "health": "health?dataset=sample-lost_context",
    "sql": "sql?dataset=sample-slow_database_tenant",
    "datasets": "datasets",
}
TALLEST = 2_400


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="overbudget-shots-") as workspace, sync_playwright() as playwright:
        command = [sys.executable, "-m", "overbudget.app.cli", "serve", "--workspace", workspace, "--port", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait(f"http://localhost:{port}/_stcore/health", Path(workspace))
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for dark in (False, True):
                for width in (1440, 390):
                    context = browser.new_context(
                        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
                    )
                    page = context.new_page()
                    for name, path in PAGES.items():
                        page.set_viewport_size({"width": width, "height": 900})
                        page.goto(f"http://localhost:{port}/{path}")
                        page.locator(".ob-head").first.wait_for(timeout=60_000)
                        page.wait_for_timeout(2500)
                        tall = "Math.max(...[...document.querySelectorAll('section')].map((e) => e.scrollHeight))"
                        page.set_viewport_size({"width": width, "height": min(TALLEST, int(page.evaluate(tall)) + 10)})
                        page.wait_for_timeout(700)
                        suffix = ("" if width > 600 else "-narrow") + ("-dark" if dark else "")
                        page.screenshot(path=IMAGES / f"{name}{suffix}.png")
                        print(f"docs/images/{name}{suffix}.png")
                    context.close()
            browser.close()
        finally:
            server.terminate()
            server.wait()


def _wait(url: str, workspace: Path) -> None:
    """Until the server answers and every sample is there."""
    for _ in range(1200):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            if len(list(workspace.glob("sample-*.duckdb"))) == 8:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


if __name__ == "__main__":
    main()

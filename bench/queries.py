"""Whether a heavy query disturbs others: page answers alone, and while two queries run: python -m bench.queries DATASET.

Prints p50 and p95 of the seconds to a page's answer, over the websocket as a browser asks, and the server's memory in MB.
"""

import asyncio
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

import websockets
from playwright.sync_api import Page, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from bench.browser import CHROMIUM, FLAGS, PAGES, free_port, wait_for

HEAVY = (
    "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range % 7 = b.range % 11",
    "SELECT a FROM (SELECT md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS a FROM range(40000000)) ORDER BY a",
)
ANSWERS = 120


def main() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="overbudget-bench-") as workspace:
        shutil.copyfile(sys.argv[1], Path(workspace) / "bench.duckdb")
        command = [sys.executable, "-m", "overbudget.app.cli", "serve", "--workspace", workspace, "--port", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(f"http://localhost:{port}/_stcore/health")
            asyncio.run(_answers(port, 2 * len(PAGES)))  # warm
            alone = _measured(port, server.pid)
            stop = threading.Event()
            asked = threading.Event()
            asking = threading.Thread(target=_ask_heavily, args=(port, asked, stop))
            asking.start()
            if not asked.wait(90):
                raise SystemExit("The heavy queries did not begin.")
            busy = _measured(port, server.pid)
            stop.set()
            asking.join()
            print(json.dumps({"alone": alone, "with two heavy queries": busy}, indent=2))
        finally:
            server.terminate()
            server.wait()


def _measured(port: int, server: int) -> dict[str, float]:
    seconds = asyncio.run(_answers(port, ANSWERS))
    resident = int(Path(f"/proc/{server}/statm").read_text().split()[1]) * 4096 / 2**20
    p95 = statistics.quantiles(seconds, n=20)[-1]
    return {"p50 s": round(statistics.median(seconds), 3), "p95 s": round(p95, 3), "server MB": round(resident)}


async def _answers(port: int, number: int) -> list[float]:
    """Seconds of so many answers to one user who goes from page to page."""
    found, dice = [], random.Random(1)
    url, origin = f"ws://localhost:{port}/_stcore/stream", f"http://localhost:{port}"
    async with websockets.connect(url, subprotocols=["streamlit"], origin=origin, max_size=None) as socket:  # type: ignore[arg-type, list-item]
        for one in range(number):
            asked = BackMsg()
            asked.rerun_script.query_string = "dataset=bench"
            asked.rerun_script.page_name = PAGES[one % len(PAGES)]
            begun = time.perf_counter()
            await socket.send(asked.SerializeToString())
            message = ForwardMsg()
            while message.WhichOneof("type") != "script_finished":
                message.ParseFromString(await socket.recv())  # type: ignore[arg-type]
            found.append(time.perf_counter() - begun)
            await asyncio.sleep(dice.uniform(0.05, 0.2))
    return found


def _ask_heavily(port: int, asked: threading.Event, stop: threading.Event) -> None:
    """Run heavy queries from two browser pages, again whenever one has ended."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        pages = [browser.new_page() for _ in HEAVY]
        for page, query in zip(pages, HEAVY, strict=True):
            page.goto(f"http://localhost:{port}/sql?dataset=bench&query={quote(query)}")
            page.get_by_role("button", name="Run").wait_for(timeout=60_000)
        while not stop.is_set():
            for page in pages:
                _run_again(page)
            asked.set()
        browser.close()


def _run_again(page: Page) -> None:
    if page.get_by_role("button", name="Cancel").count() == 0:
        page.get_by_role("button", name="Run").click()
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main()

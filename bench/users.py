"""Many people at once on one server: python -m bench.users [--users 20] [--minutes 10] [--dataset FILE].

First one person alone, then all together, on the same server and data: seconds from a click until the page is drawn, over the
websocket and in the messages that browsers use. Everybody clicks every 2 to 10 seconds; a third also choose a time window of
their own at every third click, so that nobody gains by a view that is cached already.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import websockets
from rich.console import Console
from rich.table import Table
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from bench.browser import PAGES as VIEWS
from bench.browser import free_port, wait_for
from overbudget.app.server.workspace import samples

PAGES = (*VIEWS, "datasets")
PAUSE_S = (2.0, 10.0)
ALONE_PAUSE_S = (
    0.2,
    1.0,
)  # one person alone waits for nobody: a shorter pause changes no answer, and there are more of them
ALONE_SHARE = 0.3  # of the minutes
PATIENCE_S = 120.0
FROM, UNTIL = "From (UTC)", "Until (UTC)"  # the labels of the filters that some choose


@dataclass
class Heard:
    """What came of all clicks: seconds by page, and errors by what they say."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def all(self) -> list[float]:
        return [one for page in self.seconds.values() for one in page]


@dataclass
class Tab:
    """An open page: its websocket, and its widgets that were touched, which a browser sends with every click."""

    socket: websockets.ClientConnection
    dataset: str
    boxes: dict[str, tuple[str, list[str]]] = field(default_factory=dict)  # of the time window: id and choices by label
    chosen: dict[str, str] = field(default_factory=dict)

    def choose_window(self, dice: random.Random) -> None:
        """One of four hundred time windows, in the middle of which is always something."""
        for label, (_, choices) in self.boxes.items():
            half = len(choices) // 2
            self.chosen[label] = dice.choice(choices[:half] if label == FROM else choices[half + 1 :])

    async def click(self, page: str) -> list[str]:
        """Go to `page`, with the window that was chosen; returns the errors that it shows once it is drawn."""
        message = BackMsg()
        message.rerun_script.query_string = f"dataset={self.dataset}"
        message.rerun_script.page_name = page
        for label, choice in self.chosen.items():
            message.rerun_script.widget_states.widgets.add(id=self.boxes[label][0], string_value=choice)
        await self.socket.send(message.SerializeToString())
        wrong = []
        while True:
            said = ForwardMsg()
            said.ParseFromString(await asyncio.wait_for(self.socket.recv(decode=False), PATIENCE_S))
            kind = said.WhichOneof("type")
            if kind == "script_finished":
                if said.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    return wrong
                wrong.append(f"{page}: {ForwardMsg.ScriptFinishedStatus.Name(said.script_finished)}")
                if said.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    return wrong
            elif kind == "delta" and said.delta.WhichOneof("type") == "new_element":
                element = said.delta.new_element
                if element.WhichOneof("type") == "exception":
                    wrong.append(f"{page}: {element.exception.type} {element.exception.message[:100]}")
                elif element.WhichOneof("type") == "alert" and element.alert.format == element.alert.ERROR:
                    wrong.append(f"{page}: {element.alert.body[:100]}")
                elif element.WhichOneof("type") == "selectbox" and element.selectbox.label in (FROM, UNTIL):
                    self.boxes[element.selectbox.label] = (element.selectbox.id, list(element.selectbox.options))


async def person(url: str, dataset: str, number: int, until: float, pause: tuple[float, float], heard: Heard) -> None:
    """Click until it is time; person 0, 3, 6 … has windows of their own. A tab that breaks is an error, and opened again."""
    dice = random.Random(number)
    await asyncio.sleep(dice.uniform(0, pause[1]))
    while time.monotonic() < until:
        try:
            async with websockets.connect(
                url, subprotocols=["streamlit"], max_size=None, open_timeout=PATIENCE_S
            ) as socket:  # type: ignore[list-item]
                tab = Tab(socket, dataset)
                for clicks in range(20):  # then the page is loaded anew
                    if time.monotonic() > until:
                        break
                    page = dice.choice(PAGES)
                    if number % 3 == 0 and clicks % 3 == 0:
                        tab.choose_window(dice)
                    start = time.monotonic()
                    heard.errors += await tab.click(page)
                    heard.seconds.setdefault(page or "review", []).append(time.monotonic() - start)
                    await asyncio.sleep(dice.uniform(*pause))
        except (OSError, websockets.WebSocketException, TimeoutError) as error:
            heard.errors.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(1)


async def alone(url: str, dataset: str, seconds: float) -> Heard:
    """One person at a time, who behaves as three of the many do, one of whom has windows of their own."""
    heard = Heard()
    for number in (1, 2, 3):
        await person(url, dataset, number, time.monotonic() + seconds / 3, ALONE_PAUSE_S, heard)
    return heard


async def together(url: str, dataset: str, users: int, seconds: float, server: int) -> tuple[Heard, list[float]]:
    """All at once; and the memory of the server in MB, at ten moments."""
    heard, until, memory = Heard(), time.monotonic() + seconds, []
    people = [asyncio.create_task(person(url, dataset, n, until, PAUSE_S, heard)) for n in range(users)]
    for _ in range(10):
        await asyncio.sleep(seconds / 10)
        memory.append(resident_mb(server))
    await asyncio.gather(*people)
    return heard, memory


def resident_mb(process: int) -> float:
    """Resident memory of a process and of those it started, in MB."""
    total = 0
    for one in (first := psutil.Process(process), *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total / 1e6


def p(seconds: list[float], percentile: int) -> float:
    return float(np.percentile(seconds, percentile)) if seconds else float("nan")


async def measure(url: str, dataset: str, options: argparse.Namespace, server: int, console: Console) -> None:
    for page in PAGES:  # what is read once per dataset is read now, as it is for the second visitor of a day
        await person_once(url, dataset, page)
    first = await alone(url, dataset, options.minutes * 60 * ALONE_SHARE)
    at_start = resident_mb(server)
    many, memory = await together(url, dataset, options.users, options.minutes * 60, server)
    table = Table(title=f"{options.users} people, {options.minutes:g} minutes", title_justify="left")
    for column in (
        "page",
        "alone p50",
        "alone p95",
        f"{options.users} p50",
        f"{options.users} p95",
        "ratio of p95",
        "clicks",
    ):
        table.add_column(column, justify="left" if column == "page" else "right")
    rows = {"every page": (first.all(), many.all())}
    rows |= {page: (first.seconds.get(page, []), many.seconds.get(page, [])) for page in sorted(many.seconds)}
    for name, (one, all_) in rows.items():
        figures = [f"{p(of, at) * 1000:,.0f} ms" for of in (one, all_) for at in (50, 95)]
        table.add_row(name, *figures, f"{p(all_, 95) / p(one, 95):.2f} ×", f"{len(one)}, {len(all_)}")
    console.print(table)
    console.print(f"memory: {at_start:,.0f} MB at the start; then {', '.join(f'{mb:,.0f}' for mb in memory)} MB")
    errors = first.errors + many.errors
    console.print(f"errors: {len(errors)}", *sorted(set(errors))[:10], sep="\n  ")


async def person_once(url: str, dataset: str, page: str) -> None:
    async with websockets.connect(url, subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
        await Tab(socket, dataset).click(page)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.users", description=__doc__)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--dataset", type=Path, help="else one of --spans spans is made")
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--overbudget", default=None, help="the command of another checkout, to compare with")
    options = parser.parse_args()
    command = [options.overbudget] if options.overbudget else [sys.executable, "-m", "overbudget.app.cli"]
    with tempfile.TemporaryDirectory(prefix="overbudget-bench-") as folder:
        workspace = Path(folder) / "workspace"
        workspace.mkdir()
        dataset = workspace / "bench.duckdb"
        if options.dataset:
            dataset.symlink_to(options.dataset.resolve())
        else:
            dump = Path(folder) / "dump.jsonl"
            scale = ["--scale", str(options.spans), "--per-request", "10", "--out", str(dump)]
            subprocess.run(
                [sys.executable, "-m", "overbudget.sample_traces", *scale], check=True, stdout=subprocess.DEVNULL
            )
            subprocess.run([*command, "ingest", str(dump), "--to", str(dataset)], check=True, stdout=subprocess.DEVNULL)
        port = free_port()
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(
                [*command, "serve", "--workspace", str(workspace), "--port", str(port)], stdout=log, stderr=log
            )
        try:
            wait_for(f"http://localhost:{port}/_stcore/health")
            while len(list(workspace.glob("*.duckdb"))) <= len(samples()):  # the samples are made in the background
                time.sleep(0.5)
            url = f"ws://localhost:{port}/_stcore/stream"
            asyncio.run(measure(url, "bench", options, server.pid, Console(width=110)))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()

"""The queries of a server: a few are answered at once, each by a process of its own, others wait, and none without an asker.

A process is watched while it answers: it is killed when it takes too long or too much memory, when it is cancelled, and when nobody
has looked at its query for a while, because the tab was closed. One spare process is always ready for the next query.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import pyarrow as pa

from overbudget.app.commands.own_process import LOOK_S, most_memory, resident
from overbudget.app.server.questions.process import REFUSED
from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import how_to_raise, limit

PATIENCE_S = 10.0  # a query at which nobody looks for so long is stopped: an open page looks twice a second
COMMAND = [sys.executable, "-m", "overbudget.app.server.questions.process"]
CANCELLED = "The query was cancelled."
LEFT = "The query was stopped, because its page was left."
CHUNK = 1 << 20


class Query:
    """A query and what became of it: `table` where it was answered, `error` where it was not, neither before."""

    def __init__(self, dataset: Path, text: str) -> None:
        self.dataset = dataset
        self.text = text
        self.table: pa.Table | None = None
        self.error = ""
        self._cancelled = False
        self._done = threading.Event()
        self._seen = self.asked = time.monotonic()

    @property
    def ended(self) -> bool:
        return self._done.is_set()

    def look(self, wait_s: float = 0.0) -> bool:
        """Whether it has ended, after waiting for that a while. Somebody must look, or it is stopped."""
        self._seen = time.monotonic()
        return self._done.wait(wait_s)

    def cancel(self) -> None:
        """Stop it, soon."""
        self._cancelled = True

    def unwanted(self) -> str:
        """Why it need not be answered any more; nothing while it must."""
        if self._cancelled:
            return CANCELLED
        return LEFT if time.monotonic() - self._seen > PATIENCE_S else ""

    def end(self, table: pa.Table | None, error: str) -> None:
        """Keep the outcome, and wake who waits for it."""
        self.table, self.error = table, error
        self._done.set()


class Queries:
    """The queries of one server, the first asked first."""

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._waiting: list[Query] = []
        self._running: list[Query] = []
        self._spare: subprocess.Popen[bytes] | None = None

    def ask(self, dataset: Path, text: str) -> Query:
        """A query that is answered as soon as it may be. Errors: OverbudgetError where too many wait already."""
        with self._guard:
            self._sweep()
            if len(self._waiting) >= limit("queries_waiting"):
                raise OverbudgetError(
                    f"Too many queries wait ({how_to_raise('queries_waiting')}). Try again in a minute."
                )
            query = Query(dataset, text)
            self._waiting.append(query)
        self._start()
        return query

    def before(self, query: Query) -> int | None:
        """How many queries are answered before it is; None where it waits no more."""
        with self._guard:
            self._sweep()
            return self._waiting.index(query) + len(self._running) if query in self._waiting else None

    def prepare(self) -> None:
        """Have a process ready for the next query."""
        with self._guard:
            if self._spare is None or self._spare.poll() is not None:
                self._spare = _process()

    def _process(self) -> "subprocess.Popen[bytes]":
        with self._guard:
            spare, self._spare = self._spare, None
        return spare if spare is not None and spare.poll() is None else _process()

    def _sweep(self) -> None:
        """End what waits and is wanted no more."""
        for query in [query for query in self._waiting if query.unwanted()]:
            self._waiting.remove(query)
            query.end(None, query.unwanted())

    def _start(self) -> None:
        with self._guard:
            self._sweep()
            free = max(0, limit("queries_at_once") - len(self._running))
            starting, self._waiting = self._waiting[:free], self._waiting[free:]
            self._running += starting
        for query in starting:
            threading.Thread(target=self._run, args=(query,), daemon=True).start()

    def _run(self, query: Query) -> None:
        table, error = None, "The query could not be asked: the server's log says why."
        try:
            table, error = _answer(query, self._process()), ""
        except OverbudgetError as refused:
            error = str(refused)
        finally:
            with self._guard:
                self._running.remove(query)
            self._start()
            query.end(table, error)
            self.prepare()


@cache
def queries_of_server() -> Queries:
    """The queries of this server: one queue, whoever asks."""
    return Queries()


def _process() -> "subprocess.Popen[bytes]":
    """A process that waits for its question. It hears no Ctrl-C in the server's terminal: it ends when its input does."""
    return subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def _answer(query: Query, process: "subprocess.Popen[bytes]") -> pa.Table:
    """What the process answers, within the limits. Errors: OverbudgetError."""
    with tempfile.TemporaryDirectory(prefix="overbudget-query-", ignore_cleanup_errors=True) as spill:
        try:
            content = _watched(process, _question(query, spill), _why_stop(query, process))
            status = process.wait()
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(BrokenPipeError):
                    pipe.close()  # type: ignore[union-attr]
    if status == REFUSED:
        raise OverbudgetError(content.decode(errors="replace"))
    if status != 0:
        raise OverbudgetError(f"The process that answers the query ended early (status {status}): ask for less.")
    return pa.ipc.open_stream(content).read_all()


def _question(query: Query, spill: str) -> bytes:
    return json.dumps({"dataset": str(query.dataset), "query": query.text, "spill_to": spill}).encode() + b"\n"


def _why_stop(query: Query, process: "subprocess.Popen[bytes]") -> Callable[[], str]:
    """What says why the process must be stopped now; nothing while it may go on."""
    most, most_s, begun = most_memory(limit("query_memory")), limit("query_time"), time.monotonic()

    def why() -> str:
        if said := query.unwanted():
            return said
        if time.monotonic() - begun > most_s:
            return f"The query took too long and was stopped ({how_to_raise('query_time')})."
        if resident(process.pid) > most:
            return f"The query took more than {most / 2**30:.1f} GB of memory and was stopped ({how_to_raise('query_memory')})."
        return ""

    return why


def _watched(process: "subprocess.Popen[bytes]", question: bytes, why_stop: Callable[[], str]) -> bytes:
    """What a process writes in answer to a question. Errors: OverbudgetError as soon as `why_stop` says why."""
    assert process.stdin is not None
    assert process.stdout is not None
    parts: list[bytes] = []
    try:
        process.stdin.write(question)
        process.stdin.flush()
    except BrokenPipeError:
        return b""
    while True:
        if said := why_stop():
            raise OverbudgetError(said)
        if not select.select([process.stdout], [], [], LOOK_S)[0]:
            continue
        part = os.read(process.stdout.fileno(), CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)

"""Injected faults: the n-th change that a writer makes to the disk fails, or the writer is killed there, for every n.

Afterwards the dataset is the old one or the new one, what went wrong is one sentence, nothing of it is left (or the next
run sweeps it), and the lock is free. The disk fails by a library that is preloaded (failing_disk.c, which needs a C
compiler and Linux); `python -m scripts.torture.faults FOLDER ACTION FAULT N...` runs under it and prints what is wrong.
"""

import ctypes
import errno
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from overbudget.app.server.workspace import Workspace
from overbudget.ingest.pipeline import ingest
from overbudget.ingest.rewrite.merge import merge
from overbudget.ingest.rewrite.stitch import stitch
from overbudget.store.dataset import open_dataset, sweep_folder
from overbudget.store.errors import OverbudgetError
from overbudget.store.lock import writing

T = 1_764_000_000_000_000_000
KILLED = 0
FAULTS: dict[str, tuple[int, bool]] = {  # the error, and whether it lasts
    "full": (errno.ENOSPC, True),
    "failing once": (errno.EIO, False),
    "read-only": (errno.EROFS, True),
    "killed": (KILLED, False),
}
# What is done in a folder with the datasets old.duckdb and other.duckdb, and dumps of both beside it.
ACTIONS: dict[str, Callable[[Path], object]] = {
    "ingest": lambda at: ingest([at.parent / "other.jsonl"], at / "new.duckdb"),
    "replace": lambda at: ingest([at.parent / "other.jsonl"], at / "old.duckdb"),
    "append": lambda at: ingest([at.parent / "other.jsonl"], at / "old.duckdb", append=True),
    "merge": lambda at: merge(at / "old.duckdb", at / "other.duckdb", at / "new.duckdb"),
    "stitch": lambda at: stitch(at / "old.duckdb", by_conversation=True),
    "rename": lambda at: Workspace(at).rename("old", "new"),
    "delete": lambda at: Workspace(at).delete("old"),
}
WRONG: dict[str, Callable[[Path], object]] = {  # what must be found out
    "in place": lambda at: (at / "old.duckdb").write_bytes((at / "other.duckdb").read_bytes()),
}


def library(folder: Path) -> Path:
    """The library that makes a disk fail, compiled into `folder`."""
    made = folder / "failing_disk.so"
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", made, source, "-ldl"], check=True)
    return made


def wrong(folder: Path, action: str, fault: str, numbers: Iterable[int] = (), preload: Path | None = None) -> list[str]:
    """What is wrong after `action` where its n-th change to the disk meets `fault`, for `numbers`, or else for every n."""
    command = [sys.executable, "-m", "scripts.torture.faults", str(folder), action, fault, *map(str, numbers)]
    environment = {**os.environ, "LD_PRELOAD": str(preload or library(folder)), "PYTHONFAULTHANDLER": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    said = done.stdout.splitlines()
    if done.returncode or not said or not said[-1].startswith("tried "):
        return [
            f"{action}, {fault}: the driver ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-2000:]}"
        ]
    return said[:-1]


def dump(path: Path, first: int) -> Path:
    """A dump of two small traces with a call that was cut off, which a conversation joins."""
    talk = [{"key": "gen_ai.conversation.id", "value": {"stringValue": "c"}},
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]  # fmt: skip
    spans = [
        {"traceId": f"{first + trace:032x}", "spanId": f"{16 * (first + trace) + number:016x}", "name": f"work {number}",
         "parentSpanId": f"{16 * (first + trace) + 1:016x}" if number > 1 else "", "kind": 2 if number == 1 else 3,
         "startTimeUnixNano": str(T + number), "endTimeUnixNano": str(T + 10**9 - number), "attributes": talk}
        for trace in (1, 2) for number in (1, 2, 3)
    ]  # fmt: skip
    cut = {**spans[1], "traceId": f"{first + 3:032x}", "spanId": f"{16 * (first + 3):016x}", "parentSpanId": ""}
    named = [{"key": "service.name", "value": {"stringValue": "shop"}}]
    record = {"resourceSpans": [{"resource": {"attributes": named}, "scopeSpans": [{"spans": [*spans, cut]}]}]}
    path.write_text(json.dumps(record) + "\n")
    return path


class Disk:
    """The disk below `folder`, which fails when it is told. This process must have the library preloaded."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._library = str(folder.resolve()).encode(), ctypes.CDLL(None)
        self._library.failing_disk_count.restype = ctypes.c_long

    def fails(self, at: int, fault: str) -> None:
        error, lasting = FAULTS[fault]
        self._library.failing_disk(self._folder, ctypes.c_long(at), error, int(lasting))

    def works(self) -> int:
        """It fails no longer; how many changes there were since it was to fail."""
        changes = int(self._library.failing_disk_count())
        self._library.failing_disk(self._folder, ctypes.c_long(0), errno.EIO, 0)
        return changes


def contents(path: Path) -> tuple[int, ...]:
    """What tells two datasets apart, read from a whole one. Errors: OverbudgetError, AssertionError where it is not whole."""
    connection = open_dataset(path)
    try:
        (row,) = connection.execute(
            """SELECT (SELECT count(*) FROM spans), (SELECT sum(spans)::BIGINT FROM ingest_report),
                      (SELECT count(DISTINCT trace_id) FROM spans), (SELECT count(*) FROM requests),
                      (SELECT count(*) FROM critical_path), (SELECT count(*) FROM operations)"""
        ).fetchall()
    finally:
        connection.close()
    assert row[0] == row[1], f"{path.name} is half a dataset"
    return tuple(row)


def state(at: Path) -> dict[str, tuple[int, ...]]:
    """All datasets of a folder."""
    return {path.name: contents(path) for path in sorted(at.glob("*.duckdb"))}


def attempt(at: Path, act: Callable[[Path], object], fault: str) -> tuple[str | None, bool]:
    """Do it: what is wrong with how it ended, and whether it was done."""
    if fault == "killed":
        child = os.fork()
        if child == 0:
            act(at)
            os._exit(0)
        return None, os.waitpid(child, 0)[1] == 0
    try:
        act(at)
        return None, True
    except OverbudgetError as error:
        said = str(error)
        if not said.endswith(".") or "\n" in said or not 10 < len(said) < 400:
            return f"it says {said!r}", False
        return None, False
    except BaseException as error:
        return f"it ends with {type(error).__name__}: {error}", False


def check(at: Path, before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]], fault: str) -> list[str]:
    """What is wrong in the folder once the disk works again; `after` is how it must be."""
    found = []
    if fault in ("killed", "read-only"):
        sweep_folder(at)
    left = [path.name for path in at.iterdir() if path.suffix != ".duckdb" and path.name != "incoming"]
    if left:
        found.append(f"{left} are left")
    try:
        now = state(at)
        if now != after and not (fault == "killed" and now == before):
            found.append(f"there is {now}, and was {before}, and should be {after}")
        for name in ("old", "new"):
            with writing(at / f"{name}.duckdb", wait_s=0.0):
                pass
    except (OverbudgetError, AssertionError) as error:
        found.append(str(error))
    open_files = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists()]
    if any(name.startswith(str(at)) for name in open_files):
        found.append(f"{open_files} are open still")
    return found


def main(folder: Path, action: str, fault: str, numbers: list[int]) -> None:
    at, kept, act = folder / "at", folder / "kept", {**ACTIONS, **WRONG}[action]
    kept.mkdir(parents=True)
    for name, first in (("old", 0), ("other", 100)):
        ingest([dump(folder / f"{name}.jsonl", first)], kept / f"{name}.duckdb")
    Workspace(kept)
    shutil.copytree(kept, at)
    before, disk = state(at), Disk(at)
    act(at)
    done, tried = state(at), 0
    for number in numbers or ([1] if fault == "read-only" else range(1, 100_000)):
        shutil.rmtree(at)
        shutil.copytree(kept, at)
        disk.fails(number, fault)
        ended, succeeded = attempt(at, act, fault)
        changes = disk.works()
        tried += 1
        for said in [*([ended] if ended else []), *check(at, before, done if succeeded else before, fault)]:
            print(f"{action}, {fault}, change {number}: {said}", flush=True)
        if succeeded and (fault == "killed" or changes < number):
            break  # there are no more changes
    print(f"tried {tried}")


@cache
def _library() -> Path:
    return library(Path(tempfile.mkdtemp(prefix="overbudget-torture-library-")))


def fault(draw: random.Random) -> str | None:
    """A few changes of one action meet one fault. Needs a C compiler, and Linux."""
    action, kind = draw.choice(list(ACTIONS)), draw.choice(list(FAULTS))
    numbers = sorted(draw.sample(range(1, 12 if action in ("rename", "delete") else 60), 6))
    with tempfile.TemporaryDirectory(prefix="overbudget-torture-") as folder:
        return "; ".join(wrong(Path(folder), action, kind, numbers, _library())) or None


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], [int(number) for number in sys.argv[4:]])

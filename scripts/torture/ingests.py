"""Whole ingests that are spoilt, killed, or run at once: what was there is there afterwards, and nothing ends in a traceback."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from scripts.torture.documents import flipped, record, spoilt

SAMPLES = Path(__file__).parents[2] / "sample_traces" / "dumps"
DUMPS = [SAMPLES / f"{name}.otlp.jsonl.gz" for name in ("healthy", "load_ramp", "tools_in_a_row")]


def spoilt_dump(draw: random.Random) -> str | None:
    """Ten spoilt records and a sound one become a dataset that holds at least the sound one."""
    sound = record(draw)
    lines = [json.dumps(sound).encode()]
    for _ in range(10):
        line = json.dumps(spoilt(record(draw), draw)).encode("utf-8", "replace")
        lines.append(flipped(line, draw).replace(b"\n", b" ") if draw.random() < 0.5 else line)
    with tempfile.TemporaryDirectory(prefix="overbudget-torture-") as folder:
        dump = Path(folder) / "dump.jsonl"
        dump.write_bytes(b"\n".join(lines) + b"\n")
        try:
            result = ingest([dump], Path(folder) / "d.duckdb")
        except OverbudgetError as error:
            return f"a dump with a sound record is refused: {error}"
        ids = {span["spanId"] for scope in sound["resourceSpans"][0]["scopeSpans"] for span in scope["spans"]}
        trace = sound["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
        connection = open_dataset(result.dataset)
        kept = connection.execute("SELECT count(*) FROM spans WHERE trace_id = ?", [trace]).fetchall()[0][0]
        connection.close()
    return None if ids and kept else f"a sound record is lost beside {lines[1:]!r}"


def _start(dump: Path, to: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "overbudget.app.cli", "ingest", str(dump), "--to", str(to), *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _sources(path: Path) -> set[str]:
    connection = open_dataset(path)
    try:
        rows = connection.execute("SELECT source, spans, (SELECT count(*) FROM spans) FROM ingest_report").fetchall()
        if sum(row[1] for row in rows) != rows[0][2]:
            raise OverbudgetError("half a dataset")
        return {Path(row[0]).name for row in rows}
    finally:
        connection.close()


def killed(draw: random.Random) -> str | None:
    """kill -9 at any moment of a replacing or an appending ingest leaves the dataset as it was, or the new one."""
    with tempfile.TemporaryDirectory(prefix="overbudget-torture-") as folder:
        to = Path(folder) / "d.duckdb"
        ingest([DUMPS[0]], to)
        append = draw.random() < 0.5
        process = _start(DUMPS[1], to, *(["--append"] if append else []))
        time.sleep(draw.uniform(0.1, 3.0))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        try:
            found = _sources(to)
        except (OverbudgetError, duckdb.Error, IndexError) as error:
            return f"after a kill the dataset cannot be read: {error}"
    old, new = DUMPS[0].name, DUMPS[1].name
    return None if found in ({old}, {old, new} if append else {new}) else f"after a kill there is {found}"


def at_once(draw: random.Random) -> str | None:
    """Of two appends at the same moment none is lost."""
    with tempfile.TemporaryDirectory(prefix="overbudget-torture-") as folder:
        to = Path(folder) / "d.duckdb"
        ingest([DUMPS[0]], to)
        both = [_start(dump, to, "--append") for dump in DUMPS[1:]]
        said = [process.communicate()[1].decode() for process in both]
        done = {dump.name for dump, process in zip(DUMPS[1:], both, strict=True) if process.returncode == 0}
        missing = {DUMPS[0].name, *done} - _sources(to)
    return f"lost {missing}: {said}" if missing or any("Traceback" in one for one in said) else None

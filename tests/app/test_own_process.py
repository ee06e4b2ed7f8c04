"""An ingest runs in a process whose memory is watched: what needs too much is stopped by a sentence, and leaves nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from overbudget.app.commands.own_process import free_memory, resident
from overbudget.app.server.workspace import SAMPLES

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is watched on Linux alone")
INGEST = [sys.executable, "-m", "overbudget.app.cli", "ingest"]


def test_what_needs_too_much_memory_is_stopped_and_an_older_dataset_stays(tmp_path: Path) -> None:
    older = tmp_path / "d.duckdb"
    assert subprocess.run([*INGEST, SAMPLES / "healthy.otlp.jsonl.gz", "--to", older], check=False).returncode == 0
    before = older.read_bytes()
    dump = ["--limit", "ingest_memory=1MB", SAMPLES / "load_ramp.otlp.jsonl.gz", "--to", older]
    stopped = subprocess.run([*INGEST, *dump], capture_output=True, text=True, check=False)
    assert stopped.returncode == 2
    assert stopped.stderr.startswith("Reading took more than 0.0 GB of memory, so it was stopped: nothing was written")
    assert "the limit ingest_memory is 1 MB; set another with --limit ingest_memory=VALUE" in stopped.stderr
    assert stopped.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["d.duckdb"]
    assert older.read_bytes() == before


def test_a_wrong_dump_is_said_once_with_its_status(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no traces, just notes of mine")
    told = subprocess.run(
        [*INGEST, tmp_path / "notes.txt", "--to", tmp_path / "d.duckdb"], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_who_stops_the_command_stops_the_reading(stop: signal.Signals, tmp_path: Path) -> None:
    source, sink = os.pipe()  # a dump that does not end
    command = subprocess.Popen([*INGEST, "-", "--to", tmp_path / "d.duckdb"], stdin=source, stderr=subprocess.PIPE)
    os.close(source)
    os.write(sink, b'{"resourceSpans":[]}\n')
    while not any(path.is_dir() for path in tmp_path.iterdir()):
        assert command.poll() is None
    command.send_signal(stop)
    command.communicate()
    assert command.returncode != 0
    with pytest.raises(BrokenPipeError):  # once nobody reads any more
        while True:
            os.write(sink, b"\n" * 4096)
    os.close(sink)
    if stop == signal.SIGTERM:
        assert list(tmp_path.iterdir()) == []


def test_memory_is_told() -> None:
    assert 1 << 20 < resident(os.getpid()) < 1 << 40
    assert resident(1 << 30) == 0
    assert 1 << 20 < free_memory() < 1 << 50

"""One writer per dataset: the second waits, in the order of coming, or is refused by a sentence."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import VARIABLE
from overbudget.store.lock import Busy, lock_path, writing, writing_new

HOLDS = """
import sys
from pathlib import Path
from overbudget.store.lock import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def elsewhere(path: Path) -> subprocess.Popen[str]:
    """A process that holds the lock of `path` until it is told, or killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    with elsewhere(path) as other:
        said = rf"d\.duckdb is being written by process {other.pid}; try again"
        with pytest.raises(Busy, match=said), writing(path, wait_s=0.0):
            pass
        other.communicate("\n")
    with writing(path, wait_s=0.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_time_out_is_a_named_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE + "LOCK_WAIT", "0s")
    with elsewhere(tmp_path / "d.duckdb") as other:
        said = "the limit lock_wait is 0 s; set another with --limit lock_wait=VALUE"
        with pytest.raises(Busy, match=said), writing(tmp_path / "d.duckdb"):
            pass
        other.communicate("\n")


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    path, told = tmp_path / "d.duckdb", []
    other = elsewhere(path)

    def free() -> None:
        told.append("waiting")
        threading.Thread(target=other.communicate, args=("\n",)).start()

    with writing(path, wait_s=60.0, waiting=free):
        assert told == ["waiting"]
    other.wait()


def test_a_writer_that_is_killed_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    with elsewhere(path) as other:
        other.kill()
        other.communicate()
    assert lock_path(path).exists()
    with writing(path, wait_s=0.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_writer_may_ask_again_for_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with writing(tmp_path / "d.duckdb"), writing(Path("d.duckdb"), wait_s=0.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_hundred_writers_never_meet(tmp_path: Path) -> None:
    path, count, most = tmp_path / "n", [0], [0]

    def add() -> None:
        for _ in range(10):
            with writing(path):
                count[0] += 1
                most[0] = max(most[0], count[0])
                count[0] -= 1
                total = int(path.read_text() or 0) if path.exists() else 0
                path.write_text(str(total + 1))

    threads = [threading.Thread(target=add) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (path.read_text(), most) == ("100", [1])
    assert os.listdir(tmp_path) == ["n"]


def test_a_new_name_is_one_that_no_dataset_and_no_writer_has(tmp_path: Path) -> None:
    path = tmp_path / "d.duckdb"
    path.touch()
    with writing_new(path) as second, elsewhere(tmp_path / "d-3.duckdb") as other, writing_new(path) as fourth:
        assert (second.name, fourth.name) == ("d-2.duckdb", "d-4.duckdb")
        other.communicate("\n")


def test_folders_made_for_a_dataset_go_where_none_is_written(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), writing(tmp_path / "a" / "b" / "d.duckdb"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OverbudgetError, match=r"Cannot write to .*file"), writing(tmp_path / "file" / "d.duckdb"):
        pass

"""Wherever the disk fails or a writer is killed: the dataset is the old one or the new one, said in a sentence, nothing left."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from overbudget.app.server.workspace import SAMPLES
from overbudget.store.dataset import build
from overbudget.store.errors import OverbudgetError
from scripts.torture import faults

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="a failing disk is preloaded on Linux alone"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="a failing disk is compiled"),
]
EVERY = [("replace", "full"), ("append", "failing once"), ("append", "killed")]
EVERY += [(action, fault) for action in ("rename", "delete") for fault in faults.FAULTS]
EVERY += [(action, "read-only") for action in ("ingest", "append")]
SOME = {("merge", "full"): 4, ("stitch", "full"): 12, ("stitch", "killed"): 12}  # every so many; make torture tries all


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faults.library(tmp_path_factory.mktemp("library"))


@pytest.mark.parametrize(("action", "fault"), EVERY)
def test_wherever_it_fails_the_dataset_is_the_old_one_or_the_new_one(
    action: str, fault: str, library: Path, tmp_path: Path
) -> None:
    assert faults.wrong(tmp_path, action, fault, preload=library) == []


@pytest.mark.parametrize(("action", "fault"), SOME)
def test_what_is_written_in_several_steps_is_the_old_one_or_the_new_one(
    action: str, fault: str, library: Path, tmp_path: Path
) -> None:
    assert faults.wrong(tmp_path, action, fault, range(1, 200, SOME[action, fault]), preload=library) == []


def test_what_is_wrong_is_told(library: Path, tmp_path: Path) -> None:
    """A writer without a private file is found out."""
    said = faults.wrong(tmp_path, "in place", "failing once", preload=library)
    assert any("should be" in one or "cannot be opened" in one for one in said)


def command(library: Path, below: Path, error: int, at: int, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, where from the change number `at` below a folder on every one fails."""
    armed = {"FAILING_DISK_BELOW": str(below), "FAILING_DISK_AT": str(at), "FAILING_DISK_ERROR": str(error)}
    environment = {**os.environ, **armed, "FAILING_DISK_LASTING": "1", "LD_PRELOAD": str(library)}
    line = [sys.executable, "-m", "overbudget.app.cli", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("datasets")
    faults.ingest([SAMPLES / "healthy.otlp.jsonl.gz"], made / "d.duckdb")
    return made


@pytest.mark.parametrize("at", [1, 5, 20, 45])
def test_a_full_disk_is_one_sentence_of_the_command(at: int, library: Path, folder: Path) -> None:
    before = (folder / "d.duckdb").read_bytes()
    dump = SAMPLES / "load_ramp.otlp.jsonl.gz"
    done = command(library, folder, errno.ENOSPC, at, "ingest", dump, "--append", "--to", folder / "d.duckdb")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("Cannot write to ")
    assert done.stderr.endswith("No space left on device.\n")
    assert [path.name for path in folder.iterdir()] == ["d.duckdb"]
    assert (folder / "d.duckdb").read_bytes() == before


QUESTIONS = [["review"], ["tail"], ["advise"], ["load"], ["audit"], ["sql", "FROM requests LIMIT 1"]]
CHANGES = [
    ["audit", "--stitch"],
    ["export", "--parquet", "AT/p"],
    ["export", "--parquet", "AT"],
    ["review", "--html", "AT/r.html"],
]


@pytest.mark.parametrize("words", QUESTIONS + CHANGES, ids=" ".join)
def test_a_folder_that_cannot_be_written_is_read_and_a_change_is_refused_in_a_sentence(
    words: list[str], library: Path, folder: Path
) -> None:
    rest = [word.replace("AT", str(folder)) for word in words[1:]]
    done = command(library, folder, errno.EROFS, 1, words[0], folder / "d.duckdb", *rest)
    if words in QUESTIONS:
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith("Cannot write")
    assert [path.name for path in folder.iterdir()] == ["d.duckdb"]


@pytest.mark.parametrize(
    "words", [["review"], ["tail", "--json"], ["sql", "FROM spans", "--csv"], ["trace", "x"]], ids=" ".join
)
def test_what_is_printed_to_a_full_disk_is_said(words: list[str], folder: Path) -> None:
    line = [sys.executable, "-m", "overbudget.app.cli", words[0], folder / "d.duckdb", *words[1:]]
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    said = done.stderr
    assert (done.returncode, said.count("\n")) == (2, 1)
    assert said == "Cannot write what is printed: No space left on device.\n" or words[0] == "trace"


def test_a_report_that_cannot_be_written_leaves_the_older_one(library: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("older")
    words = ["review", folder / "d.duckdb", "--html", tmp_path / "r.html"]
    for at in (1, 2):
        done = command(library, tmp_path, errno.ENOSPC, at, *words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("r.html", "older")]


def test_what_is_no_dataset_is_not_replaced_by_what_was_joined(tmp_path: Path) -> None:
    from overbudget.ingest.rewrite.stitch import stitch

    faults.ingest([faults.dump(tmp_path / "a.jsonl", 1)], tmp_path / "d.duckdb")
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(OverbudgetError, match="exists already and is not a dataset"):
        stitch(tmp_path / "d.duckdb", tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_mistake_of_ours_is_not_called_a_disk(tmp_path: Path) -> None:
    import duckdb

    with pytest.raises(duckdb.CatalogException), build(tmp_path / "d.duckdb") as connection:
        connection.execute("FROM nothing")

"""Jobs are the server's: bounded, in order, and neither a closed tab nor a stopped server loses one."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from overbudget.app.server import jobs as jobs_module
from overbudget.app.server.jobs import (
    CANCELLED,
    DONE,
    FAILED,
    MOST_ATTEMPTS,
    READING,
    STOPPING,
    WAITING,
    Job,
    Jobs,
    printed,
    start_ingest,
)
from overbudget.app.server.serve import redacting
from overbudget.app.server.workspace import SAMPLES, Workspace
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import VARIABLE
from tests.waiting import until

READS = """
import json, sys
text = sys.stdin.readline().strip()
if text == "good": print(json.dumps({"dataset": "d.duckdb", "spans": 1, "requests": 1}))
else: sys.exit("It is no dump.")
"""


class Readers:
    """Processes that read as the test says, in the place of ingests."""

    def __init__(self) -> None:
        self.started: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __call__(self, dump: Path, dataset: Path, folder: Path, *options: str) -> "subprocess.Popen[bytes]":
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = subprocess.Popen([sys.executable, "-c", READS], stdin=subprocess.PIPE, stdout=out, stderr=err)
        self.started.append((dump.name, process))
        return process

    def say(self, number: int, what: str) -> None:
        until(lambda: len(self.started) > number, "it is begun")
        process = self.started[number][1]
        assert process.stdin is not None
        process.stdin.write(what.encode() + b"\n")
        process.stdin.close()


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Readers:
    made = Readers()
    monkeypatch.setattr(jobs_module, "start_ingest", made)
    return made


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def sent(jobs: Jobs, name: str) -> Job:
    job = jobs.arriving(name, 1)
    job.dump.write_bytes(b"x")
    job.save()
    jobs.arrived(job)
    return job


def state(job: Job, wanted: str) -> Callable[[], bool]:
    return lambda: job.state == wanted


def test_a_few_are_read_at_once_and_the_rest_wait_in_order(place: Workspace, readers: Readers) -> None:
    jobs = Jobs(place)
    first, second, third, fourth = (sent(jobs, name) for name in "abcd")
    assert [job.state for job in (first, second, third, fourth)] == [READING, READING, WAITING, WAITING]
    readers.say(1, "good")
    until(state(second, DONE), "the second is read")
    until(lambda: len(readers.started) == 3, "the third is begun")
    assert ([name for name, _ in readers.started], fourth.state) == (["a", "b", "c"], WAITING)
    assert third.state == READING
    for number in (0, 2):
        readers.say(number, "bad")
    until(state(fourth, READING), "the fourth is begun")
    readers.say(3, "good")
    until(state(fourth, DONE), "the fourth is read")
    until(state(first, FAILED), "the first is given up")
    assert first.error == "It is no dump."
    assert second.result == {"dataset": "d.duckdb", "spans": 1, "requests": 1}
    assert not any(job.dump.exists() for job in jobs.all())


def test_what_waits_or_is_read_can_be_cancelled(place: Workspace, readers: Readers, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE + "JOBS_AT_ONCE", "1")
    jobs = Jobs(place)
    first, second, third = (sent(jobs, name) for name in "abc")
    jobs.cancel(second.id)
    jobs.cancel(first.id)
    until(state(third, READING), "the third is begun")
    assert (first.state, second.state) == (CANCELLED, CANCELLED)
    assert not first.dump.exists()
    readers.say(1, "good")
    until(state(third, DONE), "the third is read")
    jobs.cancel(third.id)
    assert third.state == DONE


@pytest.mark.usefixtures("readers")
def test_what_is_asked_to_stop_is_cancelled_when_it_has(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = subprocess.Popen.terminate
    monkeypatch.setattr(subprocess.Popen, "terminate", lambda process: None)  # one that is slow to
    jobs = Jobs(place)
    job = sent(jobs, "a")
    until(state(job, READING), "it is begun")
    jobs.cancel(job.id)
    jobs.cancel(job.id)
    assert (job.state, job.ended, job.dump.exists()) == (STOPPING, False, True)
    assert job._process is not None
    ends(job._process)
    until(state(job, CANCELLED), "it has stopped")
    assert not job.dump.exists()


def test_a_dataset_that_was_there_before_its_reading_stopped_is_said(
    place: Workspace, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess.Popen, "terminate", lambda process: None)
    jobs = Jobs(place)
    job = sent(jobs, "a")
    until(state(job, READING), "it is begun")
    jobs.cancel(job.id)
    readers.say(0, "good")
    until(state(job, DONE), "it is done")
    assert job.result is not None


def test_the_next_server_does_not_read_what_was_being_stopped(
    place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module.Jobs, "_start", lambda self: None)
    before = Jobs(place)
    job = sent(before, "a")
    job.state = STOPPING
    job.save()
    jobs_module._let_go(job)
    after = Jobs(place)
    after.recover()
    assert [(one.state, one.dump.exists()) for one in after.all()] == [(CANCELLED, False)]


def test_the_next_server_goes_on_with_what_waits_and_sweeps_the_rest(
    place: Workspace, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module.Jobs, "_start", lambda self: None)
    before = Jobs(place)
    whole, half, stopped = sent(before, "whole"), before.arriving("half", 9), sent(before, "stopped")
    half.dump.write_bytes(b"x")
    stopped.attempts = MOST_ATTEMPTS
    stopped.save()
    for job in (whole, half, stopped):
        jobs_module._let_go(job)  # as the end of a process does
    (place.incoming / "an_older_upload.part").touch()
    after = Jobs(place)
    after.recover()
    assert {job.name: job.state for job in after.all()} == {"whole": WAITING, "stopped": FAILED}
    assert {path.name for path in place.incoming.iterdir()} == {whole.id, stopped.id}


def test_a_second_server_takes_nothing_away(place: Workspace, readers: Readers) -> None:
    first, second = Jobs(place), Jobs(place)
    job, arriving = sent(first, "a"), first.arriving("b", 1)
    second.recover()
    assert second.all() == []
    assert job.dump.exists()
    assert arriving.folder.exists()
    readers.say(0, "good")
    until(state(job, DONE), "the job is done")


def test_outcomes_are_kept_for_the_next_server_and_only_so_many(
    place: Workspace, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE + "JOBS_KEPT", "2")
    jobs = Jobs(place)
    for number, name in enumerate("abc"):
        job = sent(jobs, name)
        readers.say(number, "good")
        until(state(job, DONE), f"{name} is read")
    until(lambda: len(list(place.incoming.iterdir())) == 2, "the oldest is forgotten")
    after = Jobs(place)
    after.recover()
    assert [(job.name, job.state) for job in after.all()] == [("c", DONE), ("b", DONE)]
    after.forget(after.all()[0].id)
    assert [job.name for job in after.all()] == ["b"]


def test_a_dump_is_read_under_a_name_that_is_free(tmp_path: Path) -> None:
    (tmp_path / "traces.duckdb").touch()
    jobs = Jobs(Workspace(tmp_path))
    for sample in ("healthy", "load_ramp"):
        job = jobs.arriving("traces.jsonl.gz", 1)
        job.dump.write_bytes((SAMPLES / f"{sample}.otlp.jsonl.gz").read_bytes())
        job.save()
        jobs.arrived(job)
    until(lambda: all(job.ended for job in jobs.all()), "both are read")
    assert (tmp_path / "traces.duckdb").read_bytes() == b""
    found = {Path(job.result["dataset"]) for job in jobs.all() if job.result}
    assert found == {tmp_path / "traces-2.duckdb", tmp_path / "traces-3.duckdb"}
    sizes = {open_dataset(path).execute("SELECT sum(spans) FROM ingest_report").fetchall()[0][0] for path in found}
    assert len(sizes) == 2


def test_an_ingest_ends_with_the_server_that_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module.os, "getpid", lambda: 1 << 30)  # a process that is gone
    process = start_ingest(Path("/dev/zero"), tmp_path / "d.duckdb", tmp_path)
    assert process.wait() != 0
    assert printed(tmp_path) is None
    assert not (tmp_path / "d.duckdb").exists()


def test_a_dump_is_redacted_as_the_server_was_told_and_does_not_stay(tmp_path: Path) -> None:
    secret, mail = "when does my parcel come", "ann@example.org"
    said = [{"key": key, "value": {"stringValue": text}} for key, text in (("note", secret), ("to", mail))]
    one = {"traceId": "1" * 32, "spanId": "1" * 16, "name": "chat", "startTimeUnixNano": "1764000000000000000",
           "endTimeUnixNano": "1764000001000000000", "attributes": said}  # fmt: skip
    content = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}).encode()
    (tmp_path / "budget.toml").write_text('[redact]\npresets = ["emails"]\n')
    jobs = Jobs(Workspace(tmp_path / "workspace"))
    jobs.options = redacting(tmp_path / "budget.toml", True)
    job = jobs.arriving("d.json", len(content))
    job.dump.write_bytes(content)
    jobs.arrived(job)
    until(lambda: job.ended, "it is read")
    assert job.state == DONE, job.error
    rows = open_dataset(tmp_path / "workspace" / "d.duckdb").execute("SELECT attributes FROM spans").fetchall()
    assert rows[0][0]["note"].startswith("[withheld: 24 characters, ")
    assert rows[0][0]["to"].startswith("[redacted ")
    for path in (tmp_path / "workspace").rglob("*"):
        assert path.is_dir() or (secret.encode() not in path.read_bytes() and mail.encode() not in path.read_bytes())


def test_a_server_does_not_begin_with_a_budget_that_cannot_be_read(tmp_path: Path) -> None:
    assert redacting(None, False) == ()
    (tmp_path / "budget.toml").write_text("[redact]\npresets = ['email']\n")
    with pytest.raises(OverbudgetError, match="emails"):
        redacting(tmp_path / "budget.toml", False)

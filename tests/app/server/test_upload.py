"""The upload route: streams to disk, and takes nothing from elsewhere; what has arrived is a job, whoever looks."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from overbudget.app.server import jobs as jobs_module
from overbudget.app.server.jobs import Job, Jobs
from overbudget.app.server.upload import HEADER, PATH, upload_route
from overbudget.app.server.workspace import Workspace
from overbudget.store.limits import VARIABLE

OURS = {HEADER: "1"}


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """A queue that nothing is taken from."""
    monkeypatch.setattr(jobs_module.Jobs, "_start", lambda self: None)
    return Jobs(Workspace(tmp_path))


@pytest.fixture
def client(jobs: Jobs) -> TestClient:
    return TestClient(Starlette(routes=[upload_route(jobs)]))


def left(jobs: Jobs) -> list[Path]:
    return list(jobs._workspace.incoming.iterdir())


def test_a_dump_arrives_as_it_was_sent(jobs: Jobs, client: TestClient) -> None:
    answer = client.put(f"{PATH}?name=a.jsonl", content=b"x" * 100_000, headers=OURS)
    assert answer.status_code == 200
    assert answer.json()["bytes"] == 100_000
    (job,) = jobs.all()
    assert (job.id, job.name, job.state) == (answer.json()["id"], "a.jsonl", "waiting")
    assert job.dump.read_bytes() == b"x" * 100_000


def test_without_the_header_nothing_is_taken(jobs: Jobs, client: TestClient) -> None:
    assert client.put(f"{PATH}?name=a", content=b"x").status_code == 403
    assert (left(jobs), jobs.all()) == ([], [])


@pytest.mark.parametrize(("size", "status"), [(10, 200), (11, 413)])
def test_what_is_too_large_is_refused_and_leaves_nothing(
    size: int, status: int, jobs: Jobs, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE + "UPLOAD_BYTES", "10")
    for content in (b"x" * size, iter([b"x" * 6, b"x" * (size - 6)])):
        answer = client.put(f"{PATH}?name=a", content=content, headers=OURS)
        assert answer.status_code == status
    if status == 413:
        assert "the limit upload_bytes is 10 bytes" in answer.json()["error"]
        assert left(jobs) == []


def test_what_did_not_arrive_whole_leaves_nothing(jobs: Jobs, client: TestClient) -> None:
    answer = client.put(f"{PATH}?name=a", content=b"x", headers={**OURS, "content-length": "2"})
    assert answer.json() == {"error": "a did not arrive completely; try again."}
    assert (left(jobs), jobs.all()) == ([], [])


@pytest.mark.parametrize("name", ["waiting_bytes", "workspace_bytes", "open_uploads", "jobs_waiting"])
def test_a_server_that_has_enough_says_which_limit_was_met(
    name: str, jobs: Jobs, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE + name.upper(), "0")
    answer = client.put(f"{PATH}?name=a", content=b"x", headers=OURS)
    assert answer.status_code == 507
    assert f"the limit {name} is 0" in answer.json()["error"]
    assert left(jobs) == []


HOSTILE = [
    "../../etc/passwd",
    "..\\..\\x",
    "/abs",
    ".hidden",
    "a\x00b",
    "x" * 300,
    "🎉🎉.jsonl",
    "",
    "job.json",
    "lock",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_never_a_path(name: str, jobs: Jobs, client: TestClient, tmp_path: Path) -> None:
    answer = client.put(PATH, params={"name": name}, content=b"x", headers=OURS)
    assert answer.status_code == 200
    (job,) = jobs.all()
    assert job.name == (name or "dump")
    assert job.dump.read_bytes() == b"x"
    assert job.dump.parent.parent.parent == tmp_path / "incoming"
    assert Job.saved(job.folder) is not None
    path = jobs._workspace.path_for(job.name)
    assert path.parent == tmp_path
    assert path.stem.strip("_.-")


def test_two_uploads_of_one_name_are_two_jobs(jobs: Jobs, client: TestClient) -> None:
    for content in (b"first", b"second"):
        client.put(f"{PATH}?name=traces.jsonl", content=content, headers=OURS)
    assert [job.dump.read_bytes() for job in jobs.all()] == [b"second", b"first"]

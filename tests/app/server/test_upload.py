"""The upload route: streams to disk, and takes nothing from elsewhere."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from overbudget.app.server.upload import HEADER, PATH, upload_route
from overbudget.app.server.workspace import Workspace

OURS = {HEADER: "1"}


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def client(place: Workspace, **limits: int) -> TestClient:
    return TestClient(Starlette(routes=[upload_route(place, **limits)]))


def test_a_dump_arrives_as_it_was_sent(place: Workspace) -> None:
    answer = client(place).put(f"{PATH}?name=a.jsonl", content=b"x" * 100_000, headers=OURS)
    assert answer.status_code == 200
    assert answer.json()["bytes"] == 100_000
    assert (place.incoming / answer.json()["file"]).read_bytes() == b"x" * 100_000


def test_without_the_header_nothing_is_taken(place: Workspace) -> None:
    assert client(place).put(f"{PATH}?name=a", content=b"x").status_code == 403
    assert list(place.incoming.iterdir()) == []


def test_what_is_too_large_is_refused_and_leaves_nothing(place: Workspace) -> None:
    assert client(place, largest=10).put(f"{PATH}?name=a", content=b"x" * 11, headers=OURS).status_code == 413
    unannounced = client(place, largest=10).put(f"{PATH}?name=a", content=iter([b"x" * 6] * 2), headers=OURS)
    assert unannounced.status_code == 413
    assert list(place.incoming.iterdir()) == []


def test_a_full_workspace_says_so(place: Workspace) -> None:
    assert client(place, quota=5).put(f"{PATH}?name=a", content=b"x" * 6, headers=OURS).status_code == 507


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\x", "/abs", ".hidden", "a\x00b", "x" * 400])
def test_a_name_is_never_a_path(place: Workspace, name: str) -> None:
    answer = client(place).put(PATH, params={"name": name}, content=b"x", headers=OURS)
    assert answer.status_code == 200
    stored = place.incoming / answer.json()["file"]
    assert stored.parent == place.incoming
    assert stored.is_file()
    assert len(list(place.folder.rglob("*"))) == 2


def test_abandoned_uploads_are_cleaned_up(place: Workspace) -> None:
    (place.incoming / ".x.part").write_bytes(b"x")
    place.clean_up()
    assert list(place.incoming.iterdir()) == []

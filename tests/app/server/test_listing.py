"""The list of datasets opens each file once, in all servers together."""

import json
import os
from pathlib import Path

import pytest

from overbudget.app.server import listing
from overbudget.app.server.listing import FILE, Listing, Summary
from overbudget.store import versions
from overbudget.store.errors import OverbudgetError


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were opened; a summary has a file's size as its spans."""
    names: list[str] = []

    def summarise(path: Path) -> Summary:
        names.append(path.name)
        if path.read_text() == "broken":
            raise OverbudgetError("broken")
        return Summary(path.stat().st_size, 2, 1)

    monkeypatch.setattr(listing, "summarise", summarise)
    return names


def test_a_dataset_is_opened_once_also_by_the_next_server(tmp_path: Path, opened: list[str]) -> None:
    path = tmp_path / "a.duckdb"
    path.write_text("one")
    first = Listing(tmp_path)
    assert first.summary(path) == first.summary(path) == Listing(tmp_path).summary(path) == Summary(3, 2, 1)
    assert opened == ["a.duckdb"]


@pytest.mark.parametrize("what", ["size", "time", "file"])
def test_a_dataset_that_is_another_one_now_is_opened_again(what: str, tmp_path: Path, opened: list[str]) -> None:
    path, known = tmp_path / "a.duckdb", Listing(tmp_path)
    path.write_text("one")
    known.summary(path)
    before = path.stat()
    if what == "size":
        path.write_text("longer")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif what == "time":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    else:
        (tmp_path / "new").write_text("two")
        os.utime(tmp_path / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
        (tmp_path / "new").replace(path)
    known.summary(path)
    assert opened == ["a.duckdb"] * 2


def test_another_version_of_the_program_opens_them_again(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.duckdb"
    path.write_text("one")
    Listing(tmp_path).summary(path)
    monkeypatch.setattr(versions, "READ", "another")
    Listing(tmp_path).summary(path)
    assert opened == ["a.duckdb"] * 2


def test_what_cannot_be_read_is_an_error_each_time_and_hides_no_other(tmp_path: Path, opened: list[str]) -> None:
    (tmp_path / "a.duckdb").write_text("broken")
    (tmp_path / "b.duckdb").write_text("whole")
    known = Listing(tmp_path)
    known.fill()
    with pytest.raises(OverbudgetError, match="broken"):
        known.summary(tmp_path / "a.duckdb")
    with pytest.raises(OverbudgetError, match="cannot be read"):
        known.summary(tmp_path / "gone.duckdb")
    assert known.summary(tmp_path / "b.duckdb").spans == 5
    assert opened.count("b.duckdb") == 1


def test_datasets_that_are_gone_are_forgotten(tmp_path: Path, opened: list[str]) -> None:
    known = Listing(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.duckdb").write_text(name)
        known.summary(tmp_path / f"{name}.duckdb")
        (tmp_path / "a.duckdb").unlink(missing_ok=True)
    assert list(json.loads((tmp_path / FILE).read_text())["datasets"]) == ["b.duckdb"]


@pytest.mark.parametrize("kept", ["", "{", "[]", "null", '{"a.duckdb": 1}', '{"a.duckdb": [1, 2]}', '{"a.duckdb": ["x", 2, 3, 4, 5, 6]}', "[" * 100_000])  # fmt: skip
def test_a_damaged_list_is_made_anew(kept: str, tmp_path: Path, opened: list[str]) -> None:
    (tmp_path / FILE).write_text(kept)
    (tmp_path / "a.duckdb").write_text("one")
    assert Listing(tmp_path).summary(tmp_path / "a.duckdb").spans == 3
    assert opened == ["a.duckdb"]


def test_where_the_list_cannot_be_kept_datasets_are_still_listed(tmp_path: Path, opened: list[str]) -> None:
    (tmp_path / FILE).mkdir()
    (tmp_path / "a.duckdb").write_text("one")
    known = Listing(tmp_path)
    assert known.summary(tmp_path / "a.duckdb") == known.summary(tmp_path / "a.duckdb")
    assert opened == ["a.duckdb"]

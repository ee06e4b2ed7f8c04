"""Every dataset begins as a copy of an empty one, which is laid out once on a machine."""

from pathlib import Path

import pytest

from overbudget.store import empty, versions
from overbudget.store.dataset import build, open_dataset


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVERBUDGET_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An entry for each time that relations are created."""
    times: list[int] = []
    really = empty.lay_out
    monkeypatch.setattr(empty, "lay_out", lambda connection: (times.append(1), really(connection))[1])
    return times


def made(path: Path) -> None:
    """A dataset at `path`, which opens: all its relations are there, with their comments."""
    with build(path):
        pass
    open_dataset(path).close()


def test_the_second_dataset_is_a_copy(tmp_path: Path, cache: Path, laid_out: list[int]) -> None:
    for name in "abc":
        made(tmp_path / f"{name}.duckdb")
    assert len(laid_out) == 1
    assert [file.name[:6] for file in cache.iterdir()] == ["empty-"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "empty"])
def test_one_that_is_not_whole_is_made_anew(damage: str, tmp_path: Path, cache: Path, laid_out: list[int]) -> None:
    made(tmp_path / "a.duckdb")
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    if damage == "gone":
        kept.unlink()
    else:
        spoilt = {"cut": whole[: len(whole) // 2], "flipped": whole[:9000] + b"\xff" + whole[9001:], "empty": b""}
        kept.write_bytes(spoilt[damage])
    made(tmp_path / "b.duckdb")
    made(tmp_path / "c.duckdb")
    assert len(laid_out) == 2
    assert empty._kept(kept) is not None


def test_another_version_lays_out_its_own_and_keeps_no_older_one(
    tmp_path: Path, cache: Path, laid_out: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "a.duckdb")
    (older,) = cache.iterdir()
    monkeypatch.setattr(versions, "PROGRAM", "another")
    empty._key.cache_clear()
    try:
        made(tmp_path / "b.duckdb")
    finally:
        empty._key.cache_clear()
    assert len(laid_out) == 2
    assert [file.name for file in cache.iterdir()] != [older.name]
    assert len(list(cache.iterdir())) == 1


def test_without_a_cache_each_is_laid_out(tmp_path: Path, cache: Path, laid_out: list[int]) -> None:
    cache.write_text("no folder")
    made(tmp_path / "a.duckdb")
    made(tmp_path / "b.duckdb")
    assert len(laid_out) == 2

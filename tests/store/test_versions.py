"""A dataset says which versions made it, and one of other versions is refused by a sentence that says what to type."""

import gzip
import tomllib
from pathlib import Path

import duckdb
import pytest

from overbudget.store import versions
from overbudget.store.dataset import build, is_readable, open_dataset
from overbudget.store.errors import OverbudgetError

HERE = Path(__file__).parent
RELEASED = sorted((HERE / "datasets").glob("format-*.duckdb.gz"))


def made(path: Path, *, form: int = versions.FORMAT, method: int = versions.METHOD) -> Path:
    with build(path) as connection:
        connection.execute(
            "UPDATE data.about SET format_version = ?, method_version = ?, made_by = '9.9'", [form, method]
        )
    return path


def test_a_dataset_carries_the_versions_it_was_made_with(tmp_path: Path) -> None:
    with build(tmp_path / "d.duckdb"):
        pass
    about = open_dataset(tmp_path / "d.duckdb").execute("FROM data.about").fetchall()
    assert about == [(versions.FORMAT, versions.METHOD, versions.PROGRAM)]


@pytest.mark.parametrize(
    ("form", "method", "said"),
    [
        (versions.FORMAT - 1, versions.METHOD, "whose tables"),
        (versions.FORMAT, versions.METHOD - 1, "whose definitions"),
        (versions.FORMAT + 1, versions.METHOD, "newer than this one"),
        (versions.FORMAT, versions.METHOD + 1, "newer than this one"),
        (versions.FORMAT + 1, versions.METHOD - 1, "newer than this one"),
    ],
)
def test_another_version_is_refused_with_what_to_type(tmp_path: Path, form: int, method: int, said: str) -> None:
    path = made(tmp_path / "d.duckdb", form=form, method=method)
    with pytest.raises(OverbudgetError, match=said) as refused:
        open_dataset(path)
    assert f"overbudget ingest DUMP --to {path}" in str(refused.value)
    assert "overbudget 9.9" in str(refused.value)
    with duckdb.connect(str(path)):  # nothing holds the file
        pass


def test_there_is_a_kept_dataset_of_every_released_format() -> None:
    kept = {int(path.name.split("-")[1].split(".")[0]) for path in RELEASED}
    assert set(range(1, versions.FORMAT)) <= kept


@pytest.mark.parametrize("kept", RELEASED, ids=lambda path: path.name)
def test_a_dataset_of_a_released_format_is_read_or_refused_by_a_sentence(kept: Path, tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    path.write_bytes(gzip.decompress(kept.read_bytes()))
    if kept.name == f"format-{versions.FORMAT}.duckdb.gz":
        assert open_dataset(path).execute("SELECT count(*) FROM requests").fetchall() == [(1,)]
        return
    with pytest.raises(OverbudgetError, match=r"Make it again with: overbudget ingest DUMP --to "):
        open_dataset(path)


def test_the_version_of_the_program_is_that_of_its_distribution() -> None:
    project = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == versions.PROGRAM


def test_what_can_be_read_is_told_from_what_cannot(tmp_path: Path) -> None:
    assert is_readable(made(tmp_path / "now.duckdb"))
    assert not is_readable(made(tmp_path / "older.duckdb", form=versions.FORMAT - 1))
    assert not is_readable(tmp_path / "gone.duckdb")

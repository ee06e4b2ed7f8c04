"""Names of datasets: a file that somebody put into the workspace is shown, renamed and deleted by the name that it has."""

from pathlib import Path

import pytest

from overbudget.app.server.workspace import Workspace
from overbudget.store.errors import OverbudgetError

ODD = ("my traces", "grüße 🚀", "a" * 120, "50% (new)", "it's", "tab\there")


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """Beside each odd name stands the dataset that its plain spelling would name."""
    place = Workspace(tmp_path)
    for name in ODD:
        for one in (name, place.path_for(name).stem):
            (tmp_path / f"{one}.duckdb").write_text(one)
            (tmp_path / f"{one}.budget.toml").write_text(f'[budget]\np95 = "{len(one)}ms"')
    return place


@pytest.mark.parametrize("name", ODD)
def test_a_dataset_is_found_with_its_budget_by_its_own_name(place: Workspace, name: str) -> None:
    assert name in place.names()
    assert place.path(name).read_text() == name
    assert f"{len(name)}ms" in place.budget(name)


@pytest.mark.parametrize("name", ODD)
def test_deleting_it_deletes_no_other(place: Workspace, name: str) -> None:
    before = set(place.folder.iterdir())
    place.delete(name)
    gone = {one.name for one in before - set(place.folder.iterdir())}
    assert gone == {f"{name}.duckdb", f"{name}.budget.toml"}


@pytest.mark.parametrize("name", ODD)
def test_renaming_it_moves_it_and_its_budget(place: Workspace, name: str) -> None:
    assert place.rename(name, "another") == "another"
    assert place.path("another").read_text() == name
    assert f"{len(name)}ms" in place.budget("another")
    assert name not in place.names()


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", ".hidden", "..", "", "a/b", "null\0byte", "x" * 5000])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.duckdb").touch()
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / ".hidden.duckdb").touch()
    with pytest.raises(OverbudgetError, match="There is no dataset"):
        Workspace(tmp_path / "workspace").path(name)

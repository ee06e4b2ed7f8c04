"""A dataset that is damaged, foreign or older costs itself alone: it is listed as such, can be deleted, and is no traceback."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from overbudget.app.cli import app, main
from overbudget.app.commands.own_process import Watching
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from tests.app.test_pages import html, page


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    """Every block after the headers but those that are read when the file is opened."""
    with duckdb.connect(str(path), read_only=True) as connection:
        blocks = connection.execute("SELECT DISTINCT block_id FROM pragma_storage_info('ingest_report')").fetchall()
    content = bytearray(path.read_bytes())
    for (block,) in blocks:
        if block >= 0:
            content[12_288 + block * 262_144 + 5_000] ^= 255
    path.write_bytes(content)


def text(path: Path) -> None:
    path.write_text("no dataset at all")


def foreign(path: Path) -> None:
    path.unlink()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE customers (name VARCHAR)")


def older(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("ALTER TABLE operations DROP COLUMN weak")


DAMAGES = [cut, flipped, text, foreign, older]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "d.duckdb"
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], path)
    return path.read_bytes()


@pytest.fixture
def workspace(whole: bytes, tmp_path: Path) -> Path:
    """A good dataset, and after it in time one of each damage."""
    (tmp_path / "sample-healthy.duckdb").write_bytes(whole)
    for damage in DAMAGES:
        path = tmp_path / f"{damage.__name__}.duckdb"
        path.write_bytes(whole)
        damage(path)
    return tmp_path


def test_the_default_page_shows_a_dataset_that_can_be_read(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "flipped.duckdb").unlink()  # opens: that it is damaged shows when it is read
    shown = page(workspace, monkeypatch)
    assert not shown.exception
    assert not shown.error
    assert shown.query_params["dataset"] in ("sample-healthy", ["sample-healthy"])


def test_the_datasets_page_lists_each_with_what_to_do_and_deletes_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = page(workspace, monkeypatch, "datasets")
    assert not shown.exception
    said = " ".join(error.value.replace("\\", "") for error in shown.error)
    assert said.count("overbudget ingest DUMP --to") == 3  # cut, flipped, older
    assert "cut.duckdb is cut off:" in said
    assert "text.duckdb cannot be opened" in said
    assert "foreign.duckdb is a DuckDB file but not a dataset" in said
    assert str(workspace) not in said
    for damage in DAMAGES:
        shown.checkbox(f"sure {damage.__name__}").check().run()
        shown.button(f"delete {damage.__name__}").click().run()
    assert not shown.exception
    assert not shown.error
    assert [path.stem for path in workspace.glob("*.duckdb")] == ["sample-healthy"]
    assert "spans in" in html(shown)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_page_of_a_damaged_dataset_says_so(
    damage: Callable[[Path], None], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(name: str | None) -> AppTest:
        return page(workspace, monkeypatch, name, dataset=damage.__name__)

    for shown in (opened(None), opened("health"), opened("sql")) if damage is not flipped else (opened("health"),):
        assert not shown.exception
        assert len(shown.error) == 1


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", ["review", "audit", "export"])
def test_a_command_says_so_in_a_sentence(
    command: str,
    damage: Callable[[Path], None],
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [command, str(workspace / f"{damage.__name__}.duckdb")]
    if command == "export":
        arguments += ["--parquet", str(workspace / "out")]
    if CliRunner().invoke(app, arguments).exit_code == 0:
        assert damage is flipped  # and what is damaged was not read
        return
    monkeypatch.setattr("sys.argv", ["overbudget", *arguments])
    monkeypatch.setattr("os._exit", lambda status: None)
    monkeypatch.setattr(Watching, "allowed", False)  # main sets it: no test may fork
    main()
    said = capsys.readouterr().err
    assert "bug" not in said
    assert said.count("\n") == 1
    assert said.endswith(("FILE\n", "duckdb\n", ".\n", "file\n", "blocks!\n", "file!\n")), said

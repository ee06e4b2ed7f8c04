"""A dataset that is damaged, foreign or older costs itself alone: it is listed as such, can be deleted, and is no traceback."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import scipy

from overbudget.app.cli import main
from overbudget.app.commands.own_process import Watching
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from tests.app.test_pages import PAGES, html, page


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


def altered(name: str, *statements: str) -> Callable[[Path], None]:
    """Somebody's dataset with more in it than we write."""

    def alter(path: Path) -> None:
        with duckdb.connect(str(path)) as connection:
            for statement in statements:
                connection.execute(statement)

    alter.__name__ = name
    return alter


DAMAGES = [cut, flipped, text, foreign, older]
STRANGERS = [
    altered("reading", "CREATE OR REPLACE VIEW spans AS SELECT * FROM read_text('/etc/passwd')"),
    altered("endless", "CREATE OR REPLACE VIEW spans AS FROM range(1000000000000) a, range(1000000000000) b"),
    altered("mistyped", "ALTER TABLE ingest_report ALTER bytes TYPE VARCHAR"),
    altered("macro", "CREATE MACRO max(a) AS (SELECT count(*) FROM range(1000000000000))"),
    altered("trigger", "CREATE TRIGGER t AFTER INSERT ON operations FOR EACH STATEMENT INSERT INTO ingest_report FROM ingest_report"),
    altered("comment", f"COMMENT ON TABLE requests IS '{'x' * 50_000_000}'"),
]  # fmt: skip
KINDS = [*DAMAGES, *STRANGERS]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "d.duckdb"
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def shelf(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good dataset, and after it in time one of each kind. No test changes it."""
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "sample-healthy.duckdb").write_bytes(whole)
    for kind in KINDS:
        path = folder / f"{kind.__name__}.duckdb"
        path.write_bytes(whole)
        kind(path)
    return folder


@pytest.fixture
def workspace(shelf: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    for path in shelf.glob("*.duckdb"):
        shutil.copy2(path, tmp_path)
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
    assert said.count("overbudget ingest DUMP --to") == 6  # cut, flipped, older, reading, endless, mistyped
    assert said.count("Do not trust this file") == 3  # macro, trigger, comment
    assert "cut.duckdb is cut off:" in said
    assert "text.duckdb cannot be opened" in said
    assert "foreign.duckdb is a DuckDB file but not a dataset" in said
    assert str(workspace) not in said
    for kind in KINDS:
        shown.checkbox(f"sure {kind.__name__}").check().run()
        shown.button(f"delete {kind.__name__}").click().run()
    assert not shown.exception
    assert not shown.error
    assert [path.stem for path in workspace.glob("*.duckdb")] == ["sample-healthy"]
    assert "spans in" in html(shown)


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_of_such_a_dataset_says_so_or_shows_what_can_be_read(
    kind: Callable[[Path], None], shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = page(shelf, monkeypatch, dataset=kind.__name__)
    for name in PAGES:
        shown.switch_page(f"views/{name}.py")
        shown.query_params["dataset"] = kind.__name__
        shown.run()
        assert not shown.exception, name
        if name != "datasets" and kind is not flipped:  # which opens, and is damaged where it is not read
            assert len(shown.error) == 1, name


COMMANDS = {
    "review": [], "check": ["--budget", "BUDGET"], "tail": [], "whatif": [], "advise": [], "load": [], "consistency": [], "audit": [],
    "allocate": ["--total", "p95=2s"], "compare": ["GOOD"], "trace": ["00"], "sql": ["SELECT count(*), max(attributes) FROM spans"],
    "export": ["--parquet", "OUT"],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_so_in_a_sentence_or_answers(
    command: str,
    kind: Callable[[Path], None],
    shelf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    budget, good, out = tmp_path / "budget.toml", shelf / "sample-healthy.duckdb", tmp_path / "out"
    budget.write_text('[budget]\np95 = "2s"\n')
    meant = {"BUDGET": budget, "GOOD": good, "OUT": out}
    path = shelf / f"{kind.__name__}.duckdb"
    before = path.read_bytes()
    options = [str(meant.get(option, option)) for option in COMMANDS[command]]
    statuses: list[int] = []
    monkeypatch.setattr("sys.argv", ["overbudget", command, str(path), *options])
    monkeypatch.setattr("os._exit", statuses.append)
    monkeypatch.setattr(Watching, "allowed", False)  # what the command changes of its process is changed back:
    monkeypatch.setitem(sys.modules, "scipy", scipy)  # tests after this one must not fork, and have scipy
    main()
    said = capsys.readouterr().err
    if kind is flipped and statuses == [0]:  # what is damaged was not read
        return
    assert statuses == [2]
    assert "bug" not in said
    assert said.count("\n") == 1
    assert said.endswith(("FILE\n", "duckdb\n", ".\n", "file\n", "blocks!\n", "file!\n")), said
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", [cut, older, *STRANGERS])
def test_nothing_is_appended_to_such_a_dataset(kind: Callable[[Path], None], workspace: Path) -> None:
    path = workspace / f"{kind.__name__}.duckdb"
    before = path.read_bytes()
    dump = SAMPLES / "healthy.otlp.jsonl.gz"
    append = [sys.executable, "-m", "overbudget.app.cli", "ingest", dump, "--append", "--to", path]
    done = subprocess.run(append, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "bug" not in done.stderr
    assert path.read_bytes() == before

"""A query on the SQL page costs its asker alone: it has limits, ends when told or left, and two are answered at once."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from overbudget.app.server.questions import queries as module
from overbudget.app.server.questions.process import REFUSED
from overbudget.app.server.questions.queries import CANCELLED, LEFT, Queries, Query
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.errors import OverbudgetError

ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range % 7 = b.range % 11"
SOON_S = 60.0  # for a machine that has much to do


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("queries") / "d.duckdb"
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], path)
    return path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """The processes that a test starts; none is left behind."""
    found: list[subprocess.Popen[bytes]] = []
    real = module._process

    def process() -> "subprocess.Popen[bytes]":
        found.append(real())
        return found[-1]

    monkeypatch.setattr(module, "_process", process)
    yield found
    for one in found:
        one.kill()
        one.wait()


def ended(query: Query) -> Query:
    assert query.look(SOON_S)
    return query


@pytest.mark.usefixtures("started")
def test_a_query_is_answered(dataset: Path) -> None:
    query = ended(Queries().ask(dataset, "SELECT count(*) AS n, 'a' AS n FROM requests"))
    assert query.error == ""
    assert query.table is not None
    assert query.table.to_pylist() == [{"n": 420, "n (2)": "a"}]


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY requests TO '/tmp/overbudget-escape.csv'",
        "ATTACH '/tmp/overbudget-escape.duckdb'",
        "SET memory_limit = '9GB'",
        "SELECT 1; SELECT 2",
    ],
)
def test_its_process_is_as_closed_as_a_command(query: str, dataset: Path) -> None:
    refusals = ("The query failed", "Write exactly one", "Only questions can be asked")
    assert ended(Queries().ask(dataset, query)).error.startswith(refusals)


@pytest.mark.usefixtures("started")
def test_a_dataset_that_is_gone_is_said(tmp_path: Path) -> None:
    assert ended(Queries().ask(tmp_path / "d.duckdb", "SELECT 1")).error.startswith("There is no dataset")


@pytest.mark.parametrize(("name", "value", "said"), [("TIME", "0", "took too long"), ("MEMORY", "1MB", "of memory")])
def test_what_takes_too_much_is_stopped_and_the_limit_named(
    name: str,
    value: str,
    said: str,
    dataset: Path,
    started: "list[subprocess.Popen[bytes]]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"OVERBUDGET_LIMIT_QUERY_{name}", value)
    query = ended(Queries().ask(dataset, ENDLESS))
    assert said in query.error
    assert f"--limit query_{name.lower()}=VALUE" in query.error
    assert started[0].wait(SOON_S) == -9


@pytest.mark.usefixtures("started")
def test_what_spills_too_much_fails_and_leaves_nothing_on_disk(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERBUDGET_LIMIT_QUERY_SPILL", "1MB")
    monkeypatch.setenv("OVERBUDGET_LIMIT_QUERY_MEMORY", "400MB")
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    heavy = (
        "SELECT a FROM (SELECT md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS a FROM range(8000000)) ORDER BY a"
    )
    query = ended(Queries().ask(dataset, heavy))
    assert "Out of Memory Error" in query.error
    assert query.error.endswith("Ask for fewer rows or columns, or aggregate before you sort.")
    assert list(tmp_path.iterdir()) == []
    assert not dataset.with_name("d.duckdb.tmp").exists()


def test_who_cancels_and_who_leaves_ends_the_process(
    dataset: Path, started: "list[subprocess.Popen[bytes]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    query = Queries().ask(dataset, ENDLESS)
    assert not query.look()
    query.cancel()
    assert ended(query).error == CANCELLED
    assert started[0].wait(SOON_S) == -9
    monkeypatch.setattr(module, "PATIENCE_S", -1.0)  # as if nobody had looked for longer than that
    assert ended(Queries().ask(dataset, ENDLESS)).error == LEFT


@pytest.mark.usefixtures("started")
def test_two_are_answered_at_once_and_others_wait_in_order(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERBUDGET_LIMIT_QUERIES_WAITING", "2")
    queries = Queries()
    first, second, third, fourth = (queries.ask(dataset, ENDLESS) for _ in range(4))
    assert [queries.before(one) for one in (first, second, third, fourth)] == [None, None, 2, 3]
    with pytest.raises(OverbudgetError, match="limit queries_waiting is 2"):
        queries.ask(dataset, ENDLESS)
    second.cancel()
    ended(second)
    assert [queries.before(one) for one in (third, fourth)] == [None, 2]
    fourth.cancel()  # before it began
    assert queries.before(fourth) is None
    assert ended(fourth).error == CANCELLED
    for one in (first, third):
        one.cancel()
        ended(one)
    last = ended(queries.ask(dataset, "SELECT 1"))
    assert last.table is not None


def test_a_process_ends_with_the_server_before_and_while_it_answers(dataset: Path, tmp_path: Path) -> None:
    waiting, busy = module._process(), module._process()
    assert busy.stdin is not None
    busy.stdin.write(module._question(Query(dataset, ENDLESS), str(tmp_path)))
    busy.stdin.flush()
    for process, status in ((waiting, 0), (busy, 1)):
        process.communicate(timeout=SOON_S)  # closes its input, as the end of the server does
        assert process.returncode == status


def test_a_process_that_is_killed_is_said_and_the_next_query_is_answered(
    dataset: Path, started: "list[subprocess.Popen[bytes]]"
) -> None:
    queries = Queries()
    queries.prepare()
    started[0].kill()
    started[0].wait()
    assert ended(queries.ask(dataset, "SELECT 1")).table is not None
    query = queries.ask(dataset, ENDLESS)
    while not (running := [one for one in started if one.poll() is None]):
        pass
    for one in running:
        one.kill()
    assert "ended early" in ended(query).error
    assert REFUSED not in (0, -9)

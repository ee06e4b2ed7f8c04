"""What a call's callee does decides the stage of the hop once, over a whole dataset, however it is cut and stored."""

from pathlib import Path

import duckdb
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.read import read_requests
from overbudget.ingest.derive import parts
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.span_dump import MS, Span, dataset

HTTP = {"http.request.method": "POST"}
RETRIEVER = {"openinference.span.kind": "RETRIEVER"}


def asked(find_ms: float, called: bool = True) -> list[Span]:
    """
    ask        [====================]    100 ms
      POST     ..[===============]       from 10 to 90 ms
        serve  .......[=========]        from 40 to 90 ms, in `retriever`
          find .......[###]              from 40 ms on, for `find_ms`
    """
    spans = [Span("ask", 0, 100), Span("POST", 10, 90, "ask", kind="client", attributes=HTTP)]
    if called:
        spans.append(Span("serve", 40, 90, "POST", "retriever", "server", attributes=HTTP))
        spans.append(Span("find", 40, 40 + find_ms, "serve", "retriever", attributes=RETRIEVER))
    return spans


def hops(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, float]]:
    """(stage, ms) of the hop of each request in order of arrival; stage times agree with the segments."""
    rows = connection.execute(
        """SELECT st.stage, sum(g.end_ns - g.start_ns) / 1e6 FROM data.segments g JOIN data.stages st USING (stage_id)
           WHERE g.hop_to_id >= 0 GROUP BY g.request_no, st.stage ORDER BY g.request_no"""
    ).fetchall()
    apart = connection.execute(
        """SELECT count(*) FROM data.stage_time t FULL JOIN
              (SELECT request_no, stage_id, sum(end_ns - start_ns) AS ns FROM data.segments GROUP BY ALL) g
              USING (request_no, stage_id) WHERE coalesce(t.stage_ns, 0) <> coalesce(g.ns, 0)"""
    ).fetchone()
    assert apart == (0,)
    return rows


def test_requests_of_all_parts_decide_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = [asked(10), asked(50), asked(50), asked(50)]  # 160 of 200 ms; the first alone has a fifth
    assert hops(dataset(tmp_path / "one.duckdb", traces)) == [("retrieval", 30)] * 4
    monkeypatch.setattr(parts, "SPANS_PER_PARTITION", 4)
    assert hops(dataset(tmp_path / "many.duckdb", traces)) == [("retrieval", 30)] * 4
    assert hops(dataset(tmp_path / "reversed.duckdb", traces[::-1])) == [("retrieval", 30)] * 4


def test_appended_requests_decide_with_those_that_were_there(tmp_path: Path) -> None:
    assert hops(dataset(tmp_path / "first.duckdb", [asked(20)])) == [("unattributed", 30)]
    dataset(tmp_path / "all.duckdb", [asked(20), asked(50)]).close()
    ingest([tmp_path / "all.jsonl"], tmp_path / "first.duckdb", append=True)  # the first request is there already
    assert hops(open_dataset(tmp_path / "first.duckdb")) == [("retrieval", 30)] * 2


def test_the_pages_and_relations_have_one_answer(tmp_path: Path) -> None:
    connection = dataset(tmp_path / "d.duckdb", [asked(50)])
    stage_ns = dict(connection.execute("SELECT stage, stage_ns FROM stage_time").fetchall())
    assert stage_ns == {"retrieval": 80 * MS, "unattributed": 20 * MS}
    path = connection.execute("SELECT stage FROM critical_path WHERE hop_to IS NOT NULL").fetchall()
    assert path == [("retrieval",)]
    requests = read_requests(connection)
    assert requests.stage_ns[0, requests.stages.index("retrieval")] == 80 * MS


def test_a_budgets_own_rules_decide_anew(tmp_path: Path) -> None:
    connection = dataset(tmp_path / "d.duckdb", [asked(50)])
    rules = {
        'match = [{ name = "find" }]\n': "lookup",
        'match = [{ name = "POST" }]\n': "lookup",
    }
    for rule, stage in rules.items():
        table = read_requests(connection, parse_budget(f"[stages.lookup]\n{rule}"))
        assert table.path is not None
        hop = table.path.hop >= 0
        assert {table.stages[code] for code in table.path.stage[hop]} == {stage}
        assert table.stage_ns.sum() == 100 * MS

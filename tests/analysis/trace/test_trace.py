"""A trace tells what ran while the request passed."""

import json
from pathlib import Path

from overbudget.analysis.trace.trace import load_trace
from overbudget.app.text.waterfall import waterfall
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.analysis.health.test_audit import span


def test_what_ran_past_the_requests_end_is_told_and_owns_nothing(tmp_path: Path) -> None:
    spans = [span(1, None, 0, 100, name="GET /"), span(2, 1, 10, 40, name="work"), span(3, 1, 20, 300, name="write")]
    for one in spans:
        one.pop("service")
    (tmp_path / "dump.json").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    ingest([tmp_path / "dump.json"], tmp_path / "d.duckdb")
    connection = open_dataset(tmp_path / "d.duckdb")
    trace = load_trace(connection, f"{1:032x}")
    path = [(s.span_id[-1], (s.end_ns - s.start_ns) // 10**6, s.awaited) for s in trace.requests[0].critical_path]
    assert path == [("1", 10, True), ("2", 30, True), ("1", 60, False)]
    assert trace.meanwhile_ns == {f"{3:016x}": 60_000_000}
    assert trace.as_dict()["requests"][0]["critical_path"][2]["while_running"] == f"{3:016x}"
    assert "(60 ms of the request passed while it ran)" in waterfall(trace)
    rows = connection.execute("SELECT awaited, while_running FROM critical_path ORDER BY start_ns").fetchall()
    assert rows == [(True, None), (True, None), (False, f"{3:016x}")]

"""A trace tells what ran while the request passed."""

import json
from pathlib import Path

import pytest

from overbudget.analysis.trace.trace import find_trace_id, load_trace, retried
from overbudget.app.text.waterfall import waterfall
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.analysis.health.test_audit import span
from tests.dataset_builder import DatasetBuilder, Work
from tests.span_dump import FIRST_START_NS, MS, Span, dataset


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


def test_spans_are_rows_parents_before_children_and_siblings_by_start(tmp_path: Path) -> None:
    connection = dataset(
        tmp_path / "d.duckdb",
        [
            [
                Span("chat", 40, 90, "POST /", failed=True),
                Span("POST /", 0, 100, kind="server"),
                Span("search", 5, 20, "retrieve", service="db", attributes={"k": "5"}),
                Span("log", 50, 60, "POST /"),
                Span("retrieve", 0, 30, "POST /"),
                Span("gone", 94, 99, lost=True),
                Span("left over", 95, 98, "gone"),
                Span("endless", 91, None, "POST /"),
            ]
        ],
    )
    trace = load_trace(connection, "00000000000000000000000000000001")
    spans = {row.name: row for row in trace.spans}
    assert [(row.name, row.parent, row.depth, row.orphan) for row in trace.spans] == [
        ("POST /", -1, 0, False),
        ("retrieve", 0, 1, False),
        ("search", 1, 2, False),
        ("chat", 0, 1, False),
        ("log", 0, 1, False),
        ("endless", 0, 1, False),
        ("left over", -1, 0, True),
    ]
    assert {name: row.critical_ns // MS for name, row in spans.items()} == {
        "POST /": 20, "retrieve": 15, "search": 15, "chat": 50, "log": 0, "endless": 0, "left over": 0,
    }  # fmt: skip
    assert (trace.start_ns, trace.end_ns) == (FIRST_START_NS, FIRST_START_NS + 100 * MS)
    assert ((spans["search"].service_name, spans["search"].attributes), spans["chat"].status_code) == (
        ("db", {"k": "5"}), "ERROR"
    )  # fmt: skip
    assert [name for name, row in spans.items() if not row.ended] == ["endless"]
    assert {row.first_token_ns for row in trace.spans} == {-1}


def test_a_call_that_repeats_a_failed_one_is_a_retry(tmp_path: Path) -> None:
    connection = dataset(
        tmp_path / "d.duckdb",
        [
            [
                Span("POST /", 0, 100, kind="server"),
                Span("chat", 10, 40, "POST /", key="first", failed=True),
                Span("chat", 45, 90, "POST /", key="second"),
                Span("other", 91, 95, "POST /"),
            ]
        ],
    )
    trace = load_trace(connection, "1".rjust(32, "0"))
    assert retried(trace) == {"0000000100000003"}


def test_the_beginning_of_an_id_is_enough_where_only_one_begins_so(tmp_path: Path) -> None:
    connection = dataset(tmp_path / "d.duckdb", [[Span("GET /", 0, 10, kind="server")]] * 20)
    zeros = "0" * 31
    assert find_trace_id(connection, f" 0x{zeros}F ") == f"{zeros}f"
    assert find_trace_id(connection, f"{zeros[:8]}-{zeros[:4]}-{zeros[:4]}-{zeros[:4]}-{zeros[:11]}2") == f"{zeros}2"
    with pytest.raises(OverbudgetError, match=f"begin with '{zeros}': {zeros}1, {zeros}2, {zeros}3, …"):
        find_trace_id(connection, zeros)
    for wanted in ("fe", "", "-"):
        with pytest.raises(OverbudgetError, match=f"There is no trace '{wanted}'"):
            find_trace_id(connection, wanted)


def test_a_request_tells_its_first_token_and_its_parts(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    call = {"first_token_ns": 30 * MS, "writing_ns": 70 * MS}
    builder.request(Work("tools", 5 * MS), Work("inference", 100 * MS, "chat", call=call), ttft_ns=35 * MS)
    trace = load_trace(open_dataset(builder.write(tmp_path / "d.duckdb")), f"{1:032x}")
    said = trace.as_dict()["requests"][0]
    assert said["first_token_ns"] == 35 * MS
    assert said["parts"] == [
        {"stage": "inference.first_token", "part_of": "inference", "part_ns": 30 * MS},
        {"stage": "inference.writing", "part_of": "inference", "part_ns": 70 * MS},
    ]
    text = waterfall(trace)
    assert "first token after 35 ms, 30 ms waiting for the first token in inference, 70 ms writing in inference" in text

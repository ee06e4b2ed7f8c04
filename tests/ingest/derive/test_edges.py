"""What becomes a request, a service and a warning where a dump is not as it should be."""

import json
from pathlib import Path

import duckdb
import pytest

from overbudget.analysis.health.audit import audit
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.span_dump import Span, dataset


def warned(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    rows = connection.execute(
        "SELECT w.code, w.count FROM (SELECT unnest(warnings) AS w FROM ingest_report)"
    ).fetchall()
    return dict(rows)


def test_a_server_whose_caller_is_not_in_the_dump_is_a_request_and_no_orphan(tmp_path: Path) -> None:
    gateway = Span("gateway", 0, 100, lost=True)
    server = Span("POST /chat", 10, 90, "gateway", kind="server")
    connection = dataset(tmp_path / "d.duckdb", [[gateway, server, Span("search", 20, 40, "POST /chat")]])
    assert connection.execute("SELECT route, complete, entry FROM requests").fetchall() == [
        ("POST /chat", True, "whole")
    ]
    assert "orphan_span" not in warned(connection)
    assert "orphan_span" not in {problem.code for problem in audit(connection).problems}


def test_a_span_below_a_request_whose_parent_is_lost_is_an_orphan(tmp_path: Path) -> None:
    spans = [Span("POST /chat", 0, 100), Span("step", 5, 90, "POST /chat", lost=True), Span("query", 10, 20, "step")]
    connection = dataset(tmp_path / "d.duckdb", [spans])
    assert connection.execute("SELECT complete, span_count FROM requests").fetchall() == [(False, 1)]
    assert warned(connection)["orphan_span"] == 1


def test_without_any_root_or_server_the_missing_parent_is_an_incomplete_request(tmp_path: Path) -> None:
    spans = [Span("root", 0, 100, lost=True), Span("a", 10, 30, "root"), Span("b", 40, 80, "root")]
    connection = dataset(tmp_path / "d.duckdb", [spans])
    rows = connection.execute("SELECT route, duration_ns, complete, entry FROM requests").fetchall()
    assert rows == [("(missing) a", 70_000_000, False, "missing")]


def test_an_entry_without_an_end_is_open_and_lasts_as_long_as_what_it_did(tmp_path: Path) -> None:
    connection = dataset(tmp_path / "d.duckdb", [[Span("POST /chat", 0, None), Span("step", 10, 60, "POST /chat")]])
    rows = connection.execute("SELECT entry, complete, duration_ns FROM requests").fetchall()
    assert rows == [("open", False, 60_000_000)]
    assert warned(connection)["no_end"] == 1


def test_in_a_trace_with_a_root_a_server_without_its_caller_is_part_of_no_request(tmp_path: Path) -> None:
    spans = [
        Span("POST /chat", 0, 100),
        Span("call", 5, 60, "POST /chat", lost=True),
        Span("serve", 10, 50, "call", "db", "server"),
    ]
    connection = dataset(tmp_path / "d.duckdb", [spans])
    assert connection.execute("SELECT route FROM requests").fetchall() == [("POST /chat",)]


@pytest.mark.parametrize("kind", ["server", "consumer"])
def test_a_database_span_of_the_database_itself_is_no_client_call(tmp_path: Path, kind: str) -> None:
    attributes = {"db.system.name": "postgresql"}
    spans = [
        Span("job", 0, 100),
        Span("execute", 10, 50, "job", "db", kind, attributes=attributes),
        Span("call", 60, 80, "job", kind="client", attributes=attributes),
    ]
    connection = dataset(tmp_path / "d.duckdb", [spans])
    stages = dict(connection.execute("SELECT name, stage FROM operations").fetchall())
    assert stages == {"job": None, "execute": None, "call": "database"}


def _document(resource: dict[str, object]) -> dict[str, object]:
    span = {
        "traceId": "1" * 32, "spanId": "2" * 16, "name": "work", "kind": 2,
        "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
    }  # fmt: skip
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}


@pytest.mark.parametrize("resource", [{}, {"attributes": [{"key": "host.name", "value": {"stringValue": "h"}}]}])
def test_spans_of_a_resource_without_a_name_are_kept_and_told(tmp_path: Path, resource: dict[str, object]) -> None:
    dump = tmp_path / "d.json"
    dump.write_text(json.dumps(_document(resource)))
    ingest([dump], tmp_path / "d.duckdb")
    connection = open_dataset(tmp_path / "d.duckdb")
    assert connection.execute("SELECT service_name FROM requests").fetchall() == [("unknown_service",)]
    assert warned(connection)["no_service_name"] == 1


def test_log_records_are_never_read_as_spans(tmp_path: Path) -> None:
    record = {
        "timeUnixNano": "1790000000000000000",
        "traceId": "1" * 32,
        "spanId": "2" * 16,
        "body": {"stringValue": "x"},
    }
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    (tmp_path / "logs.json").write_text(json.dumps(logs))
    with pytest.raises(OverbudgetError, match="logs"):
        ingest([tmp_path / "logs.json"], tmp_path / "d.duckdb")
    both = tmp_path / "both.jsonl"
    both.write_text(f"{json.dumps(_document({}))}\n{json.dumps(logs)}\n")
    assert ingest([both], tmp_path / "d.duckdb").spans == 1
    assert warned(open_dataset(tmp_path / "d.duckdb"))["other_signals"] == 1

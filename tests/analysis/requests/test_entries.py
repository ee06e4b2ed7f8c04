"""What is known of a request by its entry span: whether it failed, is open, which version ran where."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

START = 1_700_000_000_000_000_000
MS = 1_000_000


def span(number: int, parent: int | None, start: int, end: int | None, trace: int = 1, **more: Any) -> dict[str, Any]:
    """A span from ms `start` to `end` (None: no end); `about` are its attributes, further keys those of OTLP/JSON."""
    made = {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "name": more.pop("name", f"span {number}"),
        "kind": more.pop("kind", 1),
        "startTimeUnixNano": str(START + start * MS),
        "attributes": [_pair(key, value) for key, value in more.pop("about", {}).items()],
        **more,
    }
    if parent is not None:
        made["parentSpanId"] = f"{parent:016x}"
    if end is not None:
        made["endTimeUnixNano"] = str(START + end * MS)
    return made


def _pair(key: str, value: str | int) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}}


def resource(*spans: dict[str, Any], **about: str) -> dict[str, Any]:
    """The spans of one resource; `about` its attributes, with `_` for `.`."""
    attributes = [_pair(key.replace("_", "."), value) for key, value in {"service_name": "api", **about}.items()]
    return {"resource": {"attributes": attributes}, "scopeSpans": [{"spans": list(spans)}]}


def table_of(folder: Path, *resources: dict[str, Any], budget: str = "") -> RequestTable:
    (folder / "dump.json").write_text(json.dumps({"resourceSpans": list(resources)}))
    ingest([folder / "dump.json"], folder / "d.duckdb")
    return read_requests(open_dataset(folder / "d.duckdb"), parse_budget(budget) if budget else None)


ERROR = {"status": {"code": 2}}
BOTH = pytest.mark.parametrize("budget", ["", '[request]\nmatch = { name = "span *" }'])


@BOTH
def test_a_request_failed_where_its_entry_span_did_and_not_where_a_span_below_did(tmp_path: Path, budget: str) -> None:
    found = table_of(
        tmp_path,
        resource(
            span(1, None, 0, 10, 1),
            span(2, 1, 0, 9, 1, **ERROR),
            span(3, None, 20, 30, 2, **ERROR),
            span(4, None, 40, 50, 3, about={"http.response.status_code": 499}),
            span(5, None, 60, 70, 4, about={"http.response.status_code": 500}),
            span(6, None, 80, 90, 5, about={"http.status_code": 503}),
        ),
        budget=budget,
    )
    assert found.failed.tolist() == [False, True, False, True, True]


@BOTH
def test_a_request_whose_entry_span_has_no_end_is_open_and_one_whose_other_spans_lack_theirs_is_not(
    tmp_path: Path, budget: str
) -> None:
    found = table_of(
        tmp_path,
        resource(span(1, None, 0, None, 1), span(2, 1, 0, 9, 1), span(3, None, 20, 30, 2), span(4, 3, 20, None, 2)),
        budget=budget,
    )
    assert found.open.tolist() == [True, False]
    assert found.complete.tolist() == [False, False]
    assert (found.latency_ns // MS).tolist() == [9, 10]
    assert len(found.select()) == 0
    assert found.select().incomplete == 2
    assert len(found.select(whole_entries=True)) == 2
    assert found.select(whole_entries=True).incomplete == 0


@BOTH
def test_version_and_environment_are_those_of_the_entry_spans_resource(tmp_path: Path, budget: str) -> None:
    found = table_of(
        tmp_path,
        resource(span(1, None, 0, 10, 1), service_version="1.4", deployment_environment="old"),
        resource(span(2, None, 20, 30, 2), service_version="1.5", deployment_environment_name="prod"),
        resource(span(3, None, 40, 50, 3), service_version=""),
        resource(span(4, 3, 40, 49, 3), service_version="9"),
        budget=budget,
    )
    assert [found.version.names[c] if c >= 0 else None for c in found.version.codes] == ["1.4", "1.5", None]
    assert [found.environment.names[c] if c >= 0 else None for c in found.environment.codes] == ["old", "prod", None]
    assert found.select(Filters(version="1.5")).start_ns.tolist() == [START + 20 * MS]
    assert found.select(Filters(version=["1.4", "1.5"], environment="old")).start_ns.tolist() == [START]
    assert found.select(Filters(version="")).start_ns.tolist() == [START + 40 * MS]


def test_a_request_weighs_one_and_its_latency_is_its_duration_where_nothing_else_is_recorded(tmp_path: Path) -> None:
    found = table_of(tmp_path, resource(span(1, None, 0, 10)))
    assert found.weight.tolist() == [1.0]
    assert np.array_equal(found.latency_ns, found.duration_ns)
    assert found.user_ns.tolist() == [0]
    assert found.missing.tolist() == [False]


CREATE = {"gen_ai.operation.name": "create_agent"}


def told(table: RequestTable) -> list[tuple[str, int, int, bool, bool]]:
    """Route, start and latency in ms, complete, and missing."""
    return [
        (table.route.names[code], (start - START) // MS, latency // MS, bool(complete), bool(missing))
        for code, start, latency, complete, missing in zip(
            table.route.codes, table.start_ns, table.latency_ns, table.complete, table.missing, strict=True
        )
    ]


def test_in_a_trace_whose_root_is_lost_each_missing_parent_is_one_incomplete_request(tmp_path: Path) -> None:
    #   (77)                                  missing
    #     search    [====]
    #     chat      .....[=========]
    #   (78)                                  missing, in the same trace
    #     rerank    ....................[==]
    found = table_of(
        tmp_path,
        resource(
            span(2, 77, 6, 16, name="chat"),
            span(1, 77, 1, 5, name="search"),
            span(3, 2, 7, 15, name="below"),
            span(4, 78, 20, 24, name="rerank"),
            span(5, None, 30, 40, 2, name="whole"),
        ),
    )
    assert told(found) == [
        ("(missing) search", 1, 15, False, True),
        ("(missing) rerank", 20, 4, False, True),
        ("whole", 30, 10, True, False),
    ]
    assert np.array_equal(found.stage_ns.sum(1), found.duration_ns)
    assert len(found.select(whole_entries=True)) == 1
    connection = open_dataset(tmp_path / "d.duckdb")
    assert connection.sql("SELECT span_id FROM requests ORDER BY start_ns LIMIT 1").fetchall() == [(f"{77:016x}",)]
    report = connection.sql("SELECT spans, requests, warnings FROM ingest_report").fetchall()[0]
    assert report[:2] == (5, 3)
    assert {warning["code"]: warning["count"] for warning in report[2]} == {"no_root": 2}


def test_topmost_server_spans_are_requests_before_missing_parents_are(tmp_path: Path) -> None:
    found = table_of(
        tmp_path,
        resource(span(1, 77, 0, 10, name="serve", kind=2), span(2, 1, 0, 9), span(3, 78, 20, 30, name="else")),
    )
    assert told(found) == [("serve", 0, 10, False, False)]


def test_a_parent_that_an_appended_dump_brings_is_no_longer_missing(tmp_path: Path) -> None:
    first = table_of(tmp_path, resource(span(2, 1, 5, 9, name="chat")))
    assert told(first) == [("(missing) chat", 5, 4, False, True)]
    del first  # DuckDB shares one instance among connections to a path
    (tmp_path / "more.json").write_text(json.dumps({"resourceSpans": [resource(span(1, None, 0, 10, name="POST"))]}))
    ingest([tmp_path / "more.json"], tmp_path / "d.duckdb", append=True)
    assert told(read_requests(open_dataset(tmp_path / "d.duckdb"))) == [("POST", 0, 10, True, False)]


def test_a_span_that_sets_something_up_is_a_request_only_where_the_dump_holds_nothing_else(tmp_path: Path) -> None:
    setup = [span(1, None, 0, 10, 1, name="create_agent a", about=CREATE), span(2, 1, 1, 9, 1, name="load")]
    work = [span(3, None, 20, 30, 2, name="POST")]
    assert told(table_of(tmp_path, resource(*setup, *work))) == [("POST", 20, 10, True, False)]
    assert told(table_of(tmp_path, resource(*setup))) == [("create_agent a", 0, 10, True, False)]
    lost = [span(4, 77, 20, 30, 1, name="chat")]
    assert told(table_of(tmp_path, resource(*setup, *lost))) == [("(missing) chat", 20, 10, False, True)]


def test_a_trace_of_spans_that_are_each_others_parents_is_a_request(tmp_path: Path) -> None:
    found = table_of(tmp_path, resource(span(1, 2, 0, 10), span(2, 1, 1, 9)))
    assert told(found) == [("span 1", 0, 10, False, False)]

"""A trace that leaves a dataset as OTLP/JSON comes back as it was."""

import json
from pathlib import Path

import pytest

from overbudget.analysis.trace.otlp import trace_otlp
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

TRACE = "5b8efff798038103d269b633813fc60c"
ODD = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "api"}}]},
            "schemaUrl": "https://opentelemetry.io/schemas/1.30.0",
            "scopeSpans": [
                {
                    "scope": {"name": "tracer", "version": "2", "attributes": [{"key": "a", "value": {}}]},
                    "spans": [
                        {
                            "traceId": TRACE, "spanId": "eee19b7ec3c1b174", "traceState": "a=b", "flags": 257,
                            "name": "<script>\n=cmd()", "kind": 2, "startTimeUnixNano": "1544712660000000001",
                            "endTimeUnixNano": "1544712661000000003", "droppedAttributesCount": 3,
                            "attributes": [{"key": "n", "value": {"intValue": "7"}}, {"key": "none", "value": {}}],
                            "events": [{"timeUnixNano": "1544712660500000007", "name": "first token",
                                        "attributes": [{"key": "k", "value": {"boolValue": True}}]}],
                            "links": [{"traceId": TRACE, "spanId": "eee19b7ec3c1b175", "traceState": "x=y"}],
                            "status": {"code": 2, "message": "no"},
                        },
                        {"traceId": TRACE, "spanId": "eee19b7ec3c1b175", "parentSpanId": "eee19b7ec3c1b174", "name": "no end",
                         "kind": 0, "startTimeUnixNano": "1544712660000000009"},
                    ],
                }
            ],
        }
    ]
}  # fmt: skip


def everything(dataset: Path, trace_id: str) -> list[list[str]]:
    connection = open_dataset(dataset)
    return [
        [str(row) for row in connection.execute(f"{select} WHERE trace_id = $1 ORDER BY ALL", [trace_id]).fetchall()]
        for select in (
            "SELECT * EXCLUDE (source, operation_id) FROM spans",
            "FROM span_events",
            "FROM span_links",
            "FROM critical_path",
        )
    ]


def there_and_back(dataset: Path, trace_id: str, folder: Path) -> Path:
    dump = folder / "trace.json"
    dump.write_text(json.dumps(trace_otlp(open_dataset(dataset), trace_id)), encoding="utf-8")
    ingest([dump], folder / "back.duckdb")
    return folder / "back.duckdb"


def test_a_span_with_everything_odd_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(json.dumps(ODD), encoding="utf-8")
    ingest([tmp_path / "odd.json"], tmp_path / "odd.duckdb")
    before = everything(tmp_path / "odd.duckdb", TRACE)
    assert [len(rows) for rows in before[:3]] == [2, 1, 1]
    assert everything(there_and_back(tmp_path / "odd.duckdb", TRACE, tmp_path), TRACE) == before


@pytest.mark.parametrize("name", ["slow_database_tenant", "load_ramp"])
def test_traces_of_a_sample_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    dataset = tmp_path / "sample.duckdb"
    ingest([SAMPLES / f"{name}.otlp.jsonl.gz"], dataset)
    (trace_id,) = open_dataset(dataset).execute("SELECT trace_id FROM requests ORDER BY duration_ns DESC").fetchone()
    before = everything(dataset, trace_id)
    assert len(before[0]) > 5
    assert everything(there_and_back(dataset, trace_id, tmp_path), trace_id) == before


def test_a_trace_that_is_not_there_has_no_spans(tmp_path: Path) -> None:
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], tmp_path / "sample.duckdb")
    assert trace_otlp(open_dataset(tmp_path / "sample.duckdb"), TRACE) == {"resourceSpans": []}


def test_kinds_and_statuses_the_protocol_does_not_know_come_back_as_their_numbers(tmp_path: Path) -> None:
    span = {
        "traceId": TRACE, "spanId": "eee19b7ec3c1b174", "name": "POST /chat", "kind": 9, "status": {"code": 7},
        "startTimeUnixNano": "1544712660000000001", "endTimeUnixNano": "1544712661000000003",
    }  # fmt: skip
    (tmp_path / "odd.json").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    ingest([tmp_path / "odd.json"], tmp_path / "odd.duckdb")
    (exported,) = trace_otlp(open_dataset(tmp_path / "odd.duckdb"), TRACE)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (exported["kind"], exported["status"]["code"]) == (9, 7)
    before = everything(tmp_path / "odd.duckdb", TRACE)
    assert everything(there_and_back(tmp_path / "odd.duckdb", TRACE, tmp_path), TRACE) == before

"""Results of evaluations that a dump holds as log records are joined to the span that they judge."""

import json
from pathlib import Path
from typing import Any

import pytest

from overbudget.ingest.pipeline import IngestResult, ingest
from overbudget.stages.redaction import Redaction
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.span_dump import Span, documents

TRACE, ENTRY, CHAT = f"{1:032x}", f"{1:08x}{1:08x}", f"{1:08x}{2:08x}"


def traces(*more: Span) -> dict[str, Any]:
    chat = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "r-1"}
    return documents(
        [[Span("POST /chat", 0, 100, kind="server"), Span("chat", 10, 90, "POST /chat", attributes=chat), *more]]
    )[0]


def judged(
    score: float | None = 0.9, label: str | None = None, trace: str = TRACE, span: str = CHAT, event: str = "gen_ai.evaluation.result",
    response: str = "", by_attribute: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """A log record that judges a span."""
    said: dict[str, Any] = {"gen_ai.evaluation.name": {"stringValue": "Relevance"}}
    if score is not None:
        said["gen_ai.evaluation.score.value"] = {"doubleValue": score}
    if label is not None:
        said["gen_ai.evaluation.score.label"] = {"stringValue": label}
    if response:
        said["gen_ai.response.id"] = {"stringValue": response}
    if by_attribute:
        said["event.name"] = {"stringValue": event}
    record = {
        "timeUnixNano": "1790000000200000000",
        "traceId": trace,
        "spanId": span,
        "attributes": [{"key": key, "value": value} for key, value in said.items()],
    }
    return record if by_attribute else {**record, "eventName": event}


def logs(*records: dict[str, Any]) -> dict[str, Any]:
    scope = {"scope": {"name": "judge"}, "logRecords": list(records)}
    return {"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [scope]}]}


def ingested(tmp_path: Path, *lines: dict[str, Any], indent: int | None = None) -> IngestResult:
    dump = tmp_path / "d.jsonl"
    dump.write_text("".join(f"{json.dumps(line, indent=indent)}\n" for line in lines))
    return ingest([dump], tmp_path / "d.duckdb")


def told(tmp_path: Path) -> tuple[Any, ...]:
    return open_dataset(tmp_path / "d.duckdb").execute("SELECT score, good FROM requests").fetchall()[0]


def codes(result: IngestResult) -> dict[str, int]:
    return {warning["code"]: warning["count"] for warning in result.as_dict()["warnings"]}


@pytest.mark.parametrize("by_attribute", [False, True])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_score_among_log_records_is_the_request_s(tmp_path: Path, by_attribute: bool, indent: int | None) -> None:
    result = ingested(tmp_path, traces(), logs(judged(0.4, "Fail", by_attribute=by_attribute)), indent=indent)
    assert told(tmp_path) == (0.4, False)
    assert codes(result) == {}
    events = open_dataset(tmp_path / "d.duckdb").execute("SELECT span_id, name, time_ns FROM span_events").fetchall()
    assert events == [(CHAT, "gen_ai.evaluation.result", 1790000000200000000)]


def test_logs_may_come_before_their_traces_and_in_the_same_document(tmp_path: Path) -> None:
    ingested(tmp_path, logs(judged(0.3)), traces())
    assert told(tmp_path)[0] == 0.3
    ingested(tmp_path, {**traces(), **logs(judged(0.6))})
    assert told(tmp_path)[0] == 0.6


def test_snake_case_ids_in_upper_case_and_base64_are_read(tmp_path: Path) -> None:
    record = {
        "event_name": "gen_ai.evaluation.result", "trace_id": TRACE.upper(), "span_id": "AAAAAQAAAAI=",
        "attributes": [{"key": "gen_ai.evaluation.score.value", "value": {"double_value": 0.2}}, {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 0.7}}],
    }  # fmt: skip
    ingested(tmp_path, traces(), {"resource_logs": [{"scope_logs": [{"log_records": [record]}]}]})
    assert told(tmp_path)[0] == 0.7


def test_without_ids_the_response_tells_the_call_if_one_alone_gave_it(tmp_path: Path) -> None:
    assert codes(ingested(tmp_path, traces(), logs(judged(0.5, trace="", span="", response="r-1")))) == {}
    assert told(tmp_path)[0] == 0.5
    chat = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "r-1"}
    twice = traces(Span("again", 91, 95, "POST /chat", attributes=chat))
    result = ingested(tmp_path, twice, logs(judged(0.5, trace="", span="", response="r-1")))
    assert codes(result) == {"evaluation_without_span": 1}
    assert told(tmp_path) == (None, None)


def test_evaluations_of_spans_that_are_not_there_are_counted(tmp_path: Path) -> None:
    result = ingested(tmp_path, traces(), logs(judged(span="f" * 16), judged(trace="e" * 32), judged(0.8)))
    assert codes(result) == {"evaluation_without_span": 2}
    assert told(tmp_path)[0] == 0.8


def test_other_log_records_are_still_passed_over(tmp_path: Path) -> None:
    result = ingested(
        tmp_path, traces(), logs(judged(event="gen_ai.choice")), logs(judged(0.8), judged(event="app.log"))
    )
    assert codes(result) == {"other_signals": 2}
    assert told(tmp_path)[0] == 0.8


def test_an_evaluation_that_cannot_be_read_costs_itself_alone(tmp_path: Path) -> None:
    broken = {**judged(0.1), "traceId": 7}
    result = ingested(tmp_path, traces(), logs(broken, judged(0.8)))
    assert codes(result)["unreadable_record"] == 1
    assert told(tmp_path)[0] == 0.8


def test_a_file_of_logs_beside_that_of_traces_is_joined(tmp_path: Path) -> None:
    (tmp_path / "logs.jsonl").write_text(json.dumps(logs(judged(0.9))) + "\n")
    (tmp_path / "traces.jsonl").write_text(json.dumps(traces()) + "\n")
    ingest([tmp_path / "logs.jsonl", tmp_path / "traces.jsonl"], tmp_path / "d.duckdb")
    assert told(tmp_path)[0] == 0.9


def test_they_outlive_an_append(tmp_path: Path) -> None:
    ingested(tmp_path, traces(), logs(judged(0.9)))
    other = tmp_path / "other.jsonl"
    later = documents([[Span("GET /", 0, 5, kind="server")]] * 2)[1]
    other.write_text(json.dumps(later) + "\n")
    ingest([other], tmp_path / "d.duckdb", append=True)
    scores = open_dataset(tmp_path / "d.duckdb").execute("SELECT route, score FROM requests ORDER BY route").fetchall()
    assert scores == [("GET /", None), ("POST /chat", 0.9)]


def test_evaluations_alone_are_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(OverbudgetError, match="holds no spans"):
        ingested(tmp_path, logs(judged(0.9)))


def test_logs_without_evaluations_are_refused_by_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(OverbudgetError, match="is logs"):
        ingested(tmp_path, logs(judged(event="gen_ai.choice")))


def test_what_a_budget_redacts_is_left_out_of_evaluations_too(tmp_path: Path) -> None:
    record = judged(0.9)
    record["attributes"] += [
        {"key": "gen_ai.evaluation.explanation", "value": {"stringValue": "Ann asked for her balance"}},
        {"key": "app.note", "value": {"stringValue": "of ann@example.org"}},
    ]
    dump = tmp_path / "d.jsonl"
    for place in (logs(record), {**traces(), **logs(record)}):
        dump.write_text(json.dumps(traces()) + "\n" + json.dumps(place) + "\n")
        ingest([dump], tmp_path / "d.duckdb", redaction=Redaction(patterns=("[a-z]+@[a-z.]+",), no_content=True))
        assert told(tmp_path)[0] == 0.9
        said = str(open_dataset(tmp_path / "d.duckdb").execute("SELECT attributes FROM span_events").fetchall())
        assert "Ann" not in said
        assert "ann@" not in said

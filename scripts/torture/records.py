"""Sound records that hold several spans each, in every format of which one record is a whole trace or a page of them."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

T = "2026-11-01T10:00:0"
NS = 1_793_527_200_000_000_000
TRACE = f"{1:032x}"


class Sound(NamedTuple):
    """A document, and where in it the spans stand: the paths to them, whose names are n1, n2, n3."""

    document: Any
    spans: list[tuple[Any, ...]]


def _listed(document: Any, *path: Any) -> Sound:
    """A document with its spans in the list at a path."""
    inside = document = json.loads(json.dumps(document))  # nothing in it is anything else in it
    for step in path:
        inside = inside[step]
    return Sound(document, [(*path, number) for number in range(len(inside))])


def _observations() -> list[dict[str, Any]]:
    return [
        {"id": f"{number:016x}", "traceId": TRACE, "projectId": "p", "type": "GENERATION", "name": f"n{number}", "level": "DEFAULT",
         "startTime": f"{T}0.000Z", "endTime": f"{T}1.000Z", "completionStartTime": f"{T}0.100Z", "model": "m",
         "parentObservationId": None if number == 1 else f"{1:016x}", "usageDetails": {"input": 1, "output": 2},
         "costDetails": {"total": 0.1}, "modelParameters": {"t": 1}, "input": [{"role": "user", "content": "hi"}], "output": "x",
         "metadata": {"scope": {"name": "s"}, "resourceAttributes": {"service.name": "x"}, "attributes": {"a": 1}, "k": {"v": [1]}}}
        for number in (1, 2, 3)
    ]  # fmt: skip


def langfuse() -> Sound:
    """What is downloaded from a page of Langfuse."""
    trace = {"id": TRACE, "name": "t", "timestamp": f"{T}0.000Z", "sessionId": "s", "userId": "u", "tags": ["t"],
             "scores": [{"name": "q", "value": 0.5, "timestamp": f"{T}0.000Z"}]}  # fmt: skip
    return _listed({"trace": trace, "observations": _observations()}, "observations")


def langfuse_page() -> Sound:
    return _listed({"data": _observations(), "meta": {"page": 1}}, "data")


def mlflow() -> Sound:
    spans = [
        {"name": f"n{number}", "context": {"trace_id": TRACE, "span_id": f"{number:016x}"},
         "parent_id": None if number == 1 else f"{1:016x}", "start_time": NS, "end_time": NS + 10**9, "status_code": "OK",
         "status_message": "", "attributes": {"mlflow.spanType": '"LLM"', "a": '{"b": [1]}', "c": {"d": 1}},
         "events": [{"name": "e", "timestamp": NS, "attributes": {"a": 1}}]}
        for number in (1, 2, 3)
    ]  # fmt: skip
    info = {"trace_id": TRACE, "tags": {"k": "v"}, "trace_metadata": {"mlflow.trace.session": "s"}, "assessments": []}
    return _listed({"info": info, "data": {"spans": spans}}, "data", "spans")


def langsmith() -> Sound:
    runs = [
        {"id": f"{number:016x}", "trace_id": TRACE, "run_type": "llm", "name": f"n{number}", "start_time": f"{T}0", "end_time": f"{T}1",
         "extra": {"metadata": {"ls_model_name": "m"}, "runtime": {"sdk": "x"}}, "inputs": {"messages": [{"content": "hi"}]},
         "outputs": {"usage_metadata": {"input_tokens": 1}}, "events": [{"name": "new_token", "time": f"{T}0.1"}], "tags": ["a"],
         "feedback_stats": {"q": {"avg": 0.5}}, "child_runs": []}
        for number in (1, 2, 3)
    ]  # fmt: skip
    return _listed({"runs": runs}, "runs")


def _phoenix() -> list[dict[str, Any]]:
    return [
        {"name": f"n{number}", "span_kind": "LLM", "parent_id": None, "start_time": f"{T}0+00:00", "end_time": f"{T}1+00:00",
         "status_code": "OK", "status_message": "", "context": {"trace_id": TRACE, "span_id": f"{number:016x}"},
         "attributes": {"llm": {"model_name": "m", "token_count": {"prompt": 1}}},
         "events": [{"name": "e", "timestamp": f"{T}0+00:00", "attributes": {"a": 1}}]}
        for number in (1, 2, 3)
    ]  # fmt: skip


def phoenix() -> Sound:
    return _listed({"data": _phoenix(), "next_cursor": None}, "data")


def clickhouse() -> Sound:
    """All rows in one document: the format JSON of ClickHouse."""
    rows = [
        {"Timestamp": f"2026-11-01 10:00:0{number}.000000000", "TraceId": TRACE, "SpanId": f"{number:016x}", "ParentSpanId": "",
         "TraceState": "", "SpanName": f"n{number}", "SpanKind": "Server", "ServiceName": "s", "ResourceAttributes": {"a": "b"},
         "ScopeName": "", "ScopeVersion": "", "SpanAttributes": {"k": "v"}, "Duration": 5, "StatusCode": "Ok", "StatusMessage": "",
         "Events.Timestamp": [], "Events.Name": [], "Events.Attributes": []}
        for number in (1, 2, 3)
    ]  # fmt: skip
    return _listed({"meta": [], "data": rows}, "data")


def _otlp() -> dict[str, Any]:
    spans = [
        {"traceId": TRACE, "spanId": f"{number:016x}", "name": f"n{number}", "kind": 2, "startTimeUnixNano": str(NS),
         "endTimeUnixNano": str(NS + 10**9), "attributes": [{"key": "a", "value": {"arrayValue": {"values": [{"intValue": "1"}]}}}],
         "events": [{"timeUnixNano": str(NS), "name": "e", "attributes": []}], "status": {"code": 1}}
        for number in (1, 2, 3)
    ]  # fmt: skip
    return {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]},
        "scopeSpans": [{"scope": {"name": "s"}, "spans": spans}],
    }


def otlp() -> Sound:
    return _listed({"resourceSpans": [_otlp()]}, "resourceSpans", 0, "scopeSpans", 0, "spans")


def resource_spans() -> Sound:
    """OTLP without its envelope."""
    return _listed(_otlp(), "scopeSpans", 0, "spans")


def jaeger() -> Sound:
    spans = [
        {"traceID": "1", "spanID": str(number), "operationName": f"n{number}", "startTime": NS // 1000, "duration": 9, "processID": "p",
         "references": [{"refType": "CHILD_OF", "traceID": "1", "spanID": "9"}],
         "tags": [{"key": "k", "type": "string", "value": "v"}],
         "logs": [{"timestamp": NS // 1000, "fields": [{"key": "a", "type": "string", "value": "b"}]}]}
        for number in (1, 2, 3)
    ]  # fmt: skip
    trace = {"traceID": "1", "spans": spans, "processes": {"p": {"serviceName": "s", "tags": []}}}
    return _listed({"data": [trace]}, "data", 0, "spans")


SOUND: dict[str, Callable[[], Sound]] = {
    "Langfuse": langfuse, "Langfuse, a page": langfuse_page, "MLflow": mlflow, "LangSmith": langsmith, "Phoenix, a page": phoenix,
    "ClickHouse": clickhouse, "OTLP": otlp, "OTLP without its envelope": resource_spans, "Jaeger": jaeger,
}  # fmt: skip


def changed(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place."""
    whole = inside = copy.deepcopy(document)
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    return whole


def some(draw: random.Random) -> Sound:
    """Any of them."""
    return draw.choice(list(SOUND.values()))()

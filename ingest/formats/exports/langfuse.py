"""Traces and observations as Langfuse exports them: the download of its pages, its API, its scheduled exports.

The attributes are those that Langfuse's own SDK writes when it exports over OTLP, so that both are read alike.
"""

from collections.abc import Iterable
from typing import Any

from overbudget.ingest.formats.exports.otlp import (
    Grouped,
    Record,
    any_value,
    attributes,
    flattened,
    json_text,
    object_of,
    objects_of,
    only_one,
    text,
)
from overbudget.ingest.formats.exports.scores import evaluation
from overbudget.ingest.formats.exports.times import ns_of
from overbudget.kernels.columns import TOO_LATE
from overbudget.kernels.text_ids import id_of_text

TYPES = frozenset(
    ["span", "generation", "event", "agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"]
)  # of observations
_OWN = frozenset(
    [
        "parentObservationId",
        "parent_observation_id",
        "usageDetails",
        "usage_details",
        "completionStartTime",
        "completion_start_time",
        "level",
        "modelParameters",
        "model_parameters",
        "costDetails",
        "cost_details",
        "promptTokens",
        "projectId",
        "project_id",
    ]
)
_SNAKE = {
    "traceId": "trace_id", "startTime": "start_time", "endTime": "end_time", "parentObservationId": "parent_observation_id",
    "usageDetails": "usage_details", "costDetails": "cost_details", "completionStartTime": "completion_start_time",
    "statusMessage": "status_message", "sessionId": "session_id", "userId": "user_id", "promptName": "prompt_name",
    "promptVersion": "prompt_version", "timeToFirstToken": "time_to_first_token", "calculatedTotalCost": "total_cost",
    "promptTokens": "prompt_tokens", "completionTokens": "completion_tokens", "stringValue": "string_value",
}  # fmt: skip


def _get(record: Record, name: str) -> Any:
    """A field by its camelCase name or, as the scheduled exports write it, in snake_case."""
    found = record.get(name)
    return record.get(_SNAKE[name]) if found is None and name in _SNAKE else found


def is_observation(record: Record) -> bool:
    """One observation for itself."""
    return (
        str(record.get("type")).lower() in TYPES
        and bool({"traceId", "trace_id"} & record.keys())
        and bool({"startTime", "start_time"} & record.keys())
        and bool(_OWN & record.keys())
    )


def is_trace(record: Record) -> bool:
    """A trace of the API, with its observations in it."""
    return (
        isinstance(record.get("observations"), list)
        and "id" in record
        and ("timestamp" in record or any(map(is_observation, objects_of(record["observations"])[:3])))
    )


def is_langfuse(record: Record) -> bool:
    """A download (`trace` and `observations`), a trace or an observation of the API, or a page of these."""
    inner = record.get("observations")
    if isinstance(inner, list) and (
        isinstance(record.get("trace"), dict) or any(map(is_observation, objects_of(inner)[:3]))
    ):
        return True
    if isinstance(record.get("data"), list):
        return any(is_trace(one) or is_observation(one) for one in objects_of(record["data"])[:3])
    return is_trace(record) or is_observation(record)


def of_langfuse(records: Iterable[Record]) -> list[Record]:
    """Resource spans of Langfuse's traces.

    Langfuse keeps what encloses a trace apart from its observations. Where a trace has one topmost observation, that is the
    request; where it has several, a span around them is made of the trace itself.
    """
    traces: dict[str, Record] = {}
    observations: dict[str, list[Record]] = {}
    grouped = Grouped()
    for record in records:
        for one in grouped.rows_of(record):
            trace = object_of(one.get("trace")) or (one if is_trace(one) else {})
            if trace:
                traces[text(trace.get("id"))] = {**trace, "scores": one.get("scores") or trace.get("scores")}
            around = trace or isinstance(one.get("observations"), list)
            for inner in grouped.spans_in(one.get("observations")) if around else (one,):
                observations.setdefault(text(_get(inner, "traceId") or trace.get("id")), []).append(inner)
    for trace_id, found in observations.items():
        _add(trace_id, found, traces.get(trace_id, {}), grouped)
    return grouped.resource_spans()


def _add(trace_id: str, observations: list[Record], trace: Record, grouped: Grouped) -> None:
    of_trace = _of_trace(trace)
    scores = [one for one in (_score(score) for score in objects_of(trace.get("scores"))) if one]
    known = {text(one.get("id")) for one in observations}
    roots = [one for one in observations if not _get(one, "parentObservationId")]
    top = [one for one in observations if text(_get(one, "parentObservationId") or "") not in known]
    around = None
    if trace and not (len(roots) == 1 and len(top) == 1):
        around = _around(trace_id, trace, observations)
        grouped.add({**around, "attributes": attributes(of_trace), "events": scores}, _resource(trace, {}))
    for one in observations:
        span = _span(trace_id, one, around["spanId"] if around and one in top else None)
        is_root = around is None and one in roots
        if is_root:
            span["events"] = scores
            span["attributes"] = attributes(of_trace) + span["attributes"]
        metadata = object_of(one.get("metadata"))
        scope = object_of(metadata.get("scope"))
        grouped.add(span, _resource({**trace, **one}, metadata), text(scope.get("name")), text(scope.get("version")))


def _around(trace_id: str, trace: Record, observations: list[Record]) -> Record:
    starts = [ns_of(_get(one, "startTime")) for one in observations]
    ends = [ns_of(_get(one, "endTime")) for one in observations]
    times = [
        time
        for time in (*starts, *ends, ns_of(trace.get("timestamp")))
        if isinstance(time, int) and 0 < time < TOO_LATE  # others cannot be meant
    ]
    return {
        "traceId": trace_id,
        "spanId": id_of_text(f"trace {trace_id}", 16)[0],
        "parentSpanId": "",
        "name": text(trace.get("name")) or "trace",
        "kind": 1,
        "startTimeUnixNano": min(times, default=None),
        "endTimeUnixNano": max(times, default=None),
        "status": {},
    }


def _of_trace(trace: Record) -> Record:
    tags = trace.get("tags")
    return {
        "langfuse.trace.name": only_one((trace.get("name"),)),
        "session.id": _get(trace, "sessionId"),
        "user.id": _get(trace, "userId"),
        "langfuse.release": trace.get("release"),
        "langfuse.trace.tags": tags if isinstance(tags, list) and tags else None,
    }


def _resource(one: Record, metadata: Record) -> Record:
    """What the OTLP resource said, which Langfuse keeps in the metadata of what came over OTLP."""
    given = metadata.get("resourceAttributes")
    found = flattened(given) if isinstance(given, dict) else {}
    for key, value in (
        ("deployment.environment.name", one.get("environment")),
        ("service.version", one.get("version")),
    ):
        if value and key not in found:
            found[key] = text(value)
    return found


def _span(trace_id: str, one: Record, parent: str | None) -> Record:
    kind, level = str(one.get("type")).lower(), str(one.get("level") or "DEFAULT").upper()
    start, end = ns_of(_get(one, "startTime")), ns_of(_get(one, "endTime"))
    return {
        "traceId": trace_id,
        "spanId": text(one.get("id")),
        "parentSpanId": parent or text(_get(one, "parentObservationId")),
        "name": text(one.get("name")),
        "kind": 1,
        "startTimeUnixNano": start,
        "endTimeUnixNano": start if end is None and kind == "event" else end,
        "status": {"code": 2 if level == "ERROR" else 0, "message": text(_get(one, "statusMessage"))},
        "attributes": _told(one, kind, level, start),
    }


def _told(one: Record, kind: str, level: str, start: Any) -> list[Record]:
    metadata = object_of(one.get("metadata"))
    usage = object_of(_get(one, "usageDetails")) or _older_usage(one)
    tokens = {"input": only_one((usage.get("input"), usage.get("input_tokens"), usage.get("prompt_tokens"))),
              "output": only_one((usage.get("output"), usage.get("output_tokens"), usage.get("completion_tokens")))}  # fmt: skip
    cost = object_of(_get(one, "costDetails"))
    told = {
        **object_of(metadata.get("attributes")),
        "langfuse.observation.type": kind,
        "langfuse.observation.model.name": only_one((one.get("model"), one.get("provided_model_name"))),
        "langfuse.observation.usage_details": json_text(usage) if usage else None,
        "langfuse.observation.cost_details": json_text(cost) if cost else None,
        "gen_ai.usage.input_tokens": tokens["input"],
        "gen_ai.usage.output_tokens": tokens["output"],
        "langfuse.observation.completion_start_time": _first_token(one, start),
        "langfuse.observation.level": level,
        "langfuse.observation.status_message": _get(one, "statusMessage"),
        "langfuse.observation.prompt.name": _get(one, "promptName"),
        "langfuse.observation.prompt.version": _get(one, "promptVersion"),
        "langfuse.observation.input": _shown(one.get("input")),
        "langfuse.observation.output": _shown(one.get("output")),
    }
    for key, value in metadata.items():
        if key not in ("attributes", "resourceAttributes", "scope"):
            told.setdefault(f"langfuse.observation.metadata.{key}", value)
    return [{"key": key, "value": any_value(value)} for key, value in told.items() if value is not None]


def _shown(value: Any) -> str | None:
    return None if value is None else json_text(value)


def _older_usage(one: Record) -> Record:
    """Token counts as versions before 3 keep them."""
    usage = object_of(one.get("usage"))
    found = {
        "input": only_one((usage.get("input"), usage.get("promptTokens"), _get(one, "promptTokens"))),
        "output": only_one((usage.get("output"), usage.get("completionTokens"), _get(one, "completionTokens"))),
    }
    return {key: value for key, value in found.items() if value}


def _first_token(one: Record, start: Any) -> str | None:
    """When the first token came, as the SDK writes it: a time in JSON's quotes."""
    at = _get(one, "completionStartTime")
    if isinstance(at, str) and at:
        return json_text([at])[1:-1]
    return None


def _score(score: Record) -> Record | None:
    value = only_one((score.get("value"), _get(score, "stringValue")))
    return evaluation(score.get("name"), value, ns_of(only_one((score.get("timestamp"),))))

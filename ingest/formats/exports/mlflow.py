"""Traces as MLflow writes them: `trace.to_json()`, files of its artifact store, its API."""

from collections.abc import Iterable
from typing import Any

import orjson

from overbudget.ingest.formats.exports.console import hex_id
from overbudget.ingest.formats.exports.otlp import (
    Grouped,
    Record,
    attributes,
    object_of,
    objects_of,
    only_one,
    text,
)
from overbudget.ingest.formats.exports.scores import evaluation
from overbudget.ingest.formats.exports.times import ns_of
from overbudget.kernels.otlp import CODE_NUMBERS


def is_mlflow(record: Record) -> bool:
    """A trace of MLflow, or its spans alone as the artifact store keeps them."""
    if isinstance(record.get("traces"), list):
        return any(is_mlflow(one) for one in objects_of(record["traces"])[:3])
    spans = objects_of(object_of(record.get("data")).get("spans") or record.get("spans"))
    if isinstance(record.get("info"), dict) and isinstance(object_of(record.get("data")).get("spans"), list):
        return True
    return bool(spans) and "mlflow.spanType" in object_of(spans[0].get("attributes"))


def of_mlflow(records: Iterable[Record]) -> list[Record]:
    """Resource spans of MLflow's traces. MLflow keeps no resource and no scope."""
    grouped = Grouped()
    for record in records:
        for trace in grouped.rows_of(record, "traces"):
            _add(trace, grouped)
    return grouped.resource_spans()


def _add(trace: Record, grouped: Grouped) -> None:
    info = object_of(trace.get("info"))
    told = {
        **object_of(info.get("request_metadata")),
        **object_of(info.get("trace_metadata")),
        **object_of(info.get("tags")),
    }
    # what the trace says of itself goes to its root span
    of_trace = {"session.id": told.get("mlflow.trace.session"), "user.id": told.get("mlflow.trace.user")}
    scores = [_score(one) for one in objects_of(info.get("assessments"))]
    for one in grouped.spans_in(object_of(trace.get("data")).get("spans") or trace.get("spans")):
        context, status = object_of(one.get("context")), object_of(one.get("status"))
        parent = only_one((one.get("parent_span_id"), one.get("parent_id")))
        code = only_one((one.get("status_code"), status.get("code"), one.get("status")))
        given = {key: _decoded(value) for key, value in object_of(one.get("attributes")).items()}
        events = [
            {
                "name": text(event.get("name")),
                "timeUnixNano": ns_of(only_one((event.get("time_unix_nano"), event.get("timestamp")))),
                "attributes": attributes(event.get("attributes")),
            }
            for event in objects_of(one.get("events"))
        ]
        span = {
            "traceId": hex_id(only_one((context.get("trace_id"), one.get("trace_id"), info.get("trace_id")))),
            "spanId": hex_id(only_one((context.get("span_id"), one.get("span_id")))),
            "parentSpanId": hex_id(parent),
            "name": text(one.get("name")),
            "kind": 1,
            "startTimeUnixNano": ns_of(only_one((one.get("start_time_unix_nano"), one.get("start_time")))),
            "endTimeUnixNano": ns_of(only_one((one.get("end_time_unix_nano"), one.get("end_time")))),
            "status": {
                "code": CODE_NUMBERS.get(str(code).upper().removeprefix("STATUS_CODE_"), 0),
                "message": text(only_one((one.get("status_message"), status.get("message")))),
            },
            "attributes": attributes({**({} if parent else of_trace), **given}),
            "events": [*events, *([] if parent else [score for score in scores if score])],
        }
        grouped.add(span, {})


def _decoded(value: Any) -> Any:
    """An attribute as MLflow exports it over OTLP: its own files keep each as JSON text, quotes around text included."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _score(assessment: Record) -> Record | None:
    feedback = object_of(assessment.get("feedback"))
    return evaluation(assessment.get("assessment_name"), feedback.get("value"), ns_of(assessment.get("create_time")))

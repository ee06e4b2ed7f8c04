"""Spans as the exporters of OpenTelemetry's SDKs print them: Python's `to_json`, Go's `stdouttrace`, JavaScript's console."""

from collections.abc import Iterable
from typing import Any

from overbudget.ingest.formats.exports.otlp import (
    Grouped,
    Record,
    any_value,
    attributes,
    events,
    object_of,
    objects_of,
    text,
)
from overbudget.ingest.formats.exports.times import ns_of, start_and_end
from overbudget.kernels.otlp import CODE_NUMBERS, KIND_NUMBERS


def is_python(record: Record) -> bool:
    """A span of Python's ConsoleSpanExporter: its ids are in `context`, its kind is a name of SpanKind."""
    context = record.get("context")
    return (
        isinstance(context, dict)
        and {"trace_id", "span_id"} <= context.keys()
        and str(record.get("kind")).startswith("SpanKind.")
        and "status" in record
    )


def of_python(records: Iterable[Record]) -> list[Record]:
    """Resource spans of Python's console output, which does not tell the scope."""
    grouped = Grouped()
    for record in records:
        context, status = object_of(record.get("context")), object_of(record.get("status"))
        span = {
            "traceId": hex_id(context.get("trace_id")),
            "spanId": hex_id(context.get("span_id")),
            "parentSpanId": hex_id(record.get("parent_id")),
            "name": text(record.get("name")),
            "kind": KIND_NUMBERS.get(str(record.get("kind")).removeprefix("SpanKind."), 0),
            "startTimeUnixNano": ns_of(record.get("start_time")),
            "endTimeUnixNano": ns_of(record.get("end_time")),
            "status": {
                "code": CODE_NUMBERS.get(str(status.get("status_code")).upper(), 0),
                "message": text(status.get("description")),
            },
            "attributes": attributes(record.get("attributes")),
            "events": events(record.get("events"), "timestamp", ns_of),
            "links": [
                {
                    "traceId": hex_id(object_of(link.get("context")).get("trace_id")),
                    "spanId": hex_id(object_of(link.get("context")).get("span_id")),
                    "attributes": attributes(link.get("attributes")),
                }
                for link in objects_of(record.get("links"))
            ],
        }
        grouped.add(span, object_of(object_of(record.get("resource")).get("attributes")))
    return grouped.resource_spans()


def hex_id(value: Any) -> Any:
    """An id without the "0x" that Python prints before it; "" for null."""
    return value.removeprefix("0x") if isinstance(value, str) else "" if value is None else value


def is_go(record: Record) -> bool:
    """A span of Go's stdouttrace: the fields of a Go structure."""
    return isinstance(record.get("SpanContext"), dict) and "StartTime" in record


def of_go(records: Iterable[Record]) -> list[Record]:
    """Resource spans of what Go's stdouttrace prints."""
    grouped = Grouped()
    for record in records:
        context, status = object_of(record["SpanContext"]), object_of(record.get("Status"))
        scope = object_of(record.get("InstrumentationScope") or record.get("InstrumentationLibrary"))
        kind = record.get("SpanKind")
        span = {
            "traceId": context.get("TraceID"),
            "spanId": context.get("SpanID"),
            "parentSpanId": object_of(record.get("Parent")).get("SpanID"),
            "traceState": text(context.get("TraceState")),
            "name": text(record.get("Name")),
            "kind": kind if isinstance(kind, int) else KIND_NUMBERS.get(str(kind).upper(), 0),
            "startTimeUnixNano": ns_of(record.get("StartTime")),
            "endTimeUnixNano": _go_end(record.get("EndTime")),
            "status": {
                "code": CODE_NUMBERS.get(str(status.get("Code")).upper(), 0),
                "message": text(status.get("Description")),
            },
            "attributes": _go_attributes(record.get("Attributes")),
            "droppedAttributesCount": record.get("DroppedAttributes") or 0,
            "droppedEventsCount": record.get("DroppedEvents") or 0,
            "droppedLinksCount": record.get("DroppedLinks") or 0,
            "events": [
                {
                    "name": text(event.get("Name")),
                    "timeUnixNano": ns_of(event.get("Time")),
                    "attributes": _go_attributes(event.get("Attributes")),
                    "droppedAttributesCount": event.get("DroppedAttributeCount") or 0,
                }
                for event in objects_of(record.get("Events"))
            ],
            "links": [
                {
                    "traceId": object_of(link.get("SpanContext")).get("TraceID"),
                    "spanId": object_of(link.get("SpanContext")).get("SpanID"),
                    "attributes": _go_attributes(link.get("Attributes")),
                }
                for link in objects_of(record.get("Links"))
            ],
        }
        resource = {one["key"]: _plain(one["value"]) for one in _go_attributes(record.get("Resource"))}
        grouped.add(span, resource, text(scope.get("Name")), text(scope.get("Version")))
    return grouped.resource_spans()


def _go_end(value: Any) -> Any:
    """Go prints the year 1 for a span that has not ended."""
    return None if isinstance(value, str) and value.startswith("0001-") else ns_of(value)


def _go_attributes(given: Any) -> list[Record]:
    return [
        {"key": text(one.get("Key")), "value": any_value(object_of(one.get("Value")).get("Value"))}
        for one in objects_of(given)
        if object_of(one.get("Value")).get("Value") is not None
    ]


def _plain(value: Record) -> Any:
    kind, plain = next(iter(value.items()))
    if kind == "arrayValue":
        return [_plain(one) for one in plain["values"]]
    return int(plain) if kind == "intValue" else plain


def is_javascript(record: Record) -> bool:
    """A span of JavaScript's ConsoleSpanExporter: microseconds in `timestamp` and `duration`, ids beside them."""
    return {"traceId", "id", "timestamp", "duration", "kind", "attributes"} <= record.keys()


def of_javascript(records: Iterable[Record]) -> list[Record]:
    """Resource spans of what JavaScript's ConsoleSpanExporter prints. Its kinds have no UNSPECIFIED, so INTERNAL is 0."""
    grouped = Grouped()
    for record in records:
        kind = record.get("kind")
        start, end = start_and_end(record.get("timestamp"), record.get("duration"), 1_000)
        scope = object_of(record.get("instrumentationScope") or record.get("instrumentationLibrary"))
        parent = record.get("parentId") or object_of(record.get("parentSpanContext")).get("spanId")
        status = object_of(record.get("status"))
        span = {
            "traceId": record.get("traceId"),
            "spanId": record.get("id"),
            "parentSpanId": parent,
            "traceState": text(record.get("traceState")),
            "name": text(record.get("name")),
            "kind": kind + 1 if isinstance(kind, int) else 0,
            "startTimeUnixNano": start,
            "endTimeUnixNano": end,
            "status": {"code": status.get("code") or 0, "message": text(status.get("message"))},
            "attributes": attributes(record.get("attributes")),
            "events": events(record.get("events"), "time", _hr_time),
            "links": [
                {
                    "traceId": object_of(link.get("context")).get("traceId"),
                    "spanId": object_of(link.get("context")).get("spanId"),
                    "attributes": attributes(link.get("attributes")),
                }
                for link in objects_of(record.get("links"))
            ],
        }
        resource = object_of(object_of(record.get("resource")).get("attributes"))
        grouped.add(span, resource, text(scope.get("name")), text(scope.get("version")))
    return grouped.resource_spans()


def _hr_time(value: Any) -> int | None:
    """JavaScript's pair of seconds and nanoseconds; its console prints no more of it than [Array]."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(one, int) for one in value):
        return int(value[0]) * 1_000_000_000 + int(value[1])
    return None

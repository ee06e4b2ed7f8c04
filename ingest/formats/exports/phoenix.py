"""Spans as Arize Phoenix exports them, and OpenInference spans as applications write them down themselves.

Both are spans of OpenTelemetry with plain values: ids in `context` or beside the name, times as text or numbers, attributes
nested or with dotted keys, or, as tables write them, everything in dotted keys (`context.trace_id`, `attributes.llm.…`).
"""

from collections.abc import Iterable
from typing import Any

from overbudget.ingest.formats.exports.console import hex_id
from overbudget.ingest.formats.exports.otlp import (
    Grouped,
    Record,
    attributes,
    flattened,
    object_of,
    objects_of,
    only_one,
    text,
)
from overbudget.ingest.formats.exports.times import ns_of
from overbudget.kernels.otlp import CODE_NUMBERS, KIND_NUMBERS

KIND_KEY = "openinference.span.kind"


def is_phoenix(record: Record) -> bool:
    """A span of Phoenix: its kind stands beside its name. Also a page of its API, and a table written by columns."""
    if isinstance(record.get("data"), list):
        return any(is_phoenix(one) for one in objects_of(record["data"])[:3])
    return ("span_kind" in record and "name" in record and "start_time" in record) or "context.trace_id" in record


def of_phoenix(records: Iterable[Record]) -> list[Record]:
    """Resource spans of Phoenix's spans. It keeps no resource and no scope."""
    grouped = Grouped()
    for record in records:
        _add(_rows(record, grouped), grouped)
    return grouped.resource_spans()


def _rows(record: Record, grouped: Grouped) -> Iterable[Record]:
    if isinstance(record.get("context.trace_id"), dict):  # a table, column by column
        for row in record["context.trace_id"]:
            yield {key: column.get(row) for key, column in record.items() if isinstance(column, dict)}
    else:
        yield from grouped.rows_of(record)


def is_openinference(record: Record) -> bool:
    """A span with plain attributes, ids and start in the names of OpenTelemetry's Python SDK."""
    context = object_of(record.get("context"))
    return (
        "name" in record
        and ("start_time" in record or "start_time_unix_nano" in record)
        and ("span_id" in record or "span_id" in context or KIND_KEY in object_of(record.get("attributes")))
        and not isinstance(record.get("attributes"), list)
        and "run_type" not in record
    )


def of_openinference(records: Iterable[Record]) -> list[Record]:
    """Resource spans of OpenInference spans."""
    grouped = Grouped()
    _add(records, grouped)
    return grouped.resource_spans()


def _add(records: Iterable[Record], grouped: Grouped) -> None:
    for record in records:
        context, status = object_of(record.get("context")), object_of(record.get("status"))
        given = _attributes(record)
        kind = only_one((record.get("span_kind"), given.get(KIND_KEY)))
        if kind is not None:
            given[KIND_KEY] = text(kind)
        code = only_one(
            (record.get("status_code"), status.get("status_code"), status.get("code"), record.get("status"))
        )
        message = only_one((record.get("status_message"), status.get("description"), status.get("message")))
        scope = object_of(only_one((record.get("scope"), record.get("instrumentation_scope"))))
        span = {
            "traceId": hex_id(_field(record, context, "trace_id")),
            "spanId": hex_id(_field(record, context, "span_id")),
            "parentSpanId": hex_id(only_one((record.get("parent_id"), record.get("parent_span_id")))),
            "name": text(record.get("name")),
            "kind": KIND_NUMBERS.get(
                str(record.get("kind")).upper().removeprefix("SPANKIND.").removeprefix("SPAN_KIND_"), 1
            ),
            "startTimeUnixNano": ns_of(only_one((record.get("start_time"), record.get("start_time_unix_nano")))),
            "endTimeUnixNano": ns_of(only_one((record.get("end_time"), record.get("end_time_unix_nano")))),
            "status": {
                "code": CODE_NUMBERS.get(str(code).upper().removeprefix("STATUS_CODE_").removeprefix("STATUSCODE."), 0),
                "message": text(message),
            },
            "attributes": attributes(given),
            "events": [
                {
                    "name": text(event.get("name")),
                    "timeUnixNano": ns_of(
                        only_one((event.get("timestamp"), event.get("time"), event.get("time_unix_nano")))
                    ),
                    "attributes": attributes(flattened(object_of(event.get("attributes")))),
                }
                for event in objects_of(record.get("events"))
            ],
        }
        resource = object_of(record.get("resource"))
        resource = flattened(object_of(resource.get("attributes")) or resource)
        grouped.add(span, resource, text(scope.get("name")), text(scope.get("version")))


def _field(record: Record, context: Record, name: str) -> Any:
    return only_one((context.get(name), record.get(name), record.get(f"context.{name}")))


def _attributes(record: Record) -> Record:
    found = flattened(object_of(record.get("attributes")))
    for key, value in record.items():
        if key.startswith("attributes.") and value is not None:
            inner = key.removeprefix("attributes.")
            found.update(flattened({inner: value}) if isinstance(value, dict | list) else {inner: value})
    return found

"""Rows of the table `otel_traces`, which the collector's ClickHouse exporter fills, as ClickHouse prints them in JSON."""

from collections.abc import Iterable
from typing import Any

from overbudget.ingest.formats.exports.otlp import Grouped, Record, attributes, object_of, objects_of, text
from overbudget.ingest.formats.exports.times import ns_of
from overbudget.kernels.otlp import CODE_NUMBERS, KIND_NUMBERS


def is_clickhouse(record: Record) -> bool:
    """A row of JSONEachRow, or all rows in the `data` of the format JSON."""
    if isinstance(record.get("data"), list):
        return any(is_clickhouse(one) for one in objects_of(record["data"])[:3])
    return {"TraceId", "SpanId", "SpanName"} <= record.keys()


def of_clickhouse(records: Iterable[Record]) -> list[Record]:
    """Resource spans of rows of `otel_traces`. It keeps no attributes of scopes and no flags."""
    grouped = Grouped()
    for record in records:
        for row in grouped.rows_of(record):
            resource = dict(object_of(row.get("ResourceAttributes")))
            if row.get("ServiceName"):
                resource.setdefault("service.name", row["ServiceName"])
            grouped.add(_span(row), resource, text(row.get("ScopeName")), text(row.get("ScopeVersion")))
    return grouped.resource_spans()


def _span(row: Record) -> Record:
    start, duration = ns_of(row.get("Timestamp")), _whole(row.get("Duration"))
    timed = isinstance(start, int) and isinstance(duration, int)
    kind = str(row.get("SpanKind")).upper().removeprefix("SPAN_KIND_")
    code = str(row.get("StatusCode")).upper().removeprefix("STATUS_CODE_")
    return {
        "traceId": text(row.get("TraceId")),
        "spanId": text(row.get("SpanId")),
        "parentSpanId": text(row.get("ParentSpanId")),
        "traceState": text(row.get("TraceState")),
        "name": text(row.get("SpanName")),
        "kind": KIND_NUMBERS.get(kind, 0),
        "startTimeUnixNano": start,
        "endTimeUnixNano": start + duration if timed else None,
        "status": {"code": CODE_NUMBERS.get(code, 0), "message": text(row.get("StatusMessage"))},
        "attributes": attributes(row.get("SpanAttributes")),
        "events": [
            {"timeUnixNano": ns_of(time), "name": text(name), "attributes": attributes(given)}
            for time, name, given in _lists(row, "Events", "Timestamp", "Name", "Attributes")
        ],
        "links": [
            {"traceId": text(trace), "spanId": text(span), "attributes": attributes(given)}
            for trace, span, given in _lists(row, "Links", "TraceId", "SpanId", "Attributes")
        ],
    }


def _whole(value: Any) -> Any:
    """ClickHouse quotes 64-bit numbers, or not: output_format_json_quote_64bit_integers."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else value


def _lists(row: Record, nested: str, *names: str) -> Iterable[tuple[Any, ...]]:
    """The columns of a nested column, row by row: `Events.Name` beside one another, or objects where they were not flattened."""
    whole = row.get(nested)
    if isinstance(whole, list):
        return [tuple(one.get(name) for name in names) for one in objects_of(whole)]
    inner = object_of(whole)
    columns = [row.get(f"{nested}.{name}", inner.get(name)) for name in names]
    return zip(*(column if isinstance(column, list) else [] for column in columns), strict=False)

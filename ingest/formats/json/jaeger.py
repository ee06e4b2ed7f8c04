"""Traces as Jaeger's query API has always returned them (`data[].spans` with `processes`), as OTLP records.

The translation is that of the OpenTelemetry collector: microseconds, the parent is the first CHILD_OF
reference of the same trace or else its first FOLLOWS_FROM; other references become links. Values of the wrong type become
OTLP of the wrong type, which `dialects` reports, or are reported here where OTLP has no place for them.
Ids are left as they are written: old Jaeger left out leading zeros, test cases name spans A and B (kernels/text_ids.py).
Times that count from the start of the trace, as test cases have them, are put into the first days of 1970.
"""

from typing import Any

from overbudget.ingest.formats.json.values import INT64, Unusable, shown, whole
from overbudget.ingest.report import FileReport
from overbudget.kernels.otlp import KIND_NUMBERS
from overbudget.kernels.text_ids import id_of_text

Record = dict[str, Any]

_RELATIVE, _SECOND = 10**12, 10**6  # microseconds; the first is in January 1970
_KINDS = {kind.lower(): number for kind, number in KIND_NUMBERS.items()}
_CODES = {"OK": 1, "ERROR": 2}
_PROCESS_KEYS = {"hostname": "host.name", "jaeger.version": "opencensus.exporterversion"}


def spans_of_jaeger(trace: Record, report: FileReport) -> list[Record]:
    """One resource-spans record per process of a trace."""
    processes = trace.get("processes") or {}
    if not isinstance(processes, dict):
        report.warn("unreadable_record", f"processes of a trace: {shown(processes)} is not an object")
        processes = {}
    by_process: dict[str, list[Record]] = {}
    spans = _list(trace.get("spans"), "spans of a trace", report)
    if offset := _offset(spans):
        report.warn("relative_times", f"a trace that starts {offset[1]} us after 0")
        spans = [_moved(span, offset[0]) for span in spans]
    for span in spans:
        if isinstance(span, dict):
            by_process.setdefault(shown(span.get("processID") or ""), []).append(span)
        else:
            report.reject("unreadable_span", f"{shown(span)} is not an object")
    return [
        {"resource": {"attributes": _resource(processes.get(process), report)}, "scopeSpans": _scopes(spans, report)}
        for process, spans in by_process.items()
    ]


def _offset(spans: list[Any]) -> tuple[int, int] | None:
    """How many microseconds to add to times that count from the start of a trace, and its start; None where they do not."""
    starts = [span.get("startTime") for span in spans if isinstance(span, dict)]
    numbers = [start for start in starts if isinstance(start, int | float) and not isinstance(start, bool)]
    first = min(numbers, default=_RELATIVE)
    return (_SECOND - round(min(first, 0)), round(first)) if -_RELATIVE < first < _RELATIVE else None


def _moved(span: Any, offset: int) -> Any:
    """A span so much later."""
    if not isinstance(span, dict):
        return span
    logs = span.get("logs")
    moved = {**span, "startTime": _plus(span.get("startTime"), offset)}
    if isinstance(logs, list):
        moved["logs"] = [
            {**log, "timestamp": _plus(log.get("timestamp"), offset)} if isinstance(log, dict) else log for log in logs
        ]
    return moved


def _plus(time: Any, offset: int) -> Any:
    return time + offset if isinstance(time, int | float) and not isinstance(time, bool) else time


def _list(value: Any, what: str, report: FileReport) -> list[Any]:
    """A list; empty where it is absent, or not a list (which is reported)."""
    if value is None or isinstance(value, list):
        return value or []
    report.warn("unreadable_record", f"{what}: {shown(value)} is not a list")
    return []


def _tags(value: Any, what: str, report: FileReport) -> list[Record]:
    """The tags in a list; items that are not objects are reported."""
    tags = []
    for tag in _list(value, what, report):
        if isinstance(tag, dict):
            tags.append(tag)
        else:
            report.warn("unreadable_attribute", f"{what}: {shown(tag)} is not an object")
    return tags


def _resource(process: Any, report: FileReport) -> list[Record]:
    if process is None:
        return []
    if not isinstance(process, dict):
        report.warn("unreadable_record", f"a process of a trace: {shown(process)} is not an object")
        return []
    named = [{"key": "service.name", "value": {"stringValue": process.get("serviceName") or ""}}]
    tags = _tags(process.get("tags"), "tags of a process", report)
    return named + [
        _attribute({**tag, "key": _PROCESS_KEYS.get(shown(tag.get("key")), tag.get("key"))}) for tag in tags
    ]


def _scopes(spans: list[Record], report: FileReport) -> list[Record]:
    scopes: dict[tuple[str, str], list[Record]] = {}
    for span in spans:
        given = _tags(span.get("tags"), "tags of a span", report)
        tags = {tag["key"]: tag.get("value") for tag in given if isinstance(tag.get("key"), str)}
        name = tags.get("otel.scope.name") or tags.get("otel.library.name") or ""
        version = tags.get("otel.scope.version") or tags.get("otel.library.version") or ""
        read = _span(span, given, tags, report)
        if read is not None:
            scopes.setdefault((shown(name), shown(version)), []).append(read)
    return [{"scope": {"name": name, "version": version}, "spans": found} for (name, version), found in scopes.items()]


_TAKEN = {
    "span.kind", "otel.status_code", "otel.status_description", "otel.scope.name", "otel.scope.version",
    "otel.library.name", "otel.library.version", "w3c.tracestate",
}  # fmt: skip


def _span(span: Record, given: list[Record], tags: Record, report: FileReport) -> Record | None:
    """A span with its tags, as a list and by their keys; None where it is rejected."""
    references = [r for r in _list(span.get("references"), "references of a span", report) if isinstance(r, dict)]
    same = [r for r in references if _same(r.get("traceID"), span.get("traceID"))]
    parent = next((r for r in same if r.get("refType") == "CHILD_OF"), next(iter(same), None))
    parent_id = parent.get("spanID") if parent else span.get("parentSpanID")
    try:
        start, took = _microseconds(span.get("startTime")), _microseconds(span.get("duration"))
    except Unusable as error:
        report.reject(error.code, f"span {shown(span.get('operationName'))!r}: {error}")
        return None
    failed = tags.get("error") is True
    code = _CODES.get(shown(tags.get("otel.status_code", "")).upper(), 2 if failed else 0)
    kept = [tag for tag in given if shown(tag.get("key")) not in _TAKEN]
    if failed:
        kept = [tag for tag in kept if tag.get("key") != "error"]
    return {
        "traceId": span.get("traceID"),
        "spanId": span.get("spanID"),
        "parentSpanId": parent_id,
        "traceState": tags.get("w3c.tracestate") or "",
        "name": span.get("operationName"),
        "kind": _KINDS.get(shown(tags.get("span.kind", "")).lower(), 0),
        "startTimeUnixNano": start,
        "endTimeUnixNano": start + took if start else None,
        "attributes": [_attribute(tag) for tag in kept],
        "status": {"code": code, "message": tags.get("otel.status_description") or ""},
        "events": [_event(log, report) for log in _list(span.get("logs"), "logs of a span", report)],
        "links": [_link(r) for r in references if r is not parent or r.get("refType") != "CHILD_OF"],
    }


def _microseconds(value: Any) -> int:
    """A time or a duration in microseconds, as ns; 0 where it is absent. Errors: Unusable where it is not a number."""
    return 1_000 * whole(value, "bad_time", 0, INT64 // 1_000)


def _same(one: Any, other: Any) -> bool:
    """Whether two ids of traces are one, with or without their leading zeros."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other or id_of_text(one, 32) == id_of_text(other, 32)
    return bool(one == other)


_TYPED = {"int64": "intValue", "float64": "doubleValue", "bool": "boolValue", "binary": "bytesValue"}


def _attribute(tag: Record) -> Record:
    value, kind = tag.get("value"), _TYPED.get(shown(tag.get("type")))
    if kind is None:
        kind = "stringValue"
        if isinstance(value, bool):
            kind = "boolValue"
        elif isinstance(value, int | float):
            kind = "intValue" if isinstance(value, int) else "doubleValue"
    return {"key": tag.get("key"), "value": {kind: value}}


def _event(log: Any, report: FileReport) -> Any:
    if not isinstance(log, dict):
        return log
    fields = _tags(log.get("fields"), "fields of a log", report)
    name = next((field.get("value") for field in fields if field.get("key") == "event"), "")
    try:
        time: int | None = _microseconds(log.get("timestamp"))
    except Unusable as error:
        report.warn("bad_time", f"an event: {error}; taken as absent")
        time = None
    return {
        "timeUnixNano": time,
        "name": shown(name),
        "attributes": [_attribute(field) for field in fields if field.get("key") != "event"],
    }


def _link(reference: Record) -> Record:
    return {
        "traceId": reference.get("traceID"),
        "spanId": reference.get("spanID"),
        "attributes": [
            {"key": "opentracing.ref_type", "value": {"stringValue": shown(reference.get("refType") or "").lower()}}
        ],
    }

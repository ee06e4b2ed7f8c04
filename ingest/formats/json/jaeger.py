"""Traces as Jaeger's query API has always returned them (`data[].spans` with `processes`), as OTLP records.

The translation is that of the OpenTelemetry collector: microseconds, ids padded, the parent is the first CHILD_OF
reference of the same trace or else its first FOLLOWS_FROM; other references become links.
"""

from typing import Any

from overbudget.ingest.report import FileReport
from overbudget.kernels.otlp import KINDS

Record = dict[str, Any]

_KINDS = {kind.lower(): number for number, kind in enumerate(KINDS)}
_CODES = {"OK": 1, "ERROR": 2}
_PROCESS_KEYS = {"hostname": "host.name", "jaeger.version": "opencensus.exporterversion"}


def spans_of_jaeger(trace: Record, report: FileReport) -> list[Record]:
    """One resource-spans record per process of a trace."""
    processes = trace.get("processes") or {}
    by_process: dict[str, list[Record]] = {}
    for span in trace.get("spans") or []:
        if isinstance(span, dict):
            by_process.setdefault(str(span.get("processID", "")), []).append(span)
        else:
            report.reject("unreadable_span", f"{str(span)[:60]} is not an object")
    return [
        {"resource": {"attributes": _resource(processes.get(process))}, "scopeSpans": _scopes(spans)}
        for process, spans in by_process.items()
    ]


def _resource(process: Any) -> list[Record]:
    if not isinstance(process, dict):
        return []
    named = [{"key": "service.name", "value": {"stringValue": process.get("serviceName") or ""}}]
    tags = [{**tag, "key": _PROCESS_KEYS.get(tag.get("key"), tag.get("key"))} for tag in process.get("tags") or []]
    return named + [_attribute(tag) for tag in tags]


def _scopes(spans: list[Record]) -> list[Record]:
    scopes: dict[tuple[str, str], list[Record]] = {}
    for span in spans:
        tags: Record = {
            str(tag.get("key")): tag.get("value") for tag in span.get("tags") or [] if isinstance(tag, dict)
        }
        name = tags.get("otel.scope.name") or tags.get("otel.library.name") or ""
        version = tags.get("otel.scope.version") or tags.get("otel.library.version") or ""
        scopes.setdefault((name, version), []).append(_span(span, tags))
    return [{"scope": {"name": name, "version": version}, "spans": found} for (name, version), found in scopes.items()]


_TAKEN = {
    "span.kind", "otel.status_code", "otel.status_description", "otel.scope.name", "otel.scope.version",
    "otel.library.name", "otel.library.version", "w3c.tracestate",
}  # fmt: skip


def _span(span: Record, tags: Record) -> Record:
    trace_id = _padded(span.get("traceID"), 32)
    references = [reference for reference in span.get("references") or [] if isinstance(reference, dict)]
    same = [r for r in references if _padded(r.get("traceID"), 32) == trace_id]
    parent = next((r for r in same if r.get("refType") == "CHILD_OF"), next(iter(same), None))
    parent_id = _padded(parent.get("spanID"), 16) if parent else _padded(span.get("parentSpanID"), 16)
    start, duration = span.get("startTime"), span.get("duration") or 0
    times = {"startTimeUnixNano": start, "endTimeUnixNano": None}
    if isinstance(start, int) and isinstance(duration, int):
        times = {"startTimeUnixNano": start * 1_000, "endTimeUnixNano": (start + duration) * 1_000}
    failed = tags.get("error") is True
    code = _CODES.get(str(tags.get("otel.status_code", "")).upper(), 2 if failed else 0)
    kept = [tag for tag in span.get("tags") or [] if isinstance(tag, dict) and tag.get("key") not in _TAKEN]
    if failed:
        kept = [tag for tag in kept if tag.get("key") != "error"]
    return {
        "traceId": trace_id,
        "spanId": _padded(span.get("spanID"), 16),
        "parentSpanId": parent_id,
        "traceState": tags.get("w3c.tracestate") or "",
        "name": span.get("operationName"),
        "kind": _KINDS.get(str(tags.get("span.kind", "")).lower(), 0),
        **times,
        "attributes": [_attribute(tag) for tag in kept],
        "status": {"code": code, "message": tags.get("otel.status_description") or ""},
        "events": [_event(log) for log in span.get("logs") or []],
        "links": [_link(r) for r in references if r is not parent or r.get("refType") != "CHILD_OF"],
    }


def _padded(value: Any, digits: int) -> Any:
    """Old Jaeger printed ids without their leading zeros."""
    return value.rjust(digits, "0") if isinstance(value, str) and value else value


def _attribute(tag: Record) -> Record:
    value, kind = tag.get("value"), tag.get("type")
    if kind == "binary":
        return {"key": tag.get("key"), "value": {"bytesValue": value}}
    if kind in ("int64", "float64", "bool"):
        return {
            "key": tag.get("key"),
            "value": {{"int64": "intValue", "float64": "doubleValue", "bool": "boolValue"}[kind]: value},
        }
    if isinstance(value, bool):
        return {"key": tag.get("key"), "value": {"boolValue": value}}
    if isinstance(value, int | float):
        return {"key": tag.get("key"), "value": {"intValue" if isinstance(value, int) else "doubleValue": value}}
    return {"key": tag.get("key"), "value": {"stringValue": value}}


def _event(log: Record) -> Record:
    fields = [field for field in log.get("fields") or [] if isinstance(field, dict)]
    name = next((field.get("value") for field in fields if field.get("key") == "event"), "")
    time = log.get("timestamp")
    return {
        "timeUnixNano": time * 1_000 if isinstance(time, int) else None,
        "name": name if isinstance(name, str) else str(name),
        "attributes": [_attribute(field) for field in fields if field.get("key") != "event"],
    }


def _link(reference: Record) -> Record:
    kind = str(reference.get("refType", "")).lower()
    return {
        "traceId": _padded(reference.get("traceID"), 32),
        "spanId": _padded(reference.get("spanID"), 16),
        "attributes": [{"key": "opentracing.ref_type", "value": {"stringValue": kind}}],
    }

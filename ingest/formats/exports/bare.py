"""OTLP without the envelope that its specification asks for: resource spans, scope spans or spans for themselves."""

from collections.abc import Iterable
from typing import Any

from overbudget.ingest.formats.exports.otlp import Record, attributes, object_of, objects_of, only_one
from overbudget.ingest.formats.exports.times import ns_of

_SCOPE_SPANS = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans")
_STARTS = ("startTimeUnixNano", "start_time_unix_nano", "startTime", "start_time")
_ENDS = ("endTimeUnixNano", "end_time_unix_nano", "endTime", "end_time")
_SERVICES = ("serviceName", "service_name", "service")
_AROUND = ("resource", "scope", "instrumentationScope", *_SERVICES)


def is_resource_spans(record: Record) -> bool:
    """One ResourceSpans message."""
    return any(isinstance(record.get(key), list) for key in _SCOPE_SPANS)


def of_resource_spans(records: Iterable[Record]) -> list[Record]:
    """The messages as they are."""
    return list(records)


def is_span(record: Record) -> bool:
    """One Span message, or one ScopeSpans message."""
    spans = objects_of(record.get("spans"))
    if spans and "processes" not in record and is_span(spans[0]):
        return True
    ids = {"traceId", "spanId"} <= record.keys() or {"trace_id", "span_id"} <= record.keys()
    return ids and any(key in record for key in _STARTS) and not _is_plain(record)


def _is_plain(record: Record) -> bool:
    """A span in the names of OpenTelemetry's Python SDK, whose attributes are an object."""
    return "start_time" in record and "trace_id" in record and not isinstance(record.get("attributes"), list)


def of_spans(records: Iterable[Record]) -> list[Record]:
    """Resource spans around spans: those of one resource and scope that follow on one another together."""
    out: list[Record] = []
    for record in records:
        if "spans" in record and "spanId" not in record and "span_id" not in record:
            out.append({"scopeSpans": [record]})
            continue
        around = {key: record[key] for key in _AROUND if key in record}
        if not out or out[-1].get("around") != around:
            out.append({"around": around, **_enclosing(around), "scopeSpans": [{**_scope(around), "spans": []}]})
        out[-1]["scopeSpans"][0]["spans"].append(_span(record))
    return [{key: value for key, value in one.items() if key != "around"} for one in out]


def _enclosing(around: Record) -> Record:
    resource = object_of(around.get("resource"))
    given = resource.get("attributes", resource if resource else None)
    found = given if isinstance(given, list) else attributes(given)
    service = only_one(around.get(key) for key in _SERVICES)
    if isinstance(service, str) and not any(object_of(one).get("key") == "service.name" for one in found):
        found = [*found, *attributes({"service.name": service})]
    return {"resource": {"attributes": found}}


def _scope(around: Record) -> Record:
    scope = around.get("scope") or around.get("instrumentationScope")
    return {"scope": scope} if isinstance(scope, dict) else {"scope": {"name": scope}} if isinstance(scope, str) else {}


def _span(record: Record) -> Record:
    """The span as OTLP writes it: attributes may be an object, times have other names."""
    span = {key: value for key, value in record.items() if key not in _AROUND}
    if isinstance(record.get("attributes"), dict):
        span["attributes"] = attributes(record["attributes"])
    for names in (_STARTS, _ENDS):
        span.update(_renamed(record, names))
    return span


def _renamed(record: Record, names: tuple[str, ...]) -> dict[str, Any]:
    if any(name in record for name in names[:2]):
        return {}
    return {names[0]: ns_of(only_one(record.get(name) for name in names))}

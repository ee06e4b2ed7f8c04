"""Any dialect of OTLP/JSON, record by record, as Python objects. Slower than the kernel, and understands everything.

snake_case keys, base64 ids, enum names, numbers as text or not, nested values, older envelopes, and what the query
APIs of Tempo and Jaeger return. Values become text here, as they are stored.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from overbudget.ingest.formats.buffers import DOUBLE, EMPTY, TEXT
from overbudget.ingest.formats.json.jaeger import spans_of_jaeger
from overbudget.ingest.formats.json.lines import SHORTEST_SPAN, lines_with_objects, other_lines, why_no_object
from overbudget.ingest.formats.json.parse import parsed
from overbudget.ingest.formats.json.scanner import whole_part
from overbudget.ingest.formats.json.values import (
    Unusable,
    count,
    enum,
    identifier,
    instant,
    plain_of,
    shown,
    text_of,
)
from overbudget.ingest.formats.kernel_reader import OTHER_SIGNALS
from overbudget.ingest.formats.translate import resource_spans_of, warn_of_depths
from overbudget.ingest.report import FileReport
from overbudget.kernels.otlp import CODE_NUMBERS, KIND_NUMBERS

Record = dict[str, Any]
Attribute = tuple[str, int, str]  # key, kind of value (see formats/buffers.py), text
T = TypeVar("T")
_ENVELOPES = 4  # objects around the records that a query API may return, in one another

_RESOURCE_SPANS = ("resourceSpans", "resource_spans", "batches")
_SCOPE_SPANS = (
    "scopeSpans",
    "scope_spans",
    "deprecatedScopeSpans",
    "deprecated_scope_spans",
    "instrumentationLibrarySpans",
    "instrumentation_library_spans",
)
_OTHER = (
    "resourceMetrics",
    "resource_metrics",
    "resourceLogs",
    "resource_logs",
    "resourceProfiles",
    "resource_profiles",
)
_OF_AN_ERROR = {"error", "errors", "code", "message", "status", "details", "data", "total", "limit", "offset"}
KIND_NAMES = {f"SPAN_KIND_{name}": number for name, number in KIND_NUMBERS.items()}
STATUS_NAMES = {f"STATUS_CODE_{name}": number for name, number in CODE_NUMBERS.items()}
# What would fill the memory is no trace: each object takes a hundred bytes of it, however short it is in the dump.
MOST_OBJECTS = 2_000_000  # of a record, which is 16 MB long unless it cannot be cut
MANY_OBJECTS, LEAST_BYTES = (
    500_000,
    12,
)  # of a piece, and of an object where there are so many: those of OTLP take eighteen


def records(piece: bytes, report: FileReport, may_be_broken: bool = True) -> Iterator[list[Record]]:
    """The resource spans of each record of traces in a piece of JSON lines, as `rows.columns_of` takes them.

    Anything that is not a record of traces is reported (`unreadable_record`, `other_signals`); a span that cannot be read
    is rejected, the rest of its record kept. Of a broken record the part before the break is kept.
    """
    objects = piece.count(b"{")
    if objects > MANY_OBJECTS and objects * LEAST_BYTES > len(piece):
        report.warn("unreadable_record", f"{objects:,} objects in {len(piece) >> 20} MB are no traces")
        return
    first, count_of_others = other_lines(piece)
    if count_of_others:
        report.warn("unreadable_record", why_no_object(first), count_of_others)
    for line in lines_with_objects(piece):
        if line.count(b"{") > MOST_OBJECTS or line.count(b"[") > MOST_OBJECTS:
            report.warn(
                "unreadable_record", f"more than {MOST_OBJECTS:,} objects in {len(line) >> 20} MB are no traces"
            )
            continue
        try:
            record, deep = parsed(line, report)
        except json.JSONDecodeError as error:
            before = error.doc[: error.pos].encode("utf-8", "replace")
            near = error.doc[max(0, error.pos - 40) :][:80]
            report.warn("unreadable_record", f"{error.msg} at character {error.pos} of a record, near {near}")
            for part in whole_part(before) if may_be_broken and len(line) >= SHORTEST_SPAN else ():
                yield from records(part, report, may_be_broken=False)
            continue
        warn_of_depths(record, deep, report)
        for found in _envelopes(record, report):
            yield [_resource_spans(one, report) for one in _around(found, report)]


def _field(record: Record, camel: str, snake: str | None = None) -> Any:
    """A field by its lowerCamelCase name or its snake_case twin; None where absent."""
    if camel in record:
        return record[camel]
    return record.get(snake) if snake else None


def _envelopes(record: Any, report: FileReport, levels: int = _ENVELOPES) -> Iterator[list[Any]]:
    """The lists of resource spans in a record, whatever is wrapped around them."""
    if levels == 0:
        report.warn("unreadable_record", f"more than {_ENVELOPES} envelopes around a trace")
        return
    if not isinstance(record, dict):
        report.warn("unreadable_record", f"a JSON {type(record).__name__} where an object should be")
        return
    for key in _RESOURCE_SPANS:
        if key in record:
            if any(other in record for other in _OTHER):
                report.warn(*OTHER_SIGNALS)
            found = record[key]
            if found is None:
                found = []
            if isinstance(found, list):
                if record.get("status") == "PARTIAL":
                    report.warn("partial_trace", "the query API returned only a part of the trace")
                yield found
            else:
                report.warn("unreadable_record", f"{key} is not a list")
            return
    if isinstance(record.get("trace"), dict) and "observations" not in record:  # Tempo's API, version 2
        yield from _envelopes({**record["trace"], "status": record.get("status")}, report, levels - 1)
    elif isinstance(record.get("result"), dict):  # Jaeger's API, version 3
        yield from _envelopes(record["result"], report, levels - 1)
    elif record.get("error") and record.keys() <= _OF_AN_ERROR:
        said = record["error"]
        message = said.get("message") if isinstance(said, dict) else said
        report.warn("unreadable_record", f"the query API returned an error: {shown(message)}")
    elif _is_jaeger(record):
        traces = record["data"] if isinstance(record.get("data"), list) else [record]
        yield [resource for trace in traces if isinstance(trace, dict) for resource in spans_of_jaeger(trace, report)]
    elif "trace" in record and not record["trace"] and "observations" not in record:  # an empty trace of Tempo's API
        yield []
    elif any(key in record for key in _OTHER):
        report.warn(*OTHER_SIGNALS)
    elif record:
        yield from resource_spans_of(record, report)


def _is_jaeger(record: Record) -> bool:
    data = record.get("data")
    if isinstance(data, list):
        return not data or any(isinstance(one, dict) and "spans" in one for one in data)
    return "spans" in record and "processes" in record


def _resource_spans(one: Record, report: FileReport) -> Record:
    def read_attributes() -> list[Attribute]:
        return _attributes(_object(_field(one, "resource")).get("attributes"), report)

    scopes = [scope for key in _SCOPE_SPANS for scope in _around(one.get(key), report)]
    return {
        "attributes": _readable(read_attributes, list[Attribute](), report),
        "scopeSpans": [_scope_spans(scope, report) for scope in scopes],
        "schemaUrl": _readable(lambda: _text(_field(one, "schemaUrl", "schema_url")), "", report),
    }


def _around(value: Any, report: FileReport) -> list[Record]:
    """The objects of a list that contains spans. Items that are not objects are reported."""
    if not isinstance(value or [], list):
        report.warn("unreadable_record", f"around spans: {shown(value)[:40]} is not a list")
        return []
    items = [item for item in value or [] if item is not None]
    for item in items:
        if not isinstance(item, dict):
            report.warn("unreadable_record", f"around spans: {shown(item)[:40]} is not an object")
    return [item for item in items if isinstance(item, dict)]


def _readable(read: Callable[[], T], otherwise: T, report: FileReport) -> T:
    """A value around spans, or `otherwise` where it has the wrong type: that is reported and costs no span."""
    try:
        return read()
    except Unusable as error:
        report.warn("unreadable_record", f"around spans: {error}")
        return otherwise


def _object(value: Any) -> Record:
    """An object; empty where it is absent."""
    if not isinstance(value or {}, dict):
        raise Unusable("unreadable_span", f"{shown(value)[:40]} is not an object")
    return value or {}


def _each(what: str, given: Any, read: Callable[[Record, FileReport], Record], report: FileReport) -> list[Record]:
    """The events or links of a span. One that cannot be read is reported and left out."""
    if not isinstance(given or [], list):
        report.warn(f"unreadable_{what}", f"the {what}s of a span are not a list: {shown(given)[:40]}")
        return []
    found = []
    for one in given or []:
        try:
            found.append(read(_object(one), report))
        except Unusable as error:
            report.warn(f"unreadable_{what}", str(error))
    return found


def _scope_spans(one: Record, report: FileReport) -> Record:
    def read_scope() -> Record:
        scope = _object(_field(one, "scope") or _field(one, "instrumentationLibrary", "instrumentation_library"))
        return {
            "name": _text(scope.get("name")),
            "version": _text(scope.get("version")),
            "attributes": _attributes(scope.get("attributes"), report),
        }

    spans = []
    given = one.get("spans") or []
    if not isinstance(given, list):
        report.warn("unreadable_record", f"around spans: {shown(given)[:40]} is not a list")
        given = []
    for span in given:
        try:
            spans.append(_span(span, report))
        except Unusable as error:
            name = span.get("name") if isinstance(span, dict) else None
            report.reject(error.code, f"span {name!r}: {error}")
    return {
        **_readable(read_scope, {"name": "", "version": "", "attributes": []}, report),
        "spans": spans,
        "schemaUrl": _readable(lambda: _text(_field(one, "schemaUrl", "schema_url")), "", report),
    }


def _span(span: Any, report: FileReport) -> Record:
    if not isinstance(span, dict):
        raise Unusable("unreadable_span", "not an object")
    status = _object(_field(span, "status"))
    return {
        "traceId": identifier(_field(span, "traceId", "trace_id"), 16, report),
        "spanId": identifier(_field(span, "spanId", "span_id"), 8, report),
        "parentSpanId": identifier(_field(span, "parentSpanId", "parent_span_id"), 8, report),
        "traceState": _text(_field(span, "traceState", "trace_state")),
        "flags": count(span.get("flags")),
        "name": _text(span.get("name")),
        "kind": enum(span.get("kind"), KIND_NAMES, report),
        "start": instant(_field(span, "startTimeUnixNano", "start_time_unix_nano")),
        "end": instant(_field(span, "endTimeUnixNano", "end_time_unix_nano")),
        "attributes": _attributes(span.get("attributes"), report),
        "code": enum(status.get("code"), STATUS_NAMES, report),
        "message": _text(status.get("message")),
        "events": _each("event", span.get("events"), _event, report),
        "links": _each("link", span.get("links"), _link, report),
        "dropped": (
            _dropped(span),
            count(_field(span, "droppedEventsCount", "dropped_events_count")),
            count(_field(span, "droppedLinksCount", "dropped_links_count")),
        ),
    }


def _event(event: Record, report: FileReport) -> Record:
    return {
        "time": instant(_field(event, "timeUnixNano", "time_unix_nano")),
        "name": _text(event.get("name")),
        "attributes": _attributes(event.get("attributes"), report),
        "dropped": _dropped(event),
    }


def _link(link: Record, report: FileReport) -> Record:
    return {
        "traceId": identifier(_field(link, "traceId", "trace_id"), 16, report),
        "spanId": identifier(_field(link, "spanId", "span_id"), 8, report),
        "traceState": _text(_field(link, "traceState", "trace_state")),
        "flags": count(link.get("flags")),
        "attributes": _attributes(link.get("attributes"), report),
        "dropped": _dropped(link),
    }


def _dropped(record: Record) -> int:
    return count(_field(record, "droppedAttributesCount", "dropped_attributes_count"))


def _attributes(attributes: Any, report: FileReport) -> list[Attribute]:
    """An attribute list. An attribute that cannot be read is reported and left empty."""
    if attributes is None:
        return []
    if not isinstance(attributes, list):
        report.warn("unreadable_attribute", f"attributes are not a list: {shown(attributes)[:40]}")
        return []
    found = []
    for attribute in attributes:
        try:
            found.append(_attribute(attribute))
        except Unusable as error:
            key = attribute.get("key") if isinstance(attribute, dict) else None
            report.warn("unreadable_attribute", f"{shown(key)[:60]}: {error}" if key is not None else str(error))
            if isinstance(key, str):
                found.append((key, EMPTY, ""))
    return found


def _attribute(attribute: Any) -> Attribute:
    """Errors: Unusable."""
    if not isinstance(attribute, dict):
        raise Unusable("unreadable_attribute", f"{shown(attribute)[:40]} is not an object")
    plain, key = plain_of(attribute.get("value")), _text(attribute.get("key"))
    if plain is None:
        return key, EMPTY, ""
    if isinstance(plain, float):
        return key, DOUBLE, repr(plain)
    return key, TEXT, text_of(plain)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unusable("unreadable_span", f"{shown(value)[:40]} is not text")
    return value

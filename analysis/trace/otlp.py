"""A trace as OTLP/JSON: for a colleague, another tool, or `overbudget ingest`."""

from typing import Any

import duckdb

from overbudget.kernels.otlp import KINDS, STATUS_CODES, number_of


def trace_otlp(connection: duckdb.DuckDBPyConnection, trace_id: str) -> dict[str, Any]:
    """Everything the dataset holds of a trace, as the JSON encoding of an ExportTraceServiceRequest.

    Attribute values are text, as in the relations. Times are as recorded, before any shift of clocks. A trace that is not in
    the dataset gives no spans.
    """
    resources: dict[tuple[int, int], dict[str, Any]] = {}
    events, links = _events(connection, trace_id), _links(connection, trace_id)
    for number, resource_id, scope_id, resource, resource_url, scope, version, said, scope_url, *own in _rows(
        connection, _SPANS, trace_id
    ):
        key = resource_id, scope_id
        if key not in resources:
            resources[key] = {
                "resource": {"attributes": _attributes(resource)},
                "schemaUrl": resource_url or "",
                "scopeSpans": [
                    {
                        "scope": {"name": scope or "", "version": version or "", "attributes": _attributes(said)},
                        "schemaUrl": scope_url or "",
                        "spans": [],
                    }
                ],
            }
        span = _span(trace_id, *own)
        span |= {"events": events[number]} if number in events else {}
        span |= {"links": links[number]} if number in links else {}
        resources[key]["scopeSpans"][0]["spans"].append(span)
    return {"resourceSpans": list(resources.values())}


def _span(
    trace_id: str, span_id: str, parent: str, state: str, flags: int, name: str, kind: str, start: int, end: int,
    status: str, message: str, attributes: dict[str, str | None], no_attributes: int, no_events: int, no_links: int,
) -> dict[str, Any]:  # fmt: skip
    said = {
        "traceId": trace_id,
        "spanId": span_id,
        "parentSpanId": parent,
        "traceState": state,
        "flags": flags,
        "name": name,
        "kind": number_of(kind, KINDS),
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": None if end is None else str(end),
        "attributes": _attributes(attributes),
        "droppedAttributesCount": no_attributes,
        "droppedEventsCount": no_events,
        "droppedLinksCount": no_links,
        "status": {"code": number_of(status, STATUS_CODES), "message": message or ""}
        if status != "UNSET" or message
        else None,
    }
    return {key: value for key, value in said.items() if value not in (None, "", 0, [])} | {"kind": said["kind"]}


def _events(connection: duckdb.DuckDBPyConnection, trace_id: str) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for number, time, name, attributes, dropped in _rows(connection, _EVENTS, trace_id):
        event = {"timeUnixNano": str(time or 0), "name": name or "", "attributes": _attributes(attributes)}
        found.setdefault(number, []).append(event | ({"droppedAttributesCount": dropped} if dropped else {}))
    return found


def _links(connection: duckdb.DuckDBPyConnection, trace_id: str) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for number, other, span, attributes, state, flags, dropped in _rows(connection, _LINKS, trace_id):
        link = {"traceId": other or "", "spanId": span or "", "attributes": _attributes(attributes)}
        more = {"traceState": state, "flags": flags, "droppedAttributesCount": dropped}
        found.setdefault(number, []).append(link | {key: value for key, value in more.items() if value})
    return found


def _attributes(said: dict[str, str | None] | None) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {} if value is None else {"stringValue": value}} for key, value in (said or {}).items()
    ]


def _rows(connection: duckdb.DuckDBPyConnection, query: str, trace_id: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = connection.cursor().execute(query, [trace_id]).fetchall()
    return rows


_SPANS = """
SELECT s.span_no, s.resource_id, s.scope_id, map_from_entries(r.attributes), r.schema_url, c.name, c.version,
    map_from_entries(c.attributes), c.schema_url, s.span_id, s.parent_span_id, s.trace_state, s.flags,
    coalesce(s.name, o.name), o.kind, s.start_ns,
    s.end_ns, s.status_code, s.status_message, map_from_entries(s.attributes), s.dropped_attributes_count, s.dropped_events_count,
    s.dropped_links_count
FROM data.spans s JOIN operations o USING (operation_id) JOIN data.resources r USING (resource_id)
JOIN data.scopes c USING (scope_id) WHERE s.trace_id = $1 ORDER BY s.start_ns, s.span_no
"""

_EVENTS = """
SELECT e.span_no, e.time_ns, e.name, map_from_entries(e.attributes), e.dropped_attributes_count
FROM data.events e JOIN data.spans s USING (span_no) WHERE s.trace_id = $1
"""

_LINKS = """
SELECT l.span_no, l.linked_trace_id, l.linked_span_id, map_from_entries(l.attributes), l.trace_state, l.flags,
    l.dropped_attributes_count
FROM data.links l JOIN data.spans s USING (span_no) WHERE s.trace_id = $1
"""

"""Span batches from plain dicts, for tests of what comes after the readers."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from overbudget.ingest.batch import EVENTS, LINKS, RESOURCES, SCOPES, SPANS, SpanBatch

SPAN = {
    "trace_id": "0" * 31 + "1", "span_id": "0" * 15 + "1", "parent_span_id": None, "trace_state": "", "flags": 0,
    "name": "work", "kind": "INTERNAL", "start_ns": 1_000, "end_ns": 2_000, "status_code": "UNSET", "status_message": "",
    "attributes": {}, "dropped_attributes_count": 0, "dropped_events_count": 0, "dropped_links_count": 0,
    "resource": 0, "scope": 0,
}  # fmt: skip


def entries(attributes: dict[str, str | None]) -> list[dict[str, str | None]]:
    return [{"key": key, "value": value} for key, value in attributes.items()]


def table(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows with that schema; `attributes` are given as a dict."""
    plain = [{**row, "attributes": entries(row["attributes"])} for row in rows]
    return pa.Table.from_pylist(plain, schema=schema)


def batch(
    spans: Sequence[dict[str, Any]],
    services: Sequence[str] = ("shop",),
    scopes: Sequence[str] = ("lib",),
    events: Sequence[dict[str, Any]] = (),
    links: Sequence[dict[str, Any]] = (),
) -> SpanBatch:
    """A batch of spans, each a dict of what differs from SPAN; `resource` and `scope` index `services` and `scopes`."""
    event = {"time_ns": 1_500, "name": "event", "attributes": {}, "dropped_attributes_count": 0}
    link = {
        "linked_trace_id": "", "linked_span_id": "", "trace_state": "", "flags": 0, "attributes": {},
        "dropped_attributes_count": 0,
    }  # fmt: skip
    return SpanBatch(
        table([{**SPAN, "span_id": f"{number + 1:016x}", **span} for number, span in enumerate(spans)], SPANS),
        table(
            [{"attributes": {"service.name": name} if name else {}, "schema_url": ""} for name in services], RESOURCES
        ),
        table([{"name": name, "version": "", "attributes": {}, "schema_url": ""} for name in scopes], SCOPES),
        table([{**event, **given} for given in events], EVENTS),
        table([{**link, **given} for given in links], LINKS),
    )

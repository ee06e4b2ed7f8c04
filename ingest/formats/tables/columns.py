"""Columns of a table of spans as a span batch, without a loop over spans in Python."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import EVENTS, LINKS, RESOURCES, SCOPES, SPANS, SpanBatch
from overbudget.ingest.formats.cleaning import ID_OK, keep_usable
from overbudget.ingest.formats.ids import usable_ids, with_recorded_ids
from overbudget.ingest.formats.tables.maps import lists_of
from overbudget.ingest.formats.tables.values import ids, numbers, texts, times
from overbudget.ingest.formats.times import ends_that_can_be_meant, told_late, usable_times
from overbudget.ingest.report import FileReport
from overbudget.kernels.content_hash import hash_lists, hash_strings


@dataclass
class Inner:
    """Events or links of the spans of a batch: `span` is the row of their span."""

    span: npt.NDArray[np.int64]
    columns: dict[str, pa.Array] = field(
        default_factory=dict
    )  # time_ns and name, or trace_id and span_id, …; attributes


@dataclass
class SpanColumns:
    """The columns of a table of spans, each with a row for every span. What a table does not have is None."""

    trace_id: pa.Array
    span_id: pa.Array
    name: pa.Array
    start_ns: pa.Array
    end_ns: pa.Array
    parent_id: pa.Array | None = None
    kind: pa.Array | None = None  # SERVER, …
    status_code: pa.Array | None = None  # UNSET, OK, ERROR
    attributes: pa.Array | None = None  # a map
    resource: pa.Array | None = None  # a map
    service: pa.Array | None = None  # service.name of resources that do not say it
    status_message: pa.Array | None = None
    trace_state: pa.Array | None = None
    flags: pa.Array | None = None
    scope_name: pa.Array | None = None
    scope_version: pa.Array | None = None
    scope_attributes: pa.Array | None = None  # a map
    resource_url: pa.Array | None = None
    scope_url: pa.Array | None = None
    dropped: tuple[pa.Array | None, ...] = (None, None, None)  # attributes, events, links
    events: Inner | None = None
    links: Inner | None = None


def batch_of(table: SpanColumns, report: FileReport) -> SpanBatch:
    """The spans of a table; those without ids or start are rejected."""
    rows = len(table.trace_id)
    trace, span, parent = (
        usable_ids(ids(column, rows, digits, report), digits, report)
        for column, digits in ((table.trace_id, 32), (table.span_id, 16), (table.parent_id, 16))
    )
    service = None if table.service is None else _text(table.service, rows, report)
    resource_columns = [lists_of(table.resource, rows, report, service), _text(table.resource_url, rows, report)]
    resource, resources = _distinct(resource_columns)
    scope_columns = [
        _text(table.scope_name, rows, report),
        _text(table.scope_version, rows, report),
        lists_of(table.scope_attributes, rows, report),
        _text(table.scope_url, rows, report),
    ]
    scope, scopes = _distinct(scope_columns)
    recorded = times(table.start_ns, rows, "a start", report)
    start, late = usable_times(recorded, "", report)
    end, _ = usable_times(times(table.end_ns, rows, "an end", report), "an end", report)
    end = ends_that_can_be_meant(start, end, report)
    columns = [
        trace.ids,
        span.ids,
        pc.if_else(pa.array(parent.what != ID_OK), pa.scalar(None, pa.string()), parent.ids),
        _text(table.trace_state, rows, report),
        _counts(table.flags, rows, report),
        _coded(table.name, rows, report),
        _coded(table.kind, rows, report, "UNSPECIFIED"),
        pa.array(start),
        pa.array(end, mask=end == 0),
        _coded(table.status_code, rows, report, "UNSET"),
        _text(table.status_message, rows, report),
        with_recorded_ids(lists_of(table.attributes, rows, report), trace, span),
        *(_counts(one, rows, report) for one in table.dropped),
        pa.array(resource),
        pa.array(scope),
    ]
    batch = SpanBatch(
        pa.table(columns, schema=SPANS),
        pa.table([column.take(pa.array(resources)) for column in resource_columns], RESOURCES),
        pa.table([column.take(pa.array(scopes)) for column in scope_columns], SCOPES),
        _events(table.events, report),
        _links(table.links, report),
    )
    lateness = told_late(recorded, late) if late.any() else ""
    return keep_usable(batch, trace.what, span.what, start, late, lateness, report)


def _text(column: pa.Array | None, rows: int, report: FileReport) -> pa.StringArray:
    if column is None:
        return pa.array([""] * rows, pa.string())
    return pa.concat_arrays([texts(column, report).fill_null("")])


def _counts(column: pa.Array | None, rows: int, report: FileReport) -> pa.UInt32Array:
    if column is None:
        return pa.array(np.zeros(rows, np.uint32))
    found = numbers(column, "a count", "unreadable_value", report).fill_null(0).to_numpy(zero_copy_only=False)
    wrong = (found < 0) | (found >= 2**32)
    report.warn(
        "unreadable_value", "a count that is negative or larger than 32 bits hold; taken as 0", int(wrong.sum())
    )
    return pa.array(np.where(wrong, 0, found).astype(np.uint32))


def _coded(column: pa.Array | None, rows: int, report: FileReport, otherwise: str = "") -> pa.DictionaryArray:
    if column is None:
        return pa.array([otherwise] * rows, pa.string()).dictionary_encode()
    return texts(column, report).fill_null(otherwise).dictionary_encode()


def _distinct(columns: list[pa.Array]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Of each row the number of its content, and of each content the first row."""
    hashes = np.zeros(len(columns[0]), np.uint64)
    with np.errstate(over="ignore"):
        for column in columns:
            part = hash_lists(column) if pa.types.is_list(column.type) else hash_strings(column)
            hashes = (hashes ^ part) * np.uint64(0x9E3779B97F4A7C15)
            hashes ^= hashes >> np.uint64(29)
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    return inverse.astype(np.int32), first


def _events(inner: Inner | None, report: FileReport) -> pa.Table:
    if inner is None:
        return EVENTS.empty_table()
    rows = len(inner.span)
    at, _ = usable_times(times(inner.columns.get("time_ns"), rows, "an event", report), "an event", report)
    columns = [
        pa.array(inner.span.astype(np.int32)),
        pa.array(at, mask=at == 0),
        _text(inner.columns.get("name"), rows, report),
        lists_of(inner.columns.get("attributes"), rows, report),
        _counts(inner.columns.get("dropped"), rows, report),
    ]
    return pa.table(columns, schema=EVENTS)


def _links(inner: Inner | None, report: FileReport) -> pa.Table:
    if inner is None:
        return LINKS.empty_table()
    rows, linked = len(inner.span), []
    for name, digits in (("trace_id", 32), ("span_id", 16)):
        found = usable_ids(ids(inner.columns.get(name), rows, digits, report), digits)
        linked.append(pc.if_else(pa.array(found.what == ID_OK), found.ids, ""))
    columns = [
        pa.array(inner.span.astype(np.int32)),
        *linked,
        _text(inner.columns.get("trace_state"), rows, report),
        _counts(inner.columns.get("flags"), rows, report),
        lists_of(inner.columns.get("attributes"), rows, report),
        _counts(inner.columns.get("dropped"), rows, report),
    ]
    return pa.table(columns, schema=LINKS)

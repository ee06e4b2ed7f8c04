"""Columns of a table of spans as a span batch, without a loop over spans in Python."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import ATTRIBUTES, EVENTS, LINKS, RESOURCES, SCOPES, SPANS, SpanBatch
from overbudget.ingest.formats.cleaning import ID_OK, attribute_lists, keep_usable
from overbudget.ingest.formats.ids import usable_ids, with_recorded_ids
from overbudget.ingest.formats.sizes import cut_lists, cut_values
from overbudget.ingest.formats.times import ends_that_can_be_meant, told_late, usable_times
from overbudget.ingest.report import FileReport
from overbudget.kernels.content_hash import hash_lists, hash_strings

NO_MAP = pa.map_(pa.string(), pa.string())


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
    parent_id: pa.Array
    name: pa.Array
    kind: pa.Array  # SERVER, …
    start_ns: pa.Array
    end_ns: pa.Array
    status_code: pa.Array  # UNSET, OK, ERROR
    attributes: pa.Array  # a map
    resource: pa.Array  # a map
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
        usable_ids(_text(ids, rows), digits, report)
        for ids, digits in ((table.trace_id, 32), (table.span_id, 16), (table.parent_id, 16))
    )
    resource_lists = lists_of(table.resource, rows, report)
    resource, resources = _distinct([resource_lists, _text(table.resource_url, rows)])
    scope_columns = [
        _text(table.scope_name, rows),
        _text(table.scope_version, rows),
        lists_of(table.scope_attributes, rows, report),
        _text(table.scope_url, rows),
    ]
    scope, scopes = _distinct(scope_columns)
    recorded = _times(table.start_ns)
    start, late = usable_times(recorded, "", report)
    end, _ = usable_times(_times(table.end_ns), "an end", report)
    end = ends_that_can_be_meant(start, end, report)
    columns = [
        trace.ids,
        span.ids,
        pc.if_else(pa.array(parent.what != ID_OK), pa.scalar(None, pa.string()), parent.ids),
        _text(table.trace_state, rows),
        _counts(table.flags, rows),
        _coded(table.name, rows),
        _coded(table.kind, rows, "UNSPECIFIED"),
        pa.array(start),
        pa.array(end, mask=end == 0),
        _coded(table.status_code, rows, "UNSET"),
        _text(table.status_message, rows),
        with_recorded_ids(lists_of(table.attributes, rows, report), trace, span),
        *(_counts(one, rows) for one in table.dropped),
        pa.array(resource),
        pa.array(scope),
    ]
    batch = SpanBatch(
        pa.table(columns, schema=SPANS),
        pa.table(
            [column.take(pa.array(resources)) for column in (resource_lists, _text(table.resource_url, rows))],
            RESOURCES,
        ),
        pa.table([column.take(pa.array(scopes)) for column in scope_columns], SCOPES),
        _events(table.events, report),
        _links(table.links, report),
    )
    lateness = told_late(recorded, late) if late.any() else ""
    return keep_usable(batch, trace.what, span.what, start, late, lateness, report)


def _times(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """A column of times, 0 where there is none."""
    return np.array(one_array(column).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))


def lists_of(maps: pa.Array | None, rows: int, report: FileReport) -> pa.ListArray:
    """A column of maps of text as attribute lists."""
    if maps is None:
        empty = pa.StructArray.from_arrays(
            [
                pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string())),
                pa.array([], pa.string()),
            ],
            fields=list(ATTRIBUTES.value_type),
        )
        return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), empty, type=ATTRIBUTES)
    maps = one_array(maps)
    if maps.offset or maps.null_count:
        maps = pa.concat_arrays([maps.take(pa.array(np.arange(len(maps))))])
    offsets = maps.offsets.to_numpy()
    length = int(offsets[-1] - offsets[0])
    keys, values = maps.keys.slice(offsets[0], length), maps.items.slice(offsets[0], length)
    offsets, names, texts = cut_lists((offsets - offsets[0]).astype(np.int32), _plain(keys), _plain(values), report)
    lists, dropped = attribute_lists(offsets, names, pa.concat_arrays([cut_values(texts, report)]))
    report.warn("repeated_key", "an attribute list names a key twice; the last one counts", dropped)
    return lists


def one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column


def _plain(column: pa.Array) -> pa.StringArray:
    """A column as text: dictionaries are undone, bytes are taken as UTF-8."""
    column = one_array(column)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column if column.type == pa.string() else column.cast(pa.string())


def _text(column: pa.Array | None, rows: int) -> pa.StringArray:
    return pa.array([""] * rows, pa.string()) if column is None else pa.concat_arrays([_plain(column).fill_null("")])


def _counts(column: pa.Array | None, rows: int) -> pa.UInt32Array:
    return pa.array(np.zeros(rows, np.uint32)) if column is None else one_array(column).fill_null(0).cast(pa.uint32())


def _coded(column: pa.Array, rows: int, otherwise: str = "") -> pa.DictionaryArray:
    return _plain(column).fill_null(otherwise).dictionary_encode()


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
    times, _ = usable_times(_times(inner.columns["time_ns"]), "an event", report)
    columns = [
        pa.array(inner.span.astype(np.int32)),
        pa.array(times, mask=times == 0),
        _text(inner.columns["name"], rows),
        lists_of(inner.columns.get("attributes"), rows, report),
        _counts(inner.columns.get("dropped"), rows),
    ]
    return pa.table(columns, schema=EVENTS)


def _links(inner: Inner | None, report: FileReport) -> pa.Table:
    if inner is None:
        return LINKS.empty_table()
    rows, ids = len(inner.span), []
    for name, digits in (("trace_id", 32), ("span_id", 16)):
        found = usable_ids(_text(inner.columns[name], rows), digits)
        ids.append(pc.if_else(pa.array(found.what == ID_OK), found.ids, ""))
    columns = [
        pa.array(inner.span.astype(np.int32)),
        *ids,
        _text(inner.columns.get("trace_state"), rows),
        _counts(inner.columns.get("flags"), rows),
        lists_of(inner.columns.get("attributes"), rows, report),
        _counts(inner.columns.get("dropped"), rows),
    ]
    return pa.table(columns, schema=LINKS)

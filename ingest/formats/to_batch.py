"""Span batches from the columns that a reader's kernel has filled."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import EVENTS, LINKS, RESOURCES, SCOPES, SPANS, SpanBatch
from overbudget.ingest.formats import buffers as c
from overbudget.ingest.formats.buffers import Columns
from overbudget.ingest.formats.cleaning import ID_OK, attribute_lists, keep_usable
from overbudget.ingest.formats.ids import usable_ids, with_recorded_ids
from overbudget.ingest.formats.nested_values import text_of_kind
from overbudget.ingest.formats.sizes import cut_lists, cut_values
from overbudget.ingest.formats.times import ends_that_can_be_meant, told_late, usable_times
from overbudget.ingest.report import FileReport
from overbudget.kernels.otlp import KINDS, STATUS_CODES


def batch_of(out: Columns, report: FileReport) -> SpanBatch:
    """The spans in the columns, copied; spans without usable ids or start are rejected.

    Errors: pa.ArrowInvalid where a double is written as no number, text is not UTF-8, or a nested value is no message.
    """
    spans, events, links, resources, scopes = (int(out.counters[c.ROWS + owner]) for owner in range(5))
    trace = usable_ids(_text(out, c.TRACE_ID, spans), 32, report)
    span = usable_ids(_text(out, c.SPAN_ID, spans), 16, report)
    parent = usable_ids(_text(out, c.PARENT_ID, spans), 16, report)
    recorded = out.numbers[c.START_NS, :spans].copy()
    start, late = usable_times(recorded, "", report)
    end, _ = usable_times(out.numbers[c.END_NS, :spans].copy(), "an end", report)
    end = ends_that_can_be_meant(start, end, report)
    scope = _codes(out, c.SCOPE_OF_SPAN, spans)
    span_columns = [
        trace.ids,
        span.ids,
        pc.if_else(pa.array(parent.what != ID_OK), pa.scalar(None, pa.string()), parent.ids),
        _text(out, c.TRACE_STATE, spans),
        _counts(out, c.FLAGS, spans),
        pa.DictionaryArray.from_arrays(_codes(out, c.NAME, spans), _dictionary(out, c.NAMES)),
        _enum(out, c.KIND, spans, KINDS, "kind", report),
        pa.array(start),
        pa.array(end, mask=end == 0),
        _enum(out, c.STATUS, spans, STATUS_CODES, "status code", report),
        _text(out, c.MESSAGE, spans),
        with_recorded_ids(_attributes(out, c.SPAN, spans, report), trace, span),
        *(_counts(out, c.DROPPED + kind, spans) for kind in range(3)),
        _codes(out, c.RESOURCE_OF_SCOPE, scopes).take(scope),
        scope,
    ]
    batch = SpanBatch(
        pa.table(span_columns, schema=SPANS),
        pa.table([_attributes(out, c.RESOURCE, resources, report), _text(out, c.RESOURCE_URL, resources)], RESOURCES),
        pa.table(
            [
                _text(out, c.SCOPE_NAME, scopes),
                _text(out, c.SCOPE_VERSION, scopes),
                _attributes(out, c.SCOPE, scopes, report),
                _text(out, c.SCOPE_URL, scopes),
            ],
            SCOPES,
        ),
        _events(out, events, report),
        _links(out, links, report),
    )
    lateness = told_late(recorded, late) if late.any() else ""
    return keep_usable(batch, trace.what, span.what, start, late, lateness, report)


def _events(out: Columns, rows: int, report: FileReport) -> pa.Table:
    times, _ = usable_times(out.numbers[c.EVENT_NS, :rows].copy(), "an event", report)
    columns = [
        _codes(out, c.SPAN_OF_EVENT, rows),
        pa.array(times, mask=times == 0),
        _text(out, c.EVENT_NAME, rows),
        _attributes(out, c.EVENT, rows, report),
        _counts(out, c.EVENT_DROPPED, rows),
    ]
    return pa.table(columns, schema=EVENTS)


def _links(out: Columns, rows: int, report: FileReport) -> pa.Table:
    ids = []
    for column, digits in ((c.LINK_TRACE, 32), (c.LINK_SPAN, 16)):
        ids.append(
            pc.if_else(pa.array((found := usable_ids(_text(out, column, rows), digits)).what == ID_OK), found.ids, "")
        )
    columns = [
        _codes(out, c.SPAN_OF_LINK, rows),
        *ids,
        _text(out, c.LINK_STATE, rows),
        _counts(out, c.LINK_FLAGS, rows),
        _attributes(out, c.LINK, rows, report),
        _counts(out, c.LINK_DROPPED, rows),
    ]
    return pa.table(columns, schema=LINKS)


def _bytes(out: Columns, column: int, rows: int, null: npt.NDArray[np.bool_] | None = None) -> pa.BinaryArray:
    offsets = out.codes[column, : rows + 1].copy()
    begin = column * (len(out.text) // c.TEXTS)
    letters = out.text[begin : begin + int(offsets[-1])].copy()
    valid = None if null is None else pa.py_buffer(np.packbits(~null, bitorder="little"))
    return pa.Array.from_buffers(pa.binary(), rows, [valid, pa.py_buffer(offsets), pa.py_buffer(letters)])


def _text(out: Columns, column: int, rows: int) -> pa.StringArray:
    return _bytes(out, column, rows).cast(pa.string())


def _dictionary(out: Columns, which: int) -> pa.StringArray:
    return _text(out, c.DICTIONARIES + which, int(out.counters[c.SIZES + which]))


def _codes(out: Columns, column: int, rows: int) -> pa.Int32Array:
    return pa.array(out.codes[column, :rows].copy())


def _counts(out: Columns, column: int, rows: int) -> pa.UInt32Array:
    return pa.array(out.numbers[column, :rows].astype(np.uint32))


def _enum(
    out: Columns, column: int, rows: int, names: tuple[str, ...], what: str, report: FileReport
) -> pa.DictionaryArray:
    """Names of an enumeration's numbers; unknown numbers are kept as text."""
    numbers = out.numbers[column, :rows]
    indices = numbers.astype(np.int32)
    known = (numbers >= 0) & (numbers < len(names))
    if not known.all():
        odd, codes = np.unique(numbers[~known], return_inverse=True)
        report.warn("unknown_enum", f"{what} {odd[0]}", int((~known).sum()))
        indices[~known] = len(names) + codes
        names = (*names, *map(str, odd.tolist()))
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(names))


def _attributes(out: Columns, owner: int, rows: int, report: FileReport) -> pa.ListArray:
    """The attribute lists of an owner's rows."""
    entries = int(out.counters[c.ENTRIES + owner])
    keys = pa.DictionaryArray.from_arrays(_codes(out, c.ENTRY_KEYS + owner, entries), _dictionary(out, c.KEYS))
    kinds = out.codes[c.ENTRY_KINDS + owner, :entries]
    values = _bytes(out, c.VALUES + owner, entries, kinds == c.EMPTY)
    for kind in np.flatnonzero(np.bincount(kinds, minlength=c.TEXT + 1)[c.TEXT + 1 :]) + c.TEXT + 1:
        those = pa.array(kinds == kind)
        values = pc.replace_with_mask(values, those, text_of_kind(values.filter(those), int(kind)).cast(pa.binary()))
    values = cut_values(values.cast(pa.string()), report)
    lists, keys, values = cut_lists(out.codes[c.LISTS + owner, : rows + 1].copy(), keys, values, report)
    lists, dropped = attribute_lists(lists, keys, values)
    report.warn("repeated_key", "an attribute list names a key twice; the last one counts", dropped)
    return lists

"""Canonical OTLP/JSON as a nested Arrow table becomes a flat span batch."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.batch import EVENTS, LINKS, RESOURCES, SCOPES, SPANS, SpanBatch
from ingest.flatten import (
    ID_BASE64,
    ID_OK,
    attribute_lists,
    check_ids,
    child,
    first_of,
    flat,
    keep_usable,
    offsets_of,
    text_of_doubles,
)
from ingest.hashing import one_chunk
from ingest.numbers import parse_integers
from ingest.report import FileReport

KINDS = pa.array(["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"])
STATUS_CODES = pa.array(["UNSET", "OK", "ERROR"])


class NotCanonical(Exception):
    """The table holds something that only the slow way understands."""


def _empty(array: pa.Array) -> None:
    if array.null_count < len(array):
        raise NotCanonical


def _probe(struct: pa.StructArray, *names: str) -> None:
    """Fields that canonical OTLP/JSON does not have must be absent."""
    for name in names:
        _empty(struct.field(name))


def flatten(table: pa.Table, report: FileReport, rewritten: bool = False) -> SpanBatch:
    """The spans of a table of OTLP records; spans without usable ids or start are rejected.

    Errors: NotCanonical where the slow way must be taken; never for a `rewritten` table.
    """
    columns = {name: one_chunk(table.column(name)) for name in table.column_names}
    records = columns["resourceSpans"]
    for name in columns:
        if name not in ("resourceSpans", "resourceMetrics", "resourceLogs"):
            _empty(columns[name])
    if records.null_count:
        other = pc.or_(columns["resourceMetrics"].is_valid(), columns["resourceLogs"].is_valid())
        others = pc.sum(pc.and_(records.is_null(), other)).as_py()
        if records.null_count > others:
            raise NotCanonical  # records of some other kind: let the slow way say what they are
        report.warn("other_signals", "records of metrics or logs among those of traces", others)

    _, resource_spans = flat(records)
    _probe(resource_spans, "scope_spans", "deprecatedScopeSpans", "instrumentationLibrarySpans", "instrumentation_library_spans")
    resource_of_scope, scope_spans = flat(child(resource_spans, "scopeSpans"))
    _probe(scope_spans, "schema_url")
    scope_of_span, spans = flat(child(scope_spans, "spans"))
    _probe(spans, "trace_id", "span_id", "start_time_unix_nano", "parent_span_id")

    resource = child(resource_spans, "resource")
    resources = pa.table(
        [_attributes(child(resource, "attributes"), len(resource_spans), report), _text(child(resource_spans, "schemaUrl"))], schema=RESOURCES
    )
    scope = child(scope_spans, "scope")
    scopes = pa.table(
        [
            _text(child(scope, "name")), _text(child(scope, "version")),
            _attributes(child(scope, "attributes"), len(scope_spans), report), _text(child(scope_spans, "schemaUrl")),
        ],
        schema=SCOPES,
    )  # fmt: skip

    trace_id, trace_what = check_ids(_text(child(spans, "traceId")), 32)
    span_id, span_what = check_ids(_text(child(spans, "spanId")), 16)
    parent_id, parent_what = check_ids(_text(child(spans, "parentSpanId")), 16)
    start, end = _times(child(spans, "startTimeUnixNano")), _times(child(spans, "endTimeUnixNano"))
    if not rewritten and any((what == ID_BASE64).any() for what in (trace_what, span_what, parent_what)):
        raise NotCanonical
    status = child(spans, "status")
    flat_spans = pa.table(
        [
            trace_id, span_id, pc.if_else(pa.array(parent_what != ID_OK), pa.scalar(None, pa.string()), parent_id),
            _text(child(spans, "traceState")), _count(child(spans, "flags")), _text(child(spans, "name")).dictionary_encode(),
            _enum(child(spans, "kind"), KINDS, "kind", report), pa.array(start), pa.array(end, mask=end == 0),
            _enum(child(status, "code"), STATUS_CODES, "status code", report), _text(child(status, "message")),
            _attributes(child(spans, "attributes"), len(spans), report),
            *(_count(child(spans, f"dropped{what}Count")) for what in ("Attributes", "Events", "Links")),
            pa.array(resource_of_scope[scope_of_span]), pa.array(scope_of_span),
        ],
        schema=SPANS,
    )  # fmt: skip
    event_of, events = flat(child(spans, "events"))
    link_of, links = flat(child(spans, "links"))
    flat_events, flat_links = _events(event_of, events, report), _links(link_of, links, report)
    batch = SpanBatch(flat_spans, resources, scopes, flat_events, flat_links)
    return keep_usable(batch, trace_what, span_what, parent_what, start, report)


def _text(column: pa.Array) -> pa.StringArray:
    """Text without nulls."""
    return column.fill_null("") if column.null_count else column


def _count(column: pa.Array) -> pa.UInt32Array:
    """A 32-bit count, 0 where absent."""
    try:
        return column.cast(pa.int64()).fill_null(0).cast(pa.uint32())
    except pa.ArrowInvalid as error:
        raise NotCanonical from error


def _times(column: pa.Array) -> npt.NDArray[np.int64]:
    """ns since the epoch, 0 where absent."""
    if pa.types.is_string(column.type):
        times, fine = parse_integers(column)
    else:
        times = column.fill_null(0).to_numpy(zero_copy_only=False)
        fine = True
    if not fine or (times < 0).any():
        raise NotCanonical
    return times


def _enum(column: pa.Array, names: pa.StringArray, what: str, report: FileReport) -> pa.DictionaryArray:
    """Names of an enumeration's numbers; unknown numbers are kept as text."""
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    known = (numbers >= 0) & (numbers < len(names))
    if known.all():
        return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), names)
    odd, codes = np.unique(numbers[~known], return_inverse=True)
    report.warn("unknown_enum", f"{what} {odd[0]}", int((~known).sum()))
    indices = numbers.astype(np.int32)
    indices[~known] = len(names) + codes
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.concat_arrays([names, pa.array(odd).cast(pa.string())]))


def _attributes(column: pa.Array, rows: int, report: FileReport) -> pa.ListArray:
    """An ATTRIBUTES column of an OTLP list of key and AnyValue."""
    owner, entries = flat(column)
    keys = _text(child(entries, "key"))
    lists, dropped = attribute_lists(offsets_of(owner, rows), keys, _values(child(entries, "value")))
    report.warn("repeated_key", "an attribute list names a key twice; the last one counts", dropped)
    return lists


def _values(value: pa.StructArray) -> pa.StringArray:
    """AnyValues as text; null where the value is empty."""
    _probe(value, "string_value", "int_value", "bool_value", "double_value", "kvlistValue")
    columns = [child(value, "stringValue"), _integers(child(value, "intValue")), child(value, "boolValue").cast(pa.string())]
    doubles = child(value, "doubleValue")
    if doubles.null_count < len(doubles):
        columns.append(text_of_doubles(doubles))
    columns.append(child(value, "bytesValue"))
    arrays = child(value, "arrayValue")
    if arrays.null_count < len(arrays):
        columns.append(_json_of_arrays(arrays))
    return first_of(columns)


def _integers(column: pa.Array) -> pa.StringArray:
    if pa.types.is_string(column.type):
        if not parse_integers(column)[1]:
            raise NotCanonical
        return column
    return column.cast(pa.string())


def _json_of_arrays(arrays: pa.StructArray) -> pa.StringArray:
    """Arrays of plain values as compact JSON text; null where there is no array."""
    owner, values = flat(child(arrays, "values"))
    if values.null_count:
        raise NotCanonical
    _probe(values, "bytesValue", "kvlistValue", "arrayValue")
    strings = child(values, "stringValue")
    if pc.any(pc.match_substring_regex(strings, r'["\\\x00-\x1f]')).as_py():
        raise NotCanonical  # needs escaping
    quoted = pc.binary_join_element_wise("\"", strings, "\"", "")
    plain = [quoted, _integers(child(values, "intValue")), child(values, "boolValue").cast(pa.string())]
    doubles = child(values, "doubleValue")
    if doubles.null_count < len(doubles):
        plain.append(text_of_doubles(doubles))
    items = first_of(plain).fill_null("null")
    lists = pa.ListArray.from_arrays(pa.array(offsets_of(owner, len(arrays))), items)
    text = pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")
    return pc.if_else(arrays.is_valid(), text, pa.scalar(None, pa.string()))


def _events(owner: npt.NDArray[np.int32], events: pa.StructArray, report: FileReport) -> pa.Table:
    if len(events) == 0:
        return EVENTS.empty_table()
    _probe(events, "time_unix_nano")
    times = _times(child(events, "timeUnixNano"))
    return pa.table(
        [
            pa.array(owner), pa.array(times, mask=times == 0), _text(child(events, "name")),
            _attributes(child(events, "attributes"), len(events), report), _count(child(events, "droppedAttributesCount")),
        ],
        schema=EVENTS,
    )  # fmt: skip


def _links(owner: npt.NDArray[np.int32], links: pa.StructArray, report: FileReport) -> pa.Table:
    if len(links) == 0:
        return LINKS.empty_table()
    _probe(links, "trace_id")
    ids = []
    for name, digits in (("traceId", 32), ("spanId", 16)):
        found, what = check_ids(_text(child(links, name)), digits)
        if (what == ID_BASE64).any():
            raise NotCanonical
        ids.append(pc.if_else(pa.array(what == ID_OK), found, ""))
    return pa.table(
        [
            pa.array(owner), *ids, _text(child(links, "traceState")), _count(child(links, "flags")),
            _attributes(child(links, "attributes"), len(links), report), _count(child(links, "droppedAttributesCount")),
        ],
        schema=LINKS,
    )  # fmt: skip

"""Canonical OTLP/JSON, read by pyarrow as a nested table, becomes a flat span batch."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest import nested
from ingest.batch import SpanBatch
from ingest.flatten import ID_BASE64, check_ids, child, first_of, flat, offsets_of, text_of_doubles
from ingest.hashing import one_chunk
from ingest.numbers import parse_integers
from ingest.report import FileReport


class NotCanonical(Exception):
    """The table holds something that only the slow way (ingest.odd_json) understands."""


# Fields that canonical OTLP/JSON does not have, and that the slow way knows what to do with.
PROBES: dict[str, tuple[str, ...]] = {
    "resource_spans": (
        "scope_spans",
        "deprecatedScopeSpans",
        "instrumentationLibrarySpans",
        "instrumentation_library_spans",
    ),
    "scope_spans": ("schema_url",),
    "spans": ("trace_id", "span_id", "start_time_unix_nano", "parent_span_id"),
    "events": ("time_unix_nano",),
    "links": ("trace_id",),
    "values": ("string_value", "int_value", "bool_value", "double_value", "kvlistValue"),
    "array values": ("bytesValue", "kvlistValue", "arrayValue"),
}


def flatten(table: pa.Table, report: FileReport) -> SpanBatch:
    """The spans of a table of OTLP records.

    Errors: NotCanonical where the slow way must be taken; never for what that way has rewritten.
    """
    columns = {name: one_chunk(table.column(name)) for name in table.column_names}
    records = columns["resourceSpans"]
    for name, column in columns.items():
        if name not in ("resourceSpans", "resourceMetrics", "resourceLogs"):
            _must_be_empty(column)
    others = 0
    if records.null_count:
        other = pc.or_(columns["resourceMetrics"].is_valid(), columns["resourceLogs"].is_valid())
        others = pc.sum(pc.and_(records.is_null(), other)).as_py()
        if records.null_count > others:
            raise NotCanonical  # records of some other kind: let the slow way say what they are
    try:
        batch = nested.flatten(records, JsonForm(), report)
    except pa.ArrowInvalid as error:
        raise NotCanonical from error
    report.warn("other_signals", "records of metrics or logs among those of traces", others)
    return batch


def _must_be_empty(array: pa.Array) -> None:
    if array.null_count < len(array):
        raise NotCanonical


class JsonForm:
    """lowerCamelCase, ids in hex, 64-bit integers as text or number."""

    snake_case = False

    def check(self, level: str, struct: pa.StructArray) -> None:
        for name in PROBES[level]:
            _must_be_empty(struct.field(name))

    def ids(self, column: pa.Array, digits: int) -> tuple[pa.StringArray, npt.NDArray[np.uint8]]:
        ids, what = check_ids(column, digits)
        if (what == ID_BASE64).any():
            raise NotCanonical
        return ids, what

    def times(self, column: pa.Array, report: FileReport | None) -> npt.NDArray[np.int64]:
        if pa.types.is_string(column.type):
            times, fine = parse_integers(column)
        else:
            times, fine = column.fill_null(0).to_numpy(zero_copy_only=False), True
        if not fine or (times < 0).any():
            raise NotCanonical
        return times

    def values(self, value: pa.StructArray) -> pa.StringArray:
        self.check("values", value)
        arrays = child(value, "arrayValue")
        columns = _plain(value)
        if arrays.null_count < len(arrays):
            columns.append(self._json_of_arrays(arrays))
        return first_of([*columns, child(value, "bytesValue")])

    def _json_of_arrays(self, arrays: pa.StructArray) -> pa.StringArray:
        """Arrays of plain values as compact JSON text; null where there is no array."""
        owner, values = flat(child(arrays, "values"))
        self.check("array values", values)
        text, integers, *others = _plain(values)
        if values.null_count or pc.any(pc.match_substring_regex(text, r'["\\\x00-\x1f]')).as_py():
            raise NotCanonical  # needs more than quotes around it
        items = first_of([pc.binary_join_element_wise('"', text, '"', ""), integers, *others])
        lists = pa.ListArray.from_arrays(pa.array(offsets_of(owner, len(arrays))), items.fill_null("null"))
        joined = pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")
        return pc.if_else(arrays.is_valid(), joined, pa.scalar(None, pa.string()))


def _plain(value: pa.StructArray) -> list[pa.Array]:
    """Text, integers, booleans and doubles as text, each null where the value is of another kind."""
    integers = child(value, "intValue")
    if not pa.types.is_string(integers.type):
        integers = integers.cast(pa.string())
    elif not parse_integers(integers)[1]:
        raise NotCanonical
    columns = [child(value, "stringValue"), integers, child(value, "boolValue").cast(pa.string())]
    doubles = child(value, "doubleValue")
    return [*columns, text_of_doubles(doubles)] if doubles.null_count < len(doubles) else columns

"""Columns of any type as text, ids, whole numbers and times. A value that cannot be read is null, and is reported.

Whoever wrote a table chose the types of its columns, so nothing here relies on one. Times never become Python's datetimes: those
end in the year 9999, know no nanoseconds, and need a database of time zones.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.formats.exports.otlp import text
from overbudget.ingest.formats.exports.times import ns_of
from overbudget.ingest.report import FileReport

INT64_MAX = 2**63 - 1
_HEX = re.compile(rb"[0-9a-fA-F]*")
_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column


def columns_by_name(batch: pa.RecordBatch) -> Callable[[str], pa.Array | None]:
    """The columns of a batch by name; None for one that it does not have."""
    places = {name: place for place, name in enumerate(batch.schema.names)}
    return lambda name: batch.column(places[name]) if name in places else None


def plain(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column in one piece and of a plain type: dictionaries, views and types of others are undone."""
    array = one_array(column)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        array = array.cast(pa.binary())
    return array


def texts(column: pa.Array | pa.ChunkedArray, report: FileReport) -> pa.StringArray:
    """A column as text: bytes are taken as UTF-8, times are ISO 8601, lists and structures JSON."""
    array = plain(column)
    if _is_bytes(array.type) or _is_string(array.type):
        return _utf8(array, report)
    if pa.types.is_nested(array.type):
        return pa.array([None if one is None else text(one) for one in values_of(array, report)], pa.string())
    if pa.types.is_timestamp(array.type):
        iso = _instants(array).view(pa.timestamp("ns")).cast(pa.string())
        return pc.binary_join_element_wise(pc.replace_substring(iso, " ", "T"), "Z", "")
    return array.cast(pa.string())


def ids(column: pa.Array | pa.ChunkedArray | None, rows: int, digits: int, report: FileReport) -> pa.StringArray:
    """A column of ids of so many hex digits as text; ids in bytes are half as long. "" where there is none."""
    if column is None:
        return pa.array([""] * rows, pa.string())
    array = plain(column)
    if _is_bytes(array.type) and pc.any(pc.equal(pc.binary_length(array), digits // 2)).as_py():
        raw = [one and len(one) == digits // 2 and not _HEX.fullmatch(one) for one in array.to_pylist()]
        written = zip(array.to_pylist(), raw, strict=True)
        array = pa.array([one.hex().encode() if is_raw else one for one, is_raw in written], pa.binary())
    return pc.utf8_rtrim(texts(array, report).fill_null(""), "\0")  # ClickHouse fills up FixedString


def numbers(column: pa.Array | pa.ChunkedArray, what: str, code: str, report: FileReport) -> pa.Int64Array:
    """A column as whole numbers; one that is too large for 64 bits is the largest that is not. `what` a value is, for the message."""
    array = plain(column)
    if pa.types.is_uint64(array.type):
        return pc.min_element_wise(array, pa.scalar(INT64_MAX, pa.uint64()), skip_nulls=False).cast(pa.int64())
    if pa.types.is_integer(array.type):
        return array.cast(pa.int64())
    if pa.types.is_duration(array.type):
        return _instants(array)
    return _each(array, _whole, what, code, report)


def times(column: pa.Array | pa.ChunkedArray | None, rows: int, what: str, report: FileReport) -> npt.NDArray[np.int64]:
    """A column of times in ns since the epoch, 0 where there is none; numbers are taken to be that."""
    if column is None:
        return np.zeros(rows, np.int64)
    array = plain(column)
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("ms"), safe=False)
    if pa.types.is_timestamp(array.type):
        found = _instants(array)
    elif _is_bytes(array.type) or _is_string(array.type):
        found = _each(_utf8(array, report), ns_of, what, "bad_time", report)
    else:
        found = numbers(array, what, "bad_time", report)
    return np.array(found.fill_null(0).to_numpy(zero_copy_only=False))


def values_of(column: pa.Array | pa.ChunkedArray, report: FileReport) -> list[Any]:
    """A column as Python values of the kinds that JSON has, and Decimal; maps and structures are dicts."""
    array = plain(column)
    kind = array.type
    if pa.types.is_map(kind):
        entries = array.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)])))
        keys, values = (texts(entries.flatten().field(0), report), values_of(entries.flatten().field(1), report))
        return _cut([*zip(keys.to_pylist(), values, strict=True)], entries, dict)
    if is_list(kind):
        return _cut(values_of(array.flatten(), report), array, list)
    if pa.types.is_struct(kind):
        names = [kind.field(place).name for place in range(kind.num_fields)]
        columns = [values_of(one, report) for one in array.flatten()]
        rows = zip(*columns, strict=True) if columns else [()] * len(array)
        valid = array.is_valid().to_pylist()
        return [dict(zip(names, row, strict=True)) if there else None for row, there in zip(rows, valid, strict=True)]
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        return list(array.to_pylist())
    return list(texts(array, report).to_pylist())


def _cut(flat: list[Any], lists: pa.Array, kind: type) -> list[Any]:
    """The entries of all lists one after another, as one list (or dict) for each."""
    out: list[Any] = []
    start = 0
    for length in pc.list_value_length(lists).to_pylist():
        out.append(None if length is None else kind(flat[start : start + length]))
        start += length or 0
    return out


def _utf8(array: pa.Array, report: FileReport) -> pa.StringArray:
    try:
        found = array if array.type == pa.string() else array.cast(pa.string())
        found.validate(full=True)  # Parquet's texts are taken as they are
        return found
    except pa.ArrowInvalid:
        written = array.cast(pa.large_binary()).to_pylist()
    decoded = [None if one is None else one.decode("utf-8", "replace") for one in written]
    wrong = [now for was, now in zip(written, decoded, strict=True) if now is not None and now.encode() != was]
    report.warn("invalid_utf8", f"{wrong[0][:60]!r}; the wrong bytes are shown as U+FFFD" if wrong else "", len(wrong))
    return pa.array(decoded, pa.string())


def _instants(array: pa.Array) -> pa.Int64Array:
    """Timestamps or durations in ns. What 64 bits cannot hold is close to the largest number that they can."""
    factor = _NS[array.type.unit]
    count = array.view(pa.int64())
    if factor == 1:
        return count
    most = INT64_MAX // factor
    ns = np.clip(count.fill_null(0).to_numpy(zero_copy_only=False), -most, most) * factor
    return pa.array(ns, mask=count.is_null().to_numpy(zero_copy_only=False))


def _each(array: pa.Array, read: Callable[[Any], Any], what: str, code: str, report: FileReport) -> pa.Int64Array:
    """Values one by one, for columns of an unusual type; null where `read` gives no number."""
    given = [None] * len(array) if pa.types.is_null(array.type) else values_of(array, report)
    out: list[int | None] = []
    wrong = []
    for value in given:
        absent = value in (None, "") or value != value  # NaN is a gap
        found = None if absent else read(value)
        if isinstance(found, int) and not isinstance(found, bool):
            out.append(max(-INT64_MAX, min(found, INT64_MAX)))
        else:
            out.append(None)
            wrong += [] if absent else [value]
    report.warn(code, f"{what} that reads {text(str(wrong[0]))[:40]!r}; taken as absent" if wrong else "", len(wrong))
    return pa.array(out, pa.int64())


def _whole(value: Any) -> int | None:
    """A number of any kind, or the text of one, as a whole number."""
    try:
        number = Decimal(value) if isinstance(value, str | float | int | Decimal) else None
        return None if number is None or number.copy_abs() > INT64_MAX else round(number)
    except (ArithmeticError, ValueError):
        return None


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def is_list(kind: pa.DataType) -> bool:
    """Whether this is a list of any kind; a map is none."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))

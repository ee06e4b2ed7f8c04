"""Columns of attributes of any type as attribute lists: maps, lists of pairs, structures, objects in JSON."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.formats.cleaning import attribute_lists
from overbudget.ingest.formats.exports.otlp import Record, flattened, text
from overbudget.ingest.formats.sizes import cut_lists, cut_values
from overbudget.ingest.formats.tables.values import is_list, plain, texts, values_of
from overbudget.ingest.report import FileReport
from overbudget.kernels.columns import I32

_SERVICE = "service.name"
_Entries = tuple[I32, pa.StringArray, pa.StringArray]  # offsets, keys, values


def lists_of(
    maps: pa.Array | pa.ChunkedArray | None, rows: int, report: FileReport, service: pa.StringArray | None = None
) -> pa.ListArray:
    """A column of attributes as attribute lists. `service` is the service.name of each row that does not say it itself."""
    entries = _entries(maps, rows, report)
    offsets, names, values = cut_lists(*(entries if service is None else _with_service(entries, service)), report)
    lists, dropped = attribute_lists(offsets, names, pa.concat_arrays([cut_values(values, report)]))
    report.warn("repeated_key", "an attribute list names a key twice; the last one counts", dropped)
    return lists


def _entries(maps: pa.Array | pa.ChunkedArray | None, rows: int, report: FileReport) -> _Entries:
    array = pa.nulls(rows) if maps is None else plain(maps)
    if pa.types.is_null(array.type):
        return np.zeros(rows + 1, np.int32), pa.array([], pa.string()), pa.array([], pa.string())
    if not pa.types.is_map(array.type) and not _is_pairs(array.type):
        return _entries_of_objects(array, report)
    if array.offset or array.null_count:
        array = pa.concat_arrays([array.take(pa.array(np.arange(len(array))))])
    offsets = array.offsets.to_numpy()
    start, length = int(offsets[0]), int(offsets[-1] - offsets[0])
    keys, values = (array.keys, array.items) if pa.types.is_map(array.type) else array.values.flatten()
    keys, values = keys.slice(start, length), values.slice(start, length)
    return (offsets - start).astype(np.int32), texts(keys, report), texts(values, report)


def _with_service(entries: _Entries, service: pa.StringArray) -> _Entries:
    offsets, keys, values = entries
    sizes = np.diff(offsets)
    says = pc.fill_null(pc.equal(keys, _SERVICE), False).to_numpy(zero_copy_only=False)
    lacking = np.array(pc.not_equal(service, "").to_numpy(zero_copy_only=False))
    lacking[np.repeat(np.arange(len(sizes)), sizes)[says]] = False
    if not lacking.any():
        return entries
    more = service.filter(pa.array(lacking))
    order = pa.array(np.insert(np.arange(len(keys)), offsets[:-1][lacking], len(keys) + np.arange(len(more))))
    return (
        (offsets + np.concatenate([[0], np.cumsum(lacking)])).astype(np.int32),
        pa.concat_arrays([keys, pa.array([_SERVICE] * len(more), pa.string())]).take(order),
        pa.concat_arrays([values, more]).take(order),
    )


def _is_pairs(kind: pa.DataType) -> bool:
    """Whether this is a map without being called one."""
    return (
        is_list(kind)
        and pa.types.is_struct(kind.value_type)
        and [one.name for one in kind.value_type] == ["key", "value"]
    )


def _entries_of_objects(array: pa.Array, report: FileReport) -> _Entries:
    """The entries of structures, and of objects written as JSON, one by one."""
    keys: list[str] = []
    values: list[str] = []
    ends, wrong = [0], []
    for given in values_of(array, report):
        try:
            found = [
                (key, text(value)) for key, value in _object(given).items() if value is not None and value == value
            ]
            keys += [key for key, _ in found]
            values += [value for _, value in found]
        except (TypeError, ValueError, RecursionError):  # no object, no JSON, or nested too deep
            wrong.append(given)
        ends.append(len(keys))
    report.warn("unreadable_attribute", f"attributes in a column of type {array.type}" if wrong else "", len(wrong))
    return np.array(ends, np.int32), pa.array(keys, pa.string()), pa.array(values, pa.string())


def _object(given: Any) -> Record:
    """Errors: ValueError where it is none."""
    found = orjson.loads(given) if isinstance(given, str) and given else given or {}
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return flattened(found)

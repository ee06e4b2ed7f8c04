"""Attributes that are too long or too many are cut, with a mark and a warning, and the rest of their span is kept."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.report import FileReport
from overbudget.kernels.columns import I32
from overbudget.store.limits import how_to_raise, limit


def cut_values(values: pa.StringArray, report: FileReport) -> pa.StringArray:
    """Texts of at most `value_bytes` bytes of UTF-8; a longer one ends in a mark that says how long it was."""
    most = limit("value_bytes")
    sizes = pc.binary_length(values)
    if not len(values) or (pc.max(sizes).as_py() or 0) <= most:
        return values
    long = pc.fill_null(pc.greater(sizes, most), False)
    cut = [_cut(value.as_py(), most) for value in values.filter(long)]
    report.warn("long_value", f"a value of {pc.max(sizes).as_py():,} bytes; {how_to_raise('value_bytes')}", len(cut))
    return pc.replace_with_mask(values, long, pa.array(cut, pa.string()))


def _cut(text: str, most: int) -> str:
    whole = text.encode()
    return f"{whole[:most].decode('utf-8', 'ignore')} … [cut by overbudget: {len(whole):,} bytes]"


def cut_lists(
    lists: I32, keys: pa.DictionaryArray, values: pa.StringArray, report: FileReport
) -> tuple[I32, pa.DictionaryArray, pa.StringArray]:
    """Lists (offsets into `keys` and `values`) of at most `attributes` entries: of longer ones the first are kept."""
    most = limit("attributes")
    sizes = np.diff(lists)
    if not len(sizes) or sizes.max() <= most:
        return lists, keys, values
    report.warn(
        "many_attributes",
        f"{int(sizes.max()):,} attributes in one place; {how_to_raise('attributes')}",
        int((sizes > most).sum()),
    )
    place = np.arange(lists[0], lists[-1]) - np.repeat(lists[:-1], sizes)
    kept = pa.array(np.flatnonzero(place < most) + lists[0])
    shorter = np.concatenate([[0], np.cumsum(np.minimum(sizes, most))]).astype(np.int32)
    return shorter, keys.take(kept), values.take(kept)

"""Columns of text put in order: attribute lists, ids, doubles; spans that cannot be kept are left out."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import ATTRIBUTES, SpanBatch
from overbudget.ingest.report import FileReport
from overbudget.kernels.content_hash import codes_of, string_buffers
from overbudget.kernels.jit import READ_I32, READ_U8, kernel

I32 = npt.NDArray[np.int32]

# What an id is.
ID_OK, ID_NONE, ID_BAD = range(3)


def text_of_doubles(values: pa.DoubleArray) -> pa.StringArray:
    """Shortest text that is read back as the same double and stays a double: "1.0", "NaN", "Infinity"."""
    text = values.cast(pa.string())
    text = pc.replace_substring_regex(text, r"^(-?[0-9]+)$", r"\1.0")
    text = pc.replace_substring_regex(text, r"^(-?)inf$", r"\1Infinity")
    return pc.if_else(pc.equal(text, "nan"), "NaN", text)


@kernel(signature=f"boolean({READ_I32}, {READ_I32}, int64)")
def _repeats(lists, codes, keys):
    seen = np.full(keys, -1, np.int32)
    for i in range(lists.size - 1):
        for j in range(lists[i], lists[i + 1]):
            if seen[codes[j]] == i:
                return True
            seen[codes[j]] = i
    return False


@kernel(signature=f"boolean[:]({READ_I32}, {READ_I32}, int64)")
def _last_of_each(lists, codes, keys):
    keep = np.ones(codes.size, np.bool_)
    seen, at = np.full(keys, -1, np.int32), np.zeros(keys, np.int32)
    for i in range(lists.size - 1):
        for j in range(lists[i], lists[i + 1]):
            c = codes[j]
            if seen[c] == i:
                keep[at[c]] = False
            seen[c], at[c] = i, j
    return keep


def attribute_lists(lists: I32, keys: pa.StringArray, values: pa.StringArray) -> tuple[pa.ListArray, int]:
    """An ATTRIBUTES column from offsets, keys and text values, and how many repeated keys were dropped (the last wins)."""
    coded = keys.dictionary_encode() if not pa.types.is_dictionary(keys.type) else keys
    if coded.null_count:
        coded = keys.fill_null("").dictionary_encode()
    dropped = 0
    codes = codes_of(coded)
    if _repeats(lists, codes, len(coded.dictionary)):
        keep = _last_of_each(lists, codes, len(coded.dictionary))
        dropped = int((~keep).sum())
        kept = np.flatnonzero(keep)
        lists = np.concatenate([[0], np.cumsum(keep)])[lists].astype(np.int32)
        coded, values = coded.take(pa.array(kept)), values.take(pa.array(kept))
    entries = pa.StructArray.from_arrays([coded, values], fields=list(ATTRIBUTES.value_type))
    return pa.ListArray.from_arrays(pa.array(lists), entries, type=ATTRIBUTES), dropped


@kernel(signature=f"void({READ_I32}, {READ_U8}, int64, uint8[::1], uint8[::1])", allocates=False)
def _check_hex(offsets, data, digits, out, what):
    """Write the digits of ids in lower case over the zeros in `out`, and what each id is over the ID_OK in `what`."""
    for i in range(what.size):
        start, length = offsets[i], offsets[i + 1] - offsets[i]
        if length == 0:
            what[i] = 1
        elif length == digits:
            zero = True
            for j in range(digits):
                c = data[start + j]
                if 65 <= c <= 70:
                    c += np.uint8(32)
                if not (48 <= c <= 57 or 97 <= c <= 102):
                    what[i] = 2
                    break
                zero = zero and c == 48
                out[i * digits + j] = c
            if what[i] == 0 and zero:
                what[i] = 1
        else:
            what[i] = 2


def check_ids(column: pa.StringArray, digits: int) -> tuple[pa.StringArray, npt.NDArray[np.uint8]]:
    """Ids in lower case (`digits` each, zeros where there is none) and what each was: ID_OK, ID_NONE, ID_BAD."""
    if len(column) == 0:
        return pa.array([], pa.string()), np.zeros(0, np.uint8)
    if column.type != pa.string():
        column = column.cast(pa.string())
    data, what = np.full(len(column) * digits, ord("0"), np.uint8), np.full(len(column), ID_OK, np.uint8)
    _check_hex(*string_buffers(column), digits, data, what)
    offsets = np.arange(0, len(data) + 1, digits, dtype=np.int32)
    return pa.StringArray.from_buffers(len(column), pa.py_buffer(offsets), pa.py_buffer(data)), what


def keep_usable(
    batch: SpanBatch,
    trace_what: npt.NDArray[np.uint8],
    span_what: npt.NDArray[np.uint8],
    start_ns: npt.NDArray[np.int64],
    late: npt.NDArray[np.bool_],
    lateness: str,
    report: FileReport,
) -> SpanBatch:
    """The batch without the spans that cannot be kept: without ids, without a start.

    The `_what` arrays say what each id is (see `check_ids`); `start_ns` is 0 where there is none, or one that
    is `late`, as `lateness` tells of the first.
    """
    none = (trace_what == ID_NONE) | (span_what == ID_NONE)
    timeless = (start_ns <= 0) & ~none
    lost = none | timeless
    if not lost.any():
        return batch
    names = batch.spans["name"]
    for code, mask, why in (
        ("no_id", none, ""),
        ("no_start", timeless & ~late, ""),
        ("bad_time", timeless & late, f": a start {lateness}"),
    ):
        rows = np.flatnonzero(mask)
        if len(rows):
            report.reject(code, f"span {names[int(rows[0])].as_py()!r}{why}", len(rows))
    kept = np.flatnonzero(~lost)
    number = np.full(len(lost), -1, np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)

    def of_kept(rows: pa.Table) -> pa.Table:
        span = number[rows["span"].to_numpy()]
        here = np.flatnonzero(span >= 0)
        return rows.take(pa.array(here)).set_column(0, "span", pa.array(span[here]))

    return SpanBatch(
        batch.spans.take(pa.array(kept)), batch.resources, batch.scopes, of_kept(batch.events), of_kept(batch.links)
    )

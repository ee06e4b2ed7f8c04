"""Arrow columns as numpy arrays, text columns as numbers, and both ways back.

pyarrow's own `to_numpy` and `array` import pandas, which takes a third of a review's time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """A column of integers or floats without nulls (let SQL coalesce them) as an array; do not write to it."""
    if len(column) == 0:  # combining no chunks makes pyarrow import pandas
        return np.zeros(0, _DTYPES[str(column.type)])
    return np.from_dlpack(column.combine_chunks())


def flags(column: pa.ChunkedArray) -> np.ndarray:
    """A column of TINYINT 0 and 1 as booleans."""
    return numbers(column).view(np.bool_)


_DTYPES = {
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "uint64": np.uint64,
    "double": float,
}


def table_of(**columns: np.ndarray | Sequence[str]) -> pa.Table:
    """A table of numbers and texts (none of them null)."""
    return pa.Table.from_arrays([_column(values) for values in columns.values()], names=list(columns))


def _column(values: np.ndarray | Sequence[str]) -> pa.Array:
    if isinstance(values, np.ndarray):
        type_ = pa.from_numpy_dtype(values.dtype)
        return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
    texts = [text.encode() for text in values]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))


@dataclass(frozen=True)
class Coded:
    """A text column: `codes[i]` is the index of row i's text in `names`, -1 where it has none."""

    codes: I32
    names: tuple[str, ...]

    def take(self, rows: npt.NDArray[np.integer]) -> "Coded":
        return Coded(self.codes[rows], self.names)

    def count(self) -> I64:
        """How many rows each name has."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    def among(self, choice: str | Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which rows have one of the texts in `choice`; "" stands for no text."""
        wanted = {choice} if isinstance(choice, str) else set(choice)
        chosen = np.array([name in wanted for name in self.names] + ["" in wanted], bool)
        return chosen[self.codes]


def coded(column: pa.ChunkedArray, none: str | None = None) -> Coded:
    """An Arrow text column as codes and names; the text `none` stands for no text."""
    if len(column) == 0:
        return Coded(np.zeros(0, np.int32), ())
    whole = column.combine_chunks().dictionary_encode()
    codes = numbers(pa.chunked_array([whole.indices]))
    names = whole.dictionary.to_pylist()
    if none in names:
        empty = names.index(none)
        names.pop(empty)
        codes = np.where(codes == empty, -1, codes - (codes > empty)).astype(np.int32)
    return Coded(codes, tuple(names))


def coded_texts(texts: Iterable[str]) -> Coded:
    """Python strings as codes and names, names in the order in which they first appear."""
    names: dict[str, int] = {}
    codes = [names.setdefault(text, len(names)) for text in texts]
    return Coded(np.array(codes, np.int32), tuple(names))


def row_of(request_no: I32, wanted: I32) -> I32:
    """The row of `request_no` that holds each of the `wanted` numbers; -1 where there is none."""
    if len(request_no) == 0 or len(wanted) == 0:
        return np.full(len(wanted), -1, np.int32)
    rows = np.full(max(int(request_no.max()), int(wanted.max())) + 1, -1, np.int32)
    rows[request_no] = np.arange(len(request_no), dtype=np.int32)
    return rows[wanted]

"""Columns of Arrow as numpy arrays. pyarrow's own `to_numpy` imports pandas, which takes a third of a review's time."""

import numpy as np
import pyarrow as pa


def numbers(column: pa.ChunkedArray) -> np.ndarray:  # type: ignore[type-arg]
    """A column of integers or floats without nulls (ask SQL to coalesce them); not to be written to."""
    whole = column.combine_chunks()
    return np.from_dlpack(whole) if len(whole) else np.zeros(0, _DTYPES[str(whole.type)])


def flags(column: pa.ChunkedArray) -> np.ndarray:  # type: ignore[type-arg]
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

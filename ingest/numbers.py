"""Decimal text as 64-bit integers, exactly: 64-bit numbers never pass through a double."""

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.hashing import string_buffers

_OFFSETS = numba.types.Array(numba.int32, 1, "C", readonly=True)
_BYTES = numba.types.Array(numba.uint8, 1, "C", readonly=True)


@numba.njit(numba.types.Tuple((numba.int64[:], numba.boolean))(_OFFSETS, _BYTES), cache=True, nogil=True)
def _parse(offsets, data):  # type: ignore[no-untyped-def]
    out, fine = np.zeros(offsets.size - 1, np.int64), True
    for i in range(out.size):
        start, stop = offsets[i], offsets[i + 1]
        if start == stop:
            continue
        negative = data[start] == 45
        if negative:
            start += 1
        if start == stop or stop - start > 19:
            fine = False
            continue
        value = np.uint64(0)
        for j in range(start, stop):
            digit = data[j] - 48
            if digit < 0 or digit > 9:
                fine = False
                break
            value = value * np.uint64(10) + np.uint64(digit)
        if value > np.uint64(9223372036854775807):
            fine = False
        out[i] = -np.int64(value) if negative else np.int64(value)
    return out, fine


def parse_integers(column: pa.StringArray) -> tuple[npt.NDArray[np.int64], bool]:
    """int64[n], 0 for null or empty text, and whether every text was an integer that fits."""
    if len(column) == 0:
        return np.zeros(0, np.int64), True
    return _parse(*string_buffers(column))

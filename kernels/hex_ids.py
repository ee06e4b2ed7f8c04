"""Hexadecimal ids as 64-bit numbers, for the kernels."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.kernels.content_hash import string_buffers
from overbudget.kernels.jit import READ_I32, READ_U8, kernel


@kernel(signature=f"void({READ_I32}, {READ_U8}, int64, int64, uint64[::1])", allocates=False)
def _parse(offsets, data, skip, digits, out):
    for i in range(out.size):
        start = offsets[i] + skip
        if start + digits <= offsets[i + 1]:
            value = np.uint64(0)
            for j in range(start, start + digits):
                c = data[j]
                value = (value << np.uint64(4)) | np.uint64(c - 48 if c < 58 else c - 87)
            out[i] = value


def parse_ids(column: pa.StringArray, first_digit: int = 0) -> npt.NDArray[np.uint64]:
    """uint64[n]: sixteen lower-case hex digits of each id from `first_digit` on; 0 where there is none (null)."""
    out = np.zeros(len(column), np.uint64)
    if len(column):
        _parse(*string_buffers(column), first_digit, 16, out)
    return out

"""Content hashes of Arrow strings and attribute lists: equal content, equal 64 bits, in every batch and every run.

Operations, resources and scopes are recognised by these hashes, so that a million spans cost one pass over their
bytes and only the distinct ones are ever looked at as objects. With a million distinct operations the chance that
any two share a hash is about 3e-8.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.kernels.jit import READ_I32, READ_U8, READ_U64, kernel
from overbudget.kernels.mix import mix

U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]


@kernel(signature=f"uint64({READ_U8}, int64, int64)", allocates=False)
def hash_bytes(data, start, end):
    """FNV-1a over data[start:end], then mixed."""
    h = np.uint64(0xCBF29CE484222325)
    for i in range(start, end):
        h = (h ^ np.uint64(data[i])) * np.uint64(0x100000001B3)
    return mix(h)


@kernel(signature=f"void({READ_I32}, {READ_U8}, uint64[::1])", allocates=False)
def _hash_all(offsets, data, out):
    for i in range(out.size):
        out[i] = hash_bytes(data, offsets[i], offsets[i + 1])


def string_buffers(array: pa.Array) -> tuple[I32, npt.NDArray[np.uint8]]:
    """The offsets (int32[n + 1], absolute) and bytes of a string array, without a copy. Nulls look like ""."""
    buffers = array.buffers()
    offsets = np.frombuffer(buffers[1], np.int32)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(buffers[2], np.uint8) if buffers[2] is not None and buffers[2].size else np.zeros(0, np.uint8)
    return offsets, data


def one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column as one array (a copy only where it has several chunks)."""
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


def hash_strings(column: pa.ChunkedArray | pa.Array) -> U64:
    """uint64[n]: the content hash of each string of a string or dictionary column. Null hashes like ""."""
    array = one_chunk(column)
    if pa.types.is_dictionary(array.type):
        hashes = np.append(hash_strings(array.dictionary), hash_bytes(np.zeros(0, np.uint8), 0, 0))
        return hashes[codes_of(array)]
    if len(array) == 0:
        return np.zeros(0, np.uint64)
    out = np.empty(len(array), np.uint64)
    _hash_all(*string_buffers(array), out)
    return out


def codes_of(array: pa.DictionaryArray) -> I32:
    """int32[n]: the dictionary code of each entry, -1 at nulls."""
    codes = array.indices
    if codes.null_count:
        codes = codes.fill_null(-1)
    return np.asarray(codes.to_numpy(zero_copy_only=False).astype(np.int32, copy=False))


@kernel(signature=f"void({READ_I32}, {READ_I32}, {READ_U64}, {READ_I32}, {READ_U8}, uint64[::1])", allocates=False)
def _hash_lists(lists, codes, key_hashes, offsets, data, out):
    for i in range(out.size):
        h = np.uint64(0)
        for j in range(lists[i], lists[i + 1]):
            h += mix(key_hashes[codes[j]] ^ mix(hash_bytes(data, offsets[j], offsets[j + 1]) + np.uint64(1)))
        out[i] = h


def list_parts(column: pa.ChunkedArray | pa.Array) -> tuple[I32, pa.DictionaryArray, pa.StringArray]:
    """An ATTRIBUTES column as (offsets int32[n + 1], keys, values), offsets counting from 0 in keys and values."""
    array = one_chunk(column)
    offsets = array.offsets.to_numpy(zero_copy_only=False)
    entries = array.values.slice(offsets[0], offsets[-1] - offsets[0]) if len(offsets) else array.values
    return (offsets - offsets[0]).astype(np.int32), entries.field("key"), entries.field("value")


def hash_lists(column: pa.ChunkedArray | pa.Array) -> U64:
    """uint64[n]: the content hash of each attribute list, whatever the order of its keys."""
    lists, keys, values = list_parts(column)
    out = np.zeros(len(lists) - 1, np.uint64)
    if len(keys):
        _hash_lists(lists, codes_of(keys), hash_strings(keys.dictionary), *string_buffers(values), out)
    return out

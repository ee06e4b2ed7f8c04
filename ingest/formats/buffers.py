"""The columns that the readers' kernels write to.

One array for all text, one for all 32-bit and one for all 64-bit numbers: kernels take them as one argument, and they
are used again for every piece of a dump.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overbudget.kernels.words import SLACK, jit, load_word, store_word

FULL = -2  # what kernels return where the columns have too few rows

# Owners of attributes, each with rows and entries of its own.
SPAN, EVENT, LINK, RESOURCE, SCOPE = range(5)
# Columns of text. VALUES + owner: the values of its attributes, a row for each entry. DICTIONARIES + KEYS or NAMES.
TRACE_ID, SPAN_ID, PARENT_ID, TRACE_STATE, MESSAGE, EVENT_NAME, LINK_TRACE, LINK_SPAN, LINK_STATE = range(9)
RESOURCE_URL, SCOPE_NAME, SCOPE_VERSION, SCOPE_URL, VALUES = range(9, 14)
DICTIONARIES, SCRATCH, TEXTS = VALUES + 5, VALUES + 7, VALUES + 8
KEYS, NAMES = range(2)
# Columns of 32-bit numbers: first where each row of each column of text begins, then, with an owner added, where the
# attributes of each row begin, and the key and kind of each entry; then single ones.
LISTS, ENTRY_KEYS, ENTRY_KINDS = range(TEXTS, TEXTS + 15, 5)
NAME, SCOPE_OF_SPAN, RESOURCE_OF_SCOPE, SPAN_OF_EVENT, SPAN_OF_LINK, CODES = range(TEXTS + 15, TEXTS + 21)
# Columns of 64-bit numbers. Spans have three dropped counts: attributes, events, links.
START_NS, END_NS, FLAGS, KIND, STATUS, DROPPED = range(6)
EVENT_NS, EVENT_DROPPED, LINK_FLAGS, LINK_DROPPED, NUMBERS = range(8, 13)
# Counters: first where each column of text ends; rows and entries of each owner; names in each dictionary; records of
# other signals.
ROWS, ENTRIES, SIZES, OTHERS, COUNTERS = TEXTS, TEXTS + 5, TEXTS + 10, TEXTS + 12, TEXTS + 13
# What an attribute value is: text, a double in the digits of its input, or, straight from protobuf, the eight bytes of a
# double, bytes, a list, a map (for ingest.formats.nested_values).
EMPTY, TEXT, DOUBLE, FLOAT, BYTES, LIST, KVLIST = range(7)


class Columns(NamedTuple):
    """What `scan` writes to, used again for every piece."""

    text: npt.NDArray[np.uint8]  # the columns of text, one after the other, equally long
    codes: npt.NDArray[np.int32]  # [CODES, rows + 1]
    numbers: npt.NDArray[np.int64]  # [NUMBERS, rows]
    counters: npt.NDArray[np.int64]  # [COUNTERS]
    slots: npt.NDArray[np.int32]  # [2, a power of two]: hash tables of the dictionaries, -1 where free

    @classmethod
    def for_text(cls, size: int, rows: int, names: int) -> "Columns":
        """Columns for `size` bytes of input, fewer than `rows` rows of anything, and `names` distinct names and attribute keys.

        Memory that is never written to costs nothing.
        """
        return cls(
            np.empty(TEXTS * (size + SLACK), np.uint8),
            np.zeros((CODES, rows + 1), np.int32),
            np.empty((NUMBERS, rows), np.int64),
            np.zeros(COUNTERS, np.int64),
            np.empty((2, 1 << (2 * min(names, rows)).bit_length()), np.int32),
        )


@jit
def clear(out):
    """Remove all rows."""
    out.counters[:] = 0
    out.slots[:] = -1


@jit
def close_row(owner, first, beyond, out):
    """End the open row of an owner, whose columns of text are first … beyond - 1."""
    row = out.counters[ROWS + owner]
    for c in range(first, beyond):
        out.codes[c, row + 1] = out.counters[c]
    out.codes[LISTS + owner, row + 1] = out.counters[ENTRIES + owner]
    out.counters[ROWS + owner] = row + 1


@jit
def intern(source, start, end, table, out):
    """The code of source[start:end] in a dictionary; FULL where it has no room for another name."""
    hashed = np.uint64(end - start)
    i = start
    while i + 8 <= end:
        hashed = (hashed ^ load_word(source, i)) * np.uint64(0x9E3779B97F4A7C15)
        hashed ^= hashed >> np.uint64(32)
        i += 8
    mask = (np.uint64(1) << np.uint64(8 * (end - i))) - np.uint64(1)
    tail = load_word(source, i) & mask
    hashed = (hashed ^ tail) * np.uint64(0x9E3779B97F4A7C15)
    hashed ^= hashed >> np.uint64(29)

    column = DICTIONARIES + table
    letters = column * (out.text.size // TEXTS)
    place = np.int64(hashed & np.uint64(out.slots.shape[1] - 1))
    while True:
        code = out.slots[table, place]
        if code < 0:
            break
        same, beyond = out.codes[column, code], out.codes[column, code + 1]
        if beyond - same == end - start:
            same += letters
            i = start
            while i + 8 <= end and load_word(source, i) == load_word(out.text, same + i - start):
                i += 8
            if i + 8 > end and tail == load_word(out.text, same + i - start) & mask:
                return np.int64(code)
        place = (place + 1) & (out.slots.shape[1] - 1)

    new = out.counters[SIZES + table]
    if 2 * new == out.slots.shape[1] or new == out.numbers.shape[1]:
        return np.int64(FULL)
    at = letters + out.codes[column, new]
    for i in range(start, end, 8):
        store_word(out.text, at + i - start, load_word(source, i))
    out.slots[table, place] = new
    out.codes[column, new + 1] = out.codes[column, new] + end - start
    out.counters[SIZES + table] = new + 1
    return new

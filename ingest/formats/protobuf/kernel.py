"""One pass over OTLP/protobuf, from bytes to columns.

`scan` fills the arrays of `Columns`. A level of OTLP is one function here: it takes where a message begins and ends and
returns its end, or BAD where the bytes are not such a message. Fields that are not read, and known ones of another wire
type, are skipped, as protobuf's own decoders do. Lists and maps are copied undecoded, for ingest.formats.nested_values.
"""

import numpy as np

from overbudget.ingest.formats.buffers import (
    BYTES,
    DROPPED,
    EMPTY,
    END_NS,
    ENTRIES,
    ENTRY_KEYS,
    ENTRY_KINDS,
    EVENT,
    EVENT_DROPPED,
    EVENT_NAME,
    EVENT_NS,
    FLAGS,
    FLOAT,
    FULL,
    KEYS,
    KIND,
    KVLIST,
    LINK,
    LINK_DROPPED,
    LINK_FLAGS,
    LINK_SPAN,
    LINK_STATE,
    LINK_TRACE,
    LIST,
    MESSAGE,
    NAME,
    NAMES,
    PARENT_ID,
    RESOURCE,
    RESOURCE_OF_SCOPE,
    RESOURCE_URL,
    ROWS,
    SCOPE,
    SCOPE_NAME,
    SCOPE_OF_SPAN,
    SCOPE_URL,
    SCOPE_VERSION,
    SPAN,
    SPAN_ID,
    SPAN_OF_EVENT,
    SPAN_OF_LINK,
    START_NS,
    STATUS,
    TEXT,
    TEXTS,
    TRACE_ID,
    TRACE_STATE,
    VALUES,
    clear,
    close_row,
    intern,
)
from overbudget.ingest.formats.protobuf.wire import BYTES as LENGTH
from overbudget.ingest.formats.protobuf.wire import FIXED32, FIXED64, VARINT
from overbudget.kernels.words import jit, load_word, outer, store_word

BAD = -1
_TRUE, _FALSE = (np.uint64(int.from_bytes(word.ljust(8, b"\0"), "little")) for word in (b"true", b"false"))
_HALF = np.uint64(0xFFFFFFFF)


@jit
def _varint(data, i):
    """(value, position after it)."""
    value = np.uint64(data[i])
    if value < np.uint64(128):
        return value, i + 1
    value &= np.uint64(127)
    for shift in range(7, 70, 7):
        i += 1
        byte = np.uint64(data[i])
        value |= (byte & np.uint64(127)) << np.uint64(shift)
        if byte < np.uint64(128):
            return value, i + 1
    return value, BAD


@jit
def _field(data, i, end):
    """The field at i: (key, where its value begins, and ends). The key is 8 × number + wire type, 0 where it is none."""
    key, start = _varint(data, i)
    if start < 0 or key < np.uint64(8) or key >> np.uint64(3) > np.uint64(0x1FFFFFFF):
        return np.int64(0), BAD, BAD
    wire = np.int64(key & np.uint64(7))
    if wire == VARINT:
        _, beyond = _varint(data, start)
    elif wire == LENGTH:
        size, start = _varint(data, start)
        beyond = BAD if start < 0 or size > np.uint64(end) else start + np.int64(size)
    elif wire == FIXED64:
        beyond = start + 8
    elif wire == FIXED32:
        beyond = start + 4
    else:
        beyond = BAD
    if beyond < 0 or beyond > end:
        return np.int64(0), BAD, BAD
    return np.int64(key), start, beyond


@jit
def _copy(data, start, end, c, row, out):
    """Set the text of a column's open row."""
    begin = c * (out.text.size // TEXTS) + out.codes[c, row]
    for i in range(start, end, 8):
        store_word(out.text, begin + i - start, load_word(data, i))
    out.counters[c] = out.codes[c, row] + end - start


@jit
def _hex(data, start, end, c, row, out):
    """Set the text of a column's open row to an id, in hexadecimal digits."""
    at = c * (out.text.size // TEXTS) + out.codes[c, row]
    for i in range(start, end):
        high, low = data[i] >> 4, data[i] & 15
        out.text[at] = high + (48 if high < 10 else 87)
        out.text[at + 1] = low + (48 if low < 10 else 87)
        at += 2
    out.counters[c] = out.codes[c, row] + 2 * (end - start)


@jit
def _decimal(number, c, row, out):
    """Set the text of a column's open row to an int64."""
    negative = np.int64(number) < 0
    rest = np.uint64(0) - number if negative else number
    digits, power = 1, np.uint64(10)
    while digits < 20 and rest >= power:
        digits += 1
        power *= np.uint64(10)
        if digits == 20:
            break
    at = c * (out.text.size // TEXTS) + out.codes[c, row]
    if negative:
        out.text[at] = 45
        at += 1
    for i in range(digits - 1, -1, -1):
        out.text[at + i] = 48 + rest % np.uint64(10)
        rest //= np.uint64(10)
    out.counters[c] = out.codes[c, row] + digits + negative


@jit
def _small(data, start):
    """A uint32 as varint; higher bits are cut off, as protobuf's own decoders do."""
    value, _ = _varint(data, start)
    return np.int64(value & _HALF)


@jit
def _enum(data, start):
    """An int32 as varint."""
    value, _ = _varint(data, start)
    return np.int64(np.int32(value & _HALF))


@jit
def _fixed32(data, start):
    return np.int64(load_word(data, start) & _HALF)


@jit
def _value(data, i, end, owner, entry, out):
    """The AnyValue of an attribute; of several kinds the last counts."""
    c = VALUES + owner
    while i < end:
        key, start, i = _field(data, i, end)
        if key == 0:
            return BAD
        kind = TEXT
        if key == 8 * 1 + LENGTH:
            _copy(data, start, i, c, entry, out)
        elif key == 8 * 2 + VARINT:
            truth, _ = _varint(data, start)
            store_word(out.text, c * (out.text.size // TEXTS) + out.codes[c, entry], _TRUE if truth else _FALSE)
            out.counters[c] = out.codes[c, entry] + (4 if truth else 5)
        elif key == 8 * 3 + VARINT:
            number, _ = _varint(data, start)
            _decimal(number, c, entry, out)
        elif key == 8 * 4 + FIXED64:
            kind = FLOAT
            _copy(data, start, i, c, entry, out)
        elif key == 8 * 5 + LENGTH or key == 8 * 6 + LENGTH or key == 8 * 7 + LENGTH:
            kind = LIST if key == 8 * 5 + LENGTH else KVLIST if key == 8 * 6 + LENGTH else BYTES
            _copy(data, start, i, c, entry, out)
        else:
            continue
        out.codes[ENTRY_KINDS + owner, entry] = kind
    return end


@jit
def _attribute(data, i, end, owner, out):
    """One KeyValue: an entry of the owner's open row."""
    entry = out.counters[ENTRIES + owner]
    if entry + 1 >= out.numbers.shape[1]:
        return FULL
    out.codes[ENTRY_KINDS + owner, entry] = EMPTY
    first = last = i
    while i < end:
        key, start, i = _field(data, i, end)
        if key == 0:
            return BAD
        if key == 8 * 1 + LENGTH:
            first, last = start, i
        elif key == 8 * 2 + LENGTH and _value(data, start, i, owner, entry, out) < 0:
            return BAD
    code = intern(data, first, last, KEYS, out)
    if code < 0:
        return code
    out.codes[ENTRY_KEYS + owner, entry] = code
    out.codes[VALUES + owner, entry + 1] = out.counters[VALUES + owner]
    out.counters[ENTRIES + owner] = entry + 1
    return end


@jit
def _event(data, i, end, out):
    row = out.counters[ROWS + EVENT]
    if row + 1 >= out.numbers.shape[1]:
        return FULL
    out.numbers[EVENT_NS, row] = 0
    out.numbers[EVENT_DROPPED, row] = 0
    out.codes[SPAN_OF_EVENT, row] = out.counters[ROWS + SPAN]
    while i < end:
        key, start, i = _field(data, i, end)
        if key == 0:
            return BAD
        if key == 8 * 1 + FIXED64:
            out.numbers[EVENT_NS, row] = np.int64(load_word(data, start))
        elif key == 8 * 2 + LENGTH:
            _copy(data, start, i, EVENT_NAME, row, out)
        elif key == 8 * 3 + LENGTH:
            done = _attribute(data, start, i, EVENT, out)
            if done < 0:
                return done
        elif key == 8 * 4 + VARINT:
            out.numbers[EVENT_DROPPED, row] = _small(data, start)
    close_row(EVENT, EVENT_NAME, EVENT_NAME + 1, out)
    return end


@jit
def _link(data, i, end, out):
    row = out.counters[ROWS + LINK]
    if row + 1 >= out.numbers.shape[1]:
        return FULL
    out.numbers[LINK_FLAGS, row] = 0
    out.numbers[LINK_DROPPED, row] = 0
    out.codes[SPAN_OF_LINK, row] = out.counters[ROWS + SPAN]
    while i < end:
        key, start, i = _field(data, i, end)
        if key == 0:
            return BAD
        if key == 8 * 1 + LENGTH:
            _hex(data, start, i, LINK_TRACE, row, out)
        elif key == 8 * 2 + LENGTH:
            _hex(data, start, i, LINK_SPAN, row, out)
        elif key == 8 * 3 + LENGTH:
            _copy(data, start, i, LINK_STATE, row, out)
        elif key == 8 * 4 + LENGTH:
            done = _attribute(data, start, i, LINK, out)
            if done < 0:
                return done
        elif key == 8 * 5 + VARINT:
            out.numbers[LINK_DROPPED, row] = _small(data, start)
        elif key == 8 * 6 + FIXED32:
            out.numbers[LINK_FLAGS, row] = _fixed32(data, start)
    close_row(LINK, LINK_TRACE, LINK_STATE + 1, out)
    return end


@jit
def _status(data, i, end, row, out):
    while i < end:
        key, start, i = _field(data, i, end)
        if key == 0:
            return BAD
        if key == 8 * 2 + LENGTH:
            _copy(data, start, i, MESSAGE, row, out)
        elif key == 8 * 3 + VARINT:
            out.numbers[STATUS, row] = _enum(data, start)
    return end


@jit
def _span(data, i, end, out):
    row = out.counters[ROWS + SPAN]
    if row + 1 >= out.numbers.shape[1]:
        return FULL
    for c in range(START_NS, EVENT_NS):
        out.numbers[c, row] = 0
    out.codes[SCOPE_OF_SPAN, row] = out.counters[ROWS + SCOPE]
    first = last = i
    while i < end:
        key, start, i = _field(data, i, end)
        if key == 0:
            return BAD
        done = i
        if key == 8 * 1 + LENGTH:
            _hex(data, start, i, TRACE_ID, row, out)
        elif key == 8 * 2 + LENGTH:
            _hex(data, start, i, SPAN_ID, row, out)
        elif key == 8 * 3 + LENGTH:
            _copy(data, start, i, TRACE_STATE, row, out)
        elif key == 8 * 4 + LENGTH:
            _hex(data, start, i, PARENT_ID, row, out)
        elif key == 8 * 5 + LENGTH:
            first, last = start, i
        elif key == 8 * 6 + VARINT:
            out.numbers[KIND, row] = _enum(data, start)
        elif key == 8 * 7 + FIXED64:
            out.numbers[START_NS, row] = np.int64(load_word(data, start))
        elif key == 8 * 8 + FIXED64:
            out.numbers[END_NS, row] = np.int64(load_word(data, start))
        elif key == 8 * 9 + LENGTH:
            done = _attribute(data, start, i, SPAN, out)
        elif key == 8 * 10 + VARINT:
            out.numbers[DROPPED, row] = _small(data, start)
        elif key == 8 * 11 + LENGTH:
            done = _event(data, start, i, out)
        elif key == 8 * 12 + VARINT:
            out.numbers[DROPPED + 1, row] = _small(data, start)
        elif key == 8 * 13 + LENGTH:
            done = _link(data, start, i, out)
        elif key == 8 * 14 + VARINT:
            out.numbers[DROPPED + 2, row] = _small(data, start)
        elif key == 8 * 15 + LENGTH:
            done = _status(data, start, i, row, out)
        elif key == 8 * 16 + FIXED32:
            out.numbers[FLAGS, row] = _fixed32(data, start)
        if done < 0:
            return done
    code = intern(data, first, last, NAMES, out)
    if code < 0:
        return code
    out.codes[NAME, row] = code
    close_row(SPAN, TRACE_ID, MESSAGE + 1, out)
    return end


@jit
def _scope(data, i, end, row, out):
    while i < end:
        key, start, i = _field(data, i, end)
        if key == 0:
            return BAD
        if key == 8 * 1 + LENGTH:
            _copy(data, start, i, SCOPE_NAME, row, out)
        elif key == 8 * 2 + LENGTH:
            _copy(data, start, i, SCOPE_VERSION, row, out)
        elif key == 8 * 3 + LENGTH:
            done = _attribute(data, start, i, SCOPE, out)
            if done < 0:
                return done
    return end


@jit
def _scope_spans(data, i, end, out):
    row = out.counters[ROWS + SCOPE]
    if row + 1 >= out.numbers.shape[1]:
        return FULL
    out.codes[RESOURCE_OF_SCOPE, row] = out.counters[ROWS + RESOURCE]
    while i < end:
        key, start, i = _field(data, i, end)
        if key == 0:
            return BAD
        done = i
        if key == 8 * 1 + LENGTH:
            done = _scope(data, start, i, row, out)
        elif key == 8 * 2 + LENGTH:
            done = _span(data, start, i, out)
        elif key == 8 * 3 + LENGTH:
            _copy(data, start, i, SCOPE_URL, row, out)
        if done < 0:
            return done
    close_row(SCOPE, SCOPE_NAME, SCOPE_URL + 1, out)
    return end


@jit
def _resource(data, i, end, out):
    while i < end:
        key, start, i = _field(data, i, end)
        if key == 0:
            return BAD
        if key == 8 * 1 + LENGTH:
            done = _attribute(data, start, i, RESOURCE, out)
            if done < 0:
                return done
    return end


@jit
def _resource_spans(data, i, end, out):
    row = out.counters[ROWS + RESOURCE]
    if row + 1 >= out.numbers.shape[1]:
        return FULL
    while i < end:
        key, start, i = _field(data, i, end)
        if key == 0:
            return BAD
        done = i
        if key == 8 * 1 + LENGTH:
            done = _resource(data, start, i, out)
        elif key == 8 * 2 + LENGTH:
            done = _scope_spans(data, start, i, out)
        elif key == 8 * 3 + LENGTH:
            _copy(data, start, i, RESOURCE_URL, row, out)
        if done < 0:
            return done
    close_row(RESOURCE, RESOURCE_URL, RESOURCE_URL + 1, out)
    return end


@outer
def scan(data, ends, out):
    """Read messages of TracesData into columns, overwriting them: the first in data[:ends[0]], and so on.

    SLACK zeros follow the last. Returns how many bytes were read, or BAD, or FULL where the columns have too few rows.
    """
    clear(out)
    i = 0
    for end in ends:
        while i < end:
            key, start, i = _field(data, i, end)
            if key == 0:
                return BAD
            if key == 8 * 1 + LENGTH:
                done = _resource_spans(data, start, i, out)
                if done < 0:
                    return done
    return i

"""One pass over canonical OTLP/JSON, from bytes to columns.

`scan` fills the arrays of `Columns`. A level of OTLP is one function here:
it takes the position of an object and returns the position after it. Anything that canonical OTLP/JSON does not write gives
ODD, and the general reader (ingest.formats.json.dialects) reads the whole piece; too little room gives FULL.
"""

import numpy as np

from overbudget.ingest.formats.buffers import (
    DOUBLE,
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
    FULL,
    KEYS,
    KIND,
    LINK,
    LINK_DROPPED,
    LINK_FLAGS,
    LINK_SPAN,
    LINK_STATE,
    LINK_TRACE,
    LISTS,
    MESSAGE,
    NAME,
    NAMES,
    OTHERS,
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
    SCRATCH,
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
from overbudget.ingest.formats.json.text import (
    ELEMENT,
    END,
    ODD,
    START,
    copy_string,
    field,
    integer,
    literal,
    next_element,
    next_field,
    number_end,
    plain_end,
    skip_value,
    space,
    text_or_integer,
)
from overbudget.kernels.words import jit, outer

# The fields that are read.
F_RESOURCE_SPANS = field("resourceSpans")
F_RESOURCE_METRICS = field("resourceMetrics")
F_RESOURCE_LOGS = field("resourceLogs")
F_STATUS = field("status")
F_RESOURCE = field("resource")
F_SCOPE_SPANS = field("scopeSpans")
F_SCHEMA_URL = field("schemaUrl")
F_SCOPE = field("scope")
F_SPANS = field("spans")
F_NAME = field("name")
F_VERSION = field("version")
F_ATTRIBUTES = field("attributes")
F_KEY = field("key")
F_VALUE = field("value")
F_VALUES = field("values")
F_TRACE_ID = field("traceId")
F_SPAN_ID = field("spanId")
F_PARENT_ID = field("parentSpanId")
F_TRACE_STATE = field("traceState")
F_FLAGS = field("flags")
F_KIND = field("kind")
F_START = field("startTimeUnixNano")
F_END = field("endTimeUnixNano")
F_EVENTS = field("events")
F_LINKS = field("links")
F_CODE = field("code")
F_MESSAGE = field("message")
F_DROPPED_ATTRIBUTES = field("droppedAttributesCount")
F_DROPPED_EVENTS = field("droppedEventsCount")
F_DROPPED_LINKS = field("droppedLinksCount")
F_TIME = field("timeUnixNano")
F_STRING = field("stringValue")
F_INT = field("intValue")
F_BOOL = field("boolValue")
F_DOUBLE = field("doubleValue")
F_BYTES = field("bytesValue")
F_ARRAY = field("arrayValue")
# Names that canonical OTLP/JSON does not have, but that the general reader knows.
_ODD_FIELDS = tuple(
    field(name)
    for name in (
        "resource_spans", "scope_spans", "deprecatedScopeSpans", "deprecated_scope_spans", "batches",
        "instrumentationLibrarySpans", "instrumentation_library_spans", "instrumentationLibrary",
        "instrumentation_library", "schema_url", "trace_id", "span_id", "parent_span_id", "trace_state",
        "start_time_unix_nano", "end_time_unix_nano", "time_unix_nano", "dropped_attributes_count",
        "dropped_events_count", "dropped_links_count", "string_value", "int_value", "bool_value", "double_value",
        "bytes_value", "array_value", "kvlist_value", "kvlistValue",
    )
)  # fmt: skip


@jit
def _other(code, data, i):
    """A field that is unknown at its level."""
    for odd in _ODD_FIELDS:
        if code == odd:
            return ODD
    return skip_value(data, i)


@jit
def _text(data, i, c, out):
    """Append the string at i to the text column; its row is closed by `_close`."""
    stride = out.text.size // TEXTS
    i, end = copy_string(data, i, out.text, c * stride + out.counters[c])
    out.counters[c] = end - c * stride
    return i


@jit
def _row_text(data, i, c, row, out):
    """`_text` for a field; one that is given twice is odd."""
    if out.counters[c] != out.codes[c, row]:
        return ODD
    return _text(data, i, c, out)


@jit
def _id(data, i, c, row, digits, out):
    """`_row_text` for an id in hex; one in base64 is odd."""
    i = _row_text(data, i, c, row, out)
    return ODD if out.counters[c] - out.codes[c, row] == (24 if digits == 32 else 12) else i


@jit
def _small(data, i, c, row, lowest, highest, out):
    """A number that must lie within bounds."""
    value, i = integer(data, i)
    out.numbers[c, row] = value
    return i if lowest <= value <= highest else ODD


@jit
def _time(data, i, c, row, out):
    value, i = text_or_integer(data, i)
    out.numbers[c, row] = value
    return i if value >= 0 else ODD


@jit
def _name(data, i, table, out):
    """A string of a column with few distinct values: (position, code)."""
    if data[i] != 34:
        return ODD, np.int64(ODD)
    end = plain_end(data, i + 1)
    if data[end] == 34:
        code = intern(data, i + 1, end, table, out)
        return (end + 1 if code >= 0 else code), code
    scratch = SCRATCH * (out.text.size // TEXTS)
    i, end = copy_string(data, i, out.text, scratch)
    if i < 0:
        return i, np.int64(ODD)
    code = intern(out.text, scratch, end, table, out)
    return (i if code >= 0 else code), code


@jit
def _copy_number(data, start, end, c, out):
    at = c * (out.text.size // TEXTS) + out.counters[c]
    for i in range(start, end):
        out.text[at + i - start] = data[i]
    out.counters[c] += end - start


@jit
def _integer_text(data, i, c, out):
    """Append a 64-bit integer, given as text or number, as text."""
    start = i
    _, i = text_or_integer(data, i)
    if i < 0:
        return ODD
    quoted = data[start] == 34
    if i - start == 2 and quoted:
        return ODD  # "" means 0
    _copy_number(data, start + quoted, i - quoted, c, out)
    return i


@jit
def _shortest(data, start, end):
    """Whether the number is a double in its shortest text: at most 15 digits, nothing that could be left out."""
    i = start + 1 if data[start] == 45 else start
    first = i
    while 48 <= data[i] <= 57:
        i += 1
    if i == first or data[i] != 46 or end - i < 2 or end - first > 16 or (data[first] == 48 and i - first > 1):
        return False
    for j in range(i + 1, end):
        if data[j] < 48 or data[j] > 57:
            return False
    if data[first] == 48 and data[i + 1] == 48:
        return end - i == 2 and first == start  # 0.0, but neither -0.0 nor 0.01
    return data[end - 1] != 48 or end - i == 2


@jit
def _array(data, i, c, out):
    """An array of plain values as compact JSON text."""
    stride = out.text.size // TEXTS
    out.text[c * stride + out.counters[c]] = 91
    out.counters[c] += 1
    items = 0
    code, seen = START, False
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            break
        if code != F_VALUES or seen:
            return ODD
        seen = True
        state = START
        while True:
            i, state = next_element(data, i, state)
            if state == END:
                break
            if items:
                out.text[c * stride + out.counters[c]] = 44
                out.counters[c] += 1
            items += 1
            i = _item(data, i, c, out)
            if i < 0:
                return i
        if i < 0:
            return i
    out.text[c * stride + out.counters[c]] = 93
    out.counters[c] += 1
    return i


@jit
def _item(data, i, c, out):
    """One plain value of an array."""
    i, code = next_field(data, i, START)
    if code == F_STRING:
        if data[i] != 34:
            return ODD
        end = plain_end(data, i + 1)
        if data[end] != 34:
            return ODD  # needs more than quotes around it
        _copy_number(data, i, end + 1, c, out)
        i = end + 1
    elif code == F_INT:
        i = _integer_text(data, i, c, out)
    elif code == F_BOOL:
        end = literal(data, i)
        _copy_number(data, i, end, c, out)
        i = end
    elif code == F_DOUBLE:
        end = number_end(data, i)
        if end < 0 or not _shortest(data, i, end):
            return ODD
        _copy_number(data, i, end, c, out)
        i = end
    else:
        return ODD
    if i < 0:
        return ODD
    i = space(data, i)
    return i + 1 if data[i] == 125 else ODD


@jit
def _six_bits(c):
    """The value of a character of base64; ODD where it is none."""
    if 65 <= c <= 90:
        return c - 65
    if 97 <= c <= 122:
        return c - 71
    if 48 <= c <= 57:
        return c + 4
    if c == 43 or c == 47:
        return 62 + (c == 47)
    return ODD


@jit
def _base64(data, start, end):
    """Whether the text is base64 as it is stored: padded, with + and /, no bit left over."""
    if (end - start) % 4 != 0:
        return False
    padding = 0
    while padding < 2 and end - padding > start and data[end - 1 - padding] == 61:
        padding += 1
    last = np.int64(0)
    for i in range(start, end - padding):
        last = _six_bits(np.int64(data[i]))
        if last < 0:
            return False
    return last & ((1 << (2 * padding)) - 1) == 0


@jit
def _value(data, i, owner, entry, out):
    """The AnyValue of an attribute."""
    c = VALUES + owner
    code = START
    kind = EMPTY
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            break
        if code == F_STRING:
            i = _text(data, i, c, out)
        elif code == F_INT:
            i = _integer_text(data, i, c, out)
        elif code == F_BOOL:
            end = literal(data, i)
            _copy_number(data, i, end, c, out)
            i = end
        elif code == F_DOUBLE:
            end = number_end(data, i)
            if end < 0 or (end == i + 2 and data[i] == 45 and data[i + 1] == 48):
                return ODD  # not a number, or -0, which Python's parsers read as an integer
            _copy_number(data, i, end, c, out)
            i = end
        elif code == F_BYTES:
            start = out.counters[c] + c * (out.text.size // TEXTS)
            i = _text(data, i, c, out)
            if i >= 0 and not _base64(out.text, start, out.counters[c] + c * (out.text.size // TEXTS)):
                return ODD
        elif code == F_ARRAY:
            i = _array(data, i, c, out)
        else:
            i = _other(code, data, i)
            if i < 0:
                return i
            continue
        if i < 0 or kind != EMPTY:
            return ODD
        kind = DOUBLE if code == F_DOUBLE else TEXT
    out.codes[ENTRY_KINDS + owner, entry] = kind
    return i


@jit
def _attributes(data, i, owner, out):
    """A list of attributes: entries of the owner's open row."""
    if out.codes[LISTS + owner, out.counters[ROWS + owner]] != out.counters[ENTRIES + owner]:
        return ODD  # a second list
    state = START
    while True:
        i, state = next_element(data, i, state)
        if state == END:
            return i
        entry = out.counters[ENTRIES + owner]
        if entry + 1 >= out.numbers.shape[1]:
            return FULL
        key = np.int64(-1)
        valued = False
        out.codes[ENTRY_KINDS + owner, entry] = EMPTY
        code = START
        while True:
            i, code = next_field(data, i, code)
            if code == END:
                break
            if code == F_KEY and key < 0:
                i, key = _name(data, i, KEYS, out)
            elif code == F_VALUE and not valued:
                i = _value(data, i, owner, entry, out)
                valued = True
            elif code in (F_KEY, F_VALUE):
                return ODD
            else:
                i = _other(code, data, i)
            if i < 0:
                return i
        if i < 0:
            return i
        if key < 0:
            key = intern(data, i, i, KEYS, out)
            if key < 0:
                return key
        out.codes[ENTRY_KEYS + owner, entry] = key
        out.codes[VALUES + owner, entry + 1] = out.counters[VALUES + owner]
        out.counters[ENTRIES + owner] = entry + 1


@jit
def _event(data, i, out):
    row = out.counters[ROWS + EVENT]
    if row + 1 >= out.numbers.shape[1]:
        return FULL
    out.numbers[EVENT_NS, row] = 0
    out.numbers[EVENT_DROPPED, row] = 0
    out.codes[SPAN_OF_EVENT, row] = out.counters[ROWS + SPAN]
    code = START
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            break
        if code == F_TIME:
            i = _time(data, i, EVENT_NS, row, out)
        elif code == F_NAME:
            i = _row_text(data, i, EVENT_NAME, row, out)
        elif code == F_ATTRIBUTES:
            i = _attributes(data, i, EVENT, out)
        elif code == F_DROPPED_ATTRIBUTES:
            i = _small(data, i, EVENT_DROPPED, row, 0, 0xFFFFFFFF, out)
        else:
            i = _other(code, data, i)
        if i < 0:
            return i
    close_row(EVENT, EVENT_NAME, EVENT_NAME + 1, out)
    return i


@jit
def _link(data, i, out):
    row = out.counters[ROWS + LINK]
    if row + 1 >= out.numbers.shape[1]:
        return FULL
    out.numbers[LINK_FLAGS, row] = 0
    out.numbers[LINK_DROPPED, row] = 0
    out.codes[SPAN_OF_LINK, row] = out.counters[ROWS + SPAN]
    code = START
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            break
        if code == F_TRACE_ID:
            i = _id(data, i, LINK_TRACE, row, 32, out)
        elif code == F_SPAN_ID:
            i = _id(data, i, LINK_SPAN, row, 16, out)
        elif code == F_TRACE_STATE:
            i = _row_text(data, i, LINK_STATE, row, out)
        elif code == F_FLAGS:
            i = _small(data, i, LINK_FLAGS, row, 0, 0xFFFFFFFF, out)
        elif code == F_ATTRIBUTES:
            i = _attributes(data, i, LINK, out)
        elif code == F_DROPPED_ATTRIBUTES:
            i = _small(data, i, LINK_DROPPED, row, 0, 0xFFFFFFFF, out)
        else:
            i = _other(code, data, i)
        if i < 0:
            return i
    close_row(LINK, LINK_TRACE, LINK_STATE + 1, out)
    return i


@jit
def _status(data, i, row, out):
    code = START
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            return i
        if code == F_CODE:
            i = _small(data, i, STATUS, row, -(2**31), 2**31 - 1, out)
        elif code == F_MESSAGE:
            i = _row_text(data, i, MESSAGE, row, out)
        else:
            i = _other(code, data, i)
        if i < 0:
            return i


@jit
def _span(data, i, out):
    row = out.counters[ROWS + SPAN]
    if row + 1 >= out.numbers.shape[1]:
        return FULL
    for c in range(START_NS, EVENT_NS):
        out.numbers[c, row] = 0
    out.codes[SCOPE_OF_SPAN, row] = out.counters[ROWS + SCOPE]
    name = np.int64(-1)
    code = START
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            break
        if code == F_TRACE_ID:
            i = _id(data, i, TRACE_ID, row, 32, out)
        elif code == F_SPAN_ID:
            i = _id(data, i, SPAN_ID, row, 16, out)
        elif code == F_PARENT_ID:
            i = _id(data, i, PARENT_ID, row, 16, out)
        elif code == F_NAME:
            i, name = _name(data, i, NAMES, out)
        elif code == F_KIND:
            i = _small(data, i, KIND, row, -(2**31), 2**31 - 1, out)
        elif code == F_START:
            i = _time(data, i, START_NS, row, out)
        elif code == F_END:
            i = _time(data, i, END_NS, row, out)
        elif code == F_ATTRIBUTES:
            i = _attributes(data, i, SPAN, out)
        elif code == F_STATUS:
            i = _status(data, i, row, out)
        elif code == F_FLAGS:
            i = _small(data, i, FLAGS, row, 0, 0xFFFFFFFF, out)
        elif code == F_TRACE_STATE:
            i = _row_text(data, i, TRACE_STATE, row, out)
        elif code == F_EVENTS:
            i = _events(data, i, out)
        elif code == F_LINKS:
            i = _links(data, i, out)
        elif code == F_DROPPED_ATTRIBUTES:
            i = _small(data, i, DROPPED, row, 0, 0xFFFFFFFF, out)
        elif code == F_DROPPED_EVENTS:
            i = _small(data, i, DROPPED + 1, row, 0, 0xFFFFFFFF, out)
        elif code == F_DROPPED_LINKS:
            i = _small(data, i, DROPPED + 2, row, 0, 0xFFFFFFFF, out)
        else:
            i = _other(code, data, i)
        if i < 0:
            return i
    if i < 0:
        return i
    if name < 0:
        name = intern(data, i, i, NAMES, out)
        if name < 0:
            return name
    out.codes[NAME, row] = name
    close_row(SPAN, TRACE_ID, MESSAGE + 1, out)
    return i


@jit
def _events(data, i, out):
    state = START
    while True:
        i, state = next_element(data, i, state)
        if state == END:
            return i
        i = _event(data, i, out)
        if i < 0:
            return i


@jit
def _links(data, i, out):
    state = START
    while True:
        i, state = next_element(data, i, state)
        if state == END:
            return i
        i = _link(data, i, out)
        if i < 0:
            return i


@jit
def _spans(data, i, out):
    state = START
    while True:
        i, state = next_element(data, i, state)
        if state == END:
            return i
        i = _span(data, i, out)
        if i < 0:
            return i


@jit
def _scope(data, i, row, out):
    code = START
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            return i
        if code == F_NAME:
            i = _row_text(data, i, SCOPE_NAME, row, out)
        elif code == F_VERSION:
            i = _row_text(data, i, SCOPE_VERSION, row, out)
        elif code == F_ATTRIBUTES:
            i = _attributes(data, i, SCOPE, out)
        else:
            i = _other(code, data, i)
        if i < 0:
            return i


@jit
def _scope_spans(data, i, out):
    row = out.counters[ROWS + SCOPE]
    if row + 1 >= out.numbers.shape[1]:
        return FULL
    out.codes[RESOURCE_OF_SCOPE, row] = out.counters[ROWS + RESOURCE]
    code = START
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            break
        if code == F_SPANS:
            i = _spans(data, i, out)
        elif code == F_SCOPE:
            i = _scope(data, i, row, out)
        elif code == F_SCHEMA_URL:
            i = _row_text(data, i, SCOPE_URL, row, out)
        else:
            i = _other(code, data, i)
        if i < 0:
            return i
    close_row(SCOPE, SCOPE_NAME, SCOPE_URL + 1, out)
    return i


@jit
def _resource(data, i, out):
    code = START
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            return i
        i = _attributes(data, i, RESOURCE, out) if code == F_ATTRIBUTES else _other(code, data, i)
        if i < 0:
            return i


@jit
def _resource_spans(data, i, out):
    row = out.counters[ROWS + RESOURCE]
    if row + 1 >= out.numbers.shape[1]:
        return FULL
    code = START
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            break
        if code == F_SCOPE_SPANS:
            state = START
            while True:
                i, state = next_element(data, i, state)
                if state == END:
                    break
                i = _scope_spans(data, i, out)
                if i < 0:
                    return i
        elif code == F_RESOURCE:
            i = _resource(data, i, out)
        elif code == F_SCHEMA_URL:
            i = _row_text(data, i, RESOURCE_URL, row, out)
        else:
            i = _other(code, data, i)
        if i < 0:
            return i
    close_row(RESOURCE, RESOURCE_URL, RESOURCE_URL + 1, out)
    return i


@jit
def _record(data, i, out):
    """One document: resource spans, or another signal."""
    code = START
    traces, others = 0, 0
    while True:
        i, code = next_field(data, i, code)
        if code == END:
            break
        if code == F_RESOURCE_SPANS:
            traces += 1
            state = START
            while True:
                i, state = next_element(data, i, state)
                if state != ELEMENT:
                    break
                i = _resource_spans(data, i, out)
                if i < 0:
                    return i
        elif code == F_STATUS:
            return ODD  # of a query API
        else:
            others += code in (F_RESOURCE_METRICS, F_RESOURCE_LOGS)
            i = _other(code, data, i)
        if i < 0:
            return i
    if others > 0:
        out.counters[OTHERS] += 1
    elif traces == 0:
        return ODD
    if traces > 1:
        return ODD
    return i


@outer
def scan(data, ends, out):
    """Read the documents in data[:ends[-1]], which is followed by SLACK zeros, into columns, overwriting them.

    Returns how many bytes were read, or ODD where something is not canonical OTLP/JSON, or FULL where the columns have
    too few rows.
    """
    clear(out)
    size = ends[-1]
    i = space(data, 0)
    while 0 <= i < size:
        i = _record(data, i, out)
        if i >= 0:
            i = space(data, i)
    return min(i, size)

"""The format of a file, decided from its first bytes; files that are not dumps of traces are refused by name."""

import re
import struct
from typing import NamedTuple

from overbudget.ingest.formats.catalogue import (
    GO_CONSOLE,
    JAVASCRIPT_CONSOLE,
    OTLP,
    PARQUET,
    PROTOBUF,
    PYTHON_CONSOLE,
    Format,
    format_of,
    refusal,
)
from overbudget.ingest.formats.head import first_records
from overbudget.ingest.formats.protobuf.wire import (
    BARE,
    LARGEST,
    LENGTH_PREFIXED,
    VARINT_DELIMITED,
    Field,
    fields,
    varint,
)
from overbudget.store.errors import OverbudgetError

CSV, CONSOLE = "CSV", "console"
HEAD = 1 << 18  # bytes to look at


class Recognised(NamedTuple):
    """What a dump is. `framing` of protobuf is BARE, LENGTH_PREFIXED or VARINT_DELIMITED, of a table CSV,
    of what JavaScript's console prints CONSOLE.
    """

    form: Format
    framing: str = ""


_MAGIC = (
    (b"SQLite format 3", "an SQLite database"), (b"\x89PNG", "a picture"), (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"), (b"%PDF", "a PDF document"), (b"\x7fELF", "a program"), (b"ARROW1", "an Arrow file"),
    (b"BZh", "compressed with bzip2, which overbudget does not read; unpack it first"),
    (b"\xfd7zXZ", "compressed with xz, which overbudget does not read; unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive, which overbudget does not read; unpack it first"),
)  # fmt: skip
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def recognise(head: bytes, source: str) -> Recognised:
    """The format of the dump that begins with `head`. JSON of no known format counts as OTLP, whose reader reports what is wrong.

    Errors: OverbudgetError that says what `source` is if it is not a dump of traces.
    """
    if not head:
        raise OverbudgetError(f"{source} is empty.")
    if len(head) == HEAD and not head.strip(b"\0"):
        raise OverbudgetError(f"{source} is nothing but zero bytes.")
    if head.startswith(b"PAR1"):
        return Recognised(PARQUET)
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise OverbudgetError(f"{source} is {what}, not a dump of traces.")
    if head[8:12] == b"DUCK":
        raise OverbudgetError(f"{source} is a DuckDB file: a dataset is opened, not ingested.")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _json(head.decode("utf-16", "replace").encode(), source)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise OverbudgetError(f"{source} holds nothing but white space.")
    # A first message of 123 bytes looks like a line break and a brace; JSON has no control characters, messages do.
    looks_like_json = text[:1] in (b"{", b"[")
    if looks_like_json and not _CONTROL.search(head[:4096]):
        return _json(text, source)
    framing = _protobuf(head, source)
    if looks_like_json and framing is None:
        return Recognised(OTLP)
    if framing is not None:
        return Recognised(PROTOBUF, framing)
    if text.lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        raise OverbudgetError(f"{source} is HTML or XML, not a dump of traces.")
    if _printable(head):
        from overbudget.ingest.formats.tables.rows import rows_of_head

        for row in rows_of_head(head):
            form = format_of(row)
            if form is not None and form.resource_spans is not None:
                return Recognised(form, CSV)
        if found := _after_other_output(text):
            return found
        line = text.split(b"\n", 1)[0][:60].decode("utf-8", "replace").strip()
        kind = "a table (CSV)" if line.count(",") > 2 or line.count("\t") > 1 else "text"
        raise OverbudgetError(f"{source} is {kind}, not a dump of traces: it begins with {line!r}.")
    raise OverbudgetError(f"{source} is neither JSON nor OTLP protobuf. What is read: overbudget ingest --formats.")


_SPANS_AMONG_TEXT = ((b'"resourceSpans"', OTLP), (b'"trace_id": "0x', PYTHON_CONSOLE), (b'"SpanContext"', GO_CONSOLE))
_JAVASCRIPT = re.compile(rb"^\s*\{\s*resource: \{|^\s*traceId: '[0-9a-f]{32}'", re.MULTILINE)


EVALUATION = b"gen_ai.evaluation.result"  # logs that hold one are read: it may judge a span of another file


def _json(text: bytes, source: str) -> Recognised:
    """What JSON text is, by the first of its records that says so. Errors: OverbudgetError where it is of another tool."""
    refused: Format | None = None
    for record in first_records(text):
        form = format_of(record)
        if form is not None and form.is_read:
            return Recognised(form)
        refused = refused or form
    if refused is not None and b'"resourceSpans"' not in text and EVALUATION not in text:
        raise OverbudgetError(f"{source} is {refusal(refused)}.")
    if refused is None and _JAVASCRIPT.search(text[:8192]):
        return Recognised(JAVASCRIPT_CONSOLE, CONSOLE)
    return Recognised(OTLP)


def _after_other_output(text: bytes) -> Recognised | None:
    """What text is that begins with other output of a program, with spans after it; None where it has none."""
    for sign, form in _SPANS_AMONG_TEXT:
        if sign in text:
            return Recognised(form)
    return Recognised(JAVASCRIPT_CONSOLE, CONSOLE) if _JAVASCRIPT.search(text) else None


def _printable(head: bytes) -> bool:
    sample = head[:2000].decode("utf-8", "replace")
    return sum((char.isprintable() and char != "\ufffd") or char in "\r\n\t" for char in sample) > 0.95 * len(sample)


def _protobuf(head: bytes, source: str) -> str | None:
    """The framing of a protobuf dump; None where it is none. Errors: OverbudgetError for logs and metrics."""
    at = 0
    while head[at : at + 4] == b"\0\0\0\0":  # empty messages are legal
        at += 4
    signals = {BARE: _signal(head, 0, None)}  # first: a prefix that looks like a message would be one of 160 MB
    if len(head) >= at + 4 and 0 < struct.unpack(">I", head[at : at + 4])[0] < LARGEST:
        signals[LENGTH_PREFIXED] = _signal(head, at + 4, at + 4 + struct.unpack(">I", head[at : at + 4])[0])
    try:
        size, start = varint(head, 0)
        signals[VARINT_DELIMITED] = _signal(head, start, start + size)
    except ValueError:
        pass
    for signal in ("traces", "metrics", "logs", "empty"):
        for framing, found in signals.items():
            if found == signal:
                if signal in ("metrics", "logs"):
                    raise OverbudgetError(f"{source} is an OTLP export of {signal}, not of traces.")
                return framing
    return None


def _signal(data: bytes, start: int, end: int | None) -> str | None:
    """traces, logs, metrics, or empty where the message at data[start:end] has no records; None where it is no OTLP."""
    stop = len(data) if end is None else min(end, len(data))
    if start >= stop:
        return "empty" if end is not None and end == start else None
    seen = None
    try:
        for resource in _children(data, start, stop, 1, {1}):
            seen = "empty"
            for scope in _children(data, resource.start, min(resource.end, stop), 2, {1, 2, 3, 1000}):
                for record in _children(data, scope.start, min(scope.end, stop), 2, {1, 2, 3}):
                    kind = _kind(data, record, stop)
                    if kind is not None:
                        return kind
    except ValueError:
        return seen if seen and end is None and stop == len(data) and stop >= HEAD else None
    return seen


def _children(data: bytes, start: int, end: int, wanted: int, known: set[int]) -> list[Field]:
    """The length-delimited fields `wanted` of a message. Errors: ValueError where it has fields of the wrong type."""
    found = []
    for field in _tolerant(data, start, end):
        if field.number in known and field.wire != 2:
            raise ValueError("a known field of another type")
        if field.number == wanted:
            found.append(field)
            if len(found) > 50:
                break
    return found


def _tolerant(data: bytes, start: int, end: int) -> list[Field]:
    out = []
    try:
        for field in fields(data, start, end):
            out.append(field)
            if len(out) > 1000:
                break
    except ValueError:
        if end < len(data) or not out:  # cut off by the head's end is fine
            raise
    return out


def _kind(data: bytes, record: Field, stop: int) -> str | None:
    """Span, log record or metric: their fields have the same numbers and other types; None where it is unclear."""
    found = {field.number: field for field in _tolerant(data, record.start, min(record.end, stop))}
    wires = {number: field.wire for number, field in found.items()}
    if not found or any(number > 16 for number in found):
        return None
    if 1 in (wires.get(7), wires.get(8)) or wires.get(6) == 0:  # fixed64 times, a kind
        return "traces"
    if wires.get(1) == 1 or wires.get(11) == 1 or wires.get(2) == 0:  # fixed64 times, a severity
        return "logs"
    sizes = [found[number].end - found[number].start if wires.get(number) == 2 else -1 for number in (1, 2)]
    if sizes == [16, 8]:
        return "traces"
    if wires.get(7) == 2 or wires.get(10) == 2:  # sum, exponential histogram
        return "metrics"
    if wires.get(5) == 2:  # the name of a span, or a gauge: a message of data points
        return "metrics" if data[found[5].start : found[5].start + 1] == b"\n" else "traces"
    return "metrics" if 2 in (wires.get(9), wires.get(11)) and wires.get(1) == 2 else "traces"

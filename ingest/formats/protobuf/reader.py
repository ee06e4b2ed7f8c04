"""OTLP as protobuf: bare messages, the file exporter's 4-byte length prefixes, varint-delimited messages.

Messages go through a kernel (ingest.formats.protobuf.kernel), a group of them at a time. A bare message of any size is cut between
its resource spans, scope spans and spans, so that memory stays bounded.
"""

import struct
from collections.abc import Iterator

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.files.source import Stream
from overbudget.ingest.formats.kernel_reader import KernelReader
from overbudget.ingest.formats.protobuf.kernel import scan
from overbudget.ingest.formats.protobuf.wire import (
    BARE,
    BYTES,
    LARGEST,
    LENGTH_PREFIXED,
    VARINT_DELIMITED,
    Field,
    field_of,
    fields,
    varint,
)
from overbudget.ingest.report import FileReport
from overbudget.store.errors import OverbudgetError

GROUP = 12 << 20  # bytes of messages decoded at a time
EMPTY_PREFIX, _ZEROS = b"\0\0\0\0", bytes(1 << 20)
# What would take hours is no trace: two bytes of a dump can be a span, which has no ids then.
MOST_TINY, LEAST_BYTES = 100_000, 12  # fields of one message, and bytes of a field where there are so many
LARGE = 32 << 20  # a submessage above this is cut apart rather than held


def read(stream: Stream, framing: str, report: FileReport) -> Iterator[SpanBatch]:
    """The spans of a dump of OTLP/protobuf.

    Messages that cannot be decoded are reported and left out; spans that cannot be kept are counted under `rejected`.

    Errors: OverbudgetError where nothing in the stream could be decoded.
    """
    messages = {BARE: _bare, LENGTH_PREFIXED: _length_prefixed, VARINT_DELIMITED: _varint_delimited}[framing](
        stream, report
    )
    spans = KernelReader(scan, text_per_byte=2)  # ids become hexadecimal digits
    understood = False
    group: list[bytes] = []
    size = 0
    for message in messages:
        group.append(message)
        size += len(message)
        if size >= GROUP:
            for batch in _decode(spans, group, report):
                understood = True
                yield batch
            group, size = [], 0
    for batch in _decode(spans, group, report):
        understood = True
        yield batch
    if not understood and not report.rejected:
        warning = report.warnings.get("cut_off") or report.warnings.get("unreadable_record")
        raise OverbudgetError(
            f"{report.source} holds no span that could be read" + (f": {warning.example}." if warning else ".")
        )


def _length_prefixed(stream: Stream, report: FileReport) -> Iterator[bytes]:
    while prefix := stream.read(4):
        if len(prefix) < 4:
            report.warn("cut_off", "the last message is not whole")
            return
        if prefix == EMPTY_PREFIX:
            _pass_over_zeros(stream, len(EMPTY_PREFIX))
            continue
        yield from _message(stream, struct.unpack(">I", prefix)[0], report)


def _pass_over_zeros(stream: Stream, prefix: int) -> None:
    """Skip prefixes of empty messages, `prefix` zero bytes each: a file that was made longer than what is in it ends in gigabytes of them."""
    while stream.peek(len(_ZEROS)) == _ZEROS:
        stream.read(len(_ZEROS))
    head = stream.peek(len(_ZEROS))
    zeros = len(head) - len(head.lstrip(b"\0"))
    stream.read(zeros - zeros % prefix)


def _varint_delimited(stream: Stream, report: FileReport) -> Iterator[bytes]:
    while head := stream.peek(10):
        if head.startswith(b"\0"):
            _pass_over_zeros(stream, 1)
            continue
        try:
            size, used = varint(head, 0)
        except ValueError:
            report.warn("cut_off", "the last message is not whole")
            stream.skip()
            return
        stream.read(used)
        yield from _message(stream, size, report)


def _message(stream: Stream, size: int, report: FileReport) -> Iterator[bytes]:
    """The message in the next `size` bytes, in parts where it is too large to hold or is not whole; none where it is empty."""
    if size == 0:
        return
    if size > LARGE:
        yield from _split(stream, size, (), report)
        return
    message = stream.read(size)
    if len(message) < size:
        report.warn("cut_off", "the last message is not whole")
        yield from _apart(message, 0, len(message), (), FileReport(report.source))
    else:
        yield message


def _apart(data: bytes, start: int, end: int, above: tuple[bytes, ...], report: FileReport) -> Iterator[bytes]:
    """The complete spans of a message that is wrong or cut off, each as a separate message.

    `above` are the headers of the messages around data[start:end]. Spans whose resource may be in the missing part are
    left out, because their service would be unknown.
    """
    depth, found, sound = len(above), list[Field](), False
    try:
        for field in fields(data, start, end):
            found.append(field)
        sound = not found or found[-1].end <= end
    except ValueError:
        pass
    if not sound:
        report.warn("unreadable_record", "bytes that are no protobuf field; what follows in their message is left out")
    whole = [field for field in found if field.end <= end]
    header = b"".join(data[field.tag : field.end] for field in whole if field.number in _HEADER[depth])
    if depth == 1 and not header and not sound:
        return
    for field in found if depth < 2 else whole:
        if field.number == _REPEATED[depth] and field.wire == BYTES:
            if depth < 2:
                yield from _apart(data, field.start, min(field.end, end), (*above, header), report)
            else:
                yield _wrapped(data[field.tag : field.end], header, above)


def _bare(stream: Stream, report: FileReport) -> Iterator[bytes]:
    """One TracesData message, as messages of one resource (or a part of one) each."""
    yield from _split(stream, None, (), report)


# What may be cut: the field that repeats at each level, and the fields before it that its parts need again.
_REPEATED = (1, 2, 2)
_HEADER = ((), (1,), (1,))


def _split(stream: Stream, size: int | None, above: tuple[bytes, ...], report: FileReport) -> Iterator[bytes]:
    """Parts of the message in the next `size` bytes of the stream; `above` are the headers of the enclosing messages."""
    repeated, headers = _REPEATED[len(above)], _HEADER[len(above)]
    header, tiny = b"", 0
    while size is None or size > 0:
        head = stream.peek(20 if size is None else min(20, size))
        if not head:
            if size is not None:
                report.warn("cut_off", "the last message is not whole")
            return
        try:
            field = next(fields(head))
            if size is not None and field.end > size:
                raise ValueError("longer than what it is in")
        except ValueError:
            report.warn(
                "unreadable_record", "bytes that are no protobuf field; what follows in their message is left out"
            )
            _pass_over(stream, size)
            return
        tiny += field.end < LEAST_BYTES
        if tiny > MOST_TINY:
            report.warn(
                "unreadable_record", f"more than {MOST_TINY:,} fields of fewer than {LEAST_BYTES} bytes are no traces"
            )
            _pass_over(stream, size)
            return
        if size is not None:
            size -= field.end
        if field.number == repeated and field.wire == BYTES and field.end > LARGE and len(above) < 2:
            stream.read(field.start)
            yield from _split(stream, field.end - field.start, (*above, header), report)
            continue
        if field.end >= LARGEST:
            report.warn("unreadable_record", "a field of more than two gigabytes is left out")
            _pass_over(stream, field.end)
            continue
        data = stream.read(field.end)
        if len(data) < field.end:
            report.warn("cut_off", "the last message is not whole")
            if field.number == repeated and field.wire == BYTES and len(above) < 2:
                yield from _apart(data, field.start, len(data), (*above, header), FileReport(report.source))
            return
        if field.number == repeated:
            yield _wrapped(data, header, above)
        elif field.number in headers:
            header += data


def _pass_over(stream: Stream, size: int | None) -> None:
    """Skip the next `size` bytes, or the whole rest."""
    if size is None:
        stream.skip()
        return
    while size > 0 and (data := stream.read(min(size, 1 << 20))):
        size -= len(data)


def _wrapped(data: bytes, header: bytes, above: tuple[bytes, ...]) -> bytes:
    """A part of a message inside its enclosing messages."""
    headers = (*above, header)
    for depth in range(len(headers) - 1, -1, -1):
        data = headers[depth] + data
        if depth:
            data = field_of(1 if depth == 1 else 2, data)
    return data


def _decode(
    spans: KernelReader, messages: list[bytes], report: FileReport, code: str = "unreadable_record"
) -> Iterator[SpanBatch]:
    """The spans of the messages. Messages that cannot be decoded are split until the wrong spans are alone."""
    if not messages:
        return
    batch = spans.batch_of(messages, report, documents=True)
    if batch is None and len(messages) > 1:
        half = len(messages) // 2
        yield from _decode(spans, messages[:half], report, code)
        yield from _decode(spans, messages[half:], report, code)
        return
    if batch is None:
        from overbudget.ingest.formats.protobuf.repair_utf8 import repaired

        repaired_message = repaired(messages[0], report)
        batch = spans.batch_of([repaired_message], report) if repaired_message is not None else None
    if batch is None:
        yield from _decode_apart(spans, messages[0], report, code)
    elif batch.spans.num_rows:
        yield batch


def _mended_batch(spans: KernelReader, message: bytes, report: FileReport) -> SpanBatch | None:
    """The span of a message that is read without what is wrong in it, which is reported; None where the span is lost."""
    from overbudget.ingest.formats.protobuf.mend import mended
    from overbudget.ingest.formats.protobuf.repair_utf8 import repaired

    told = FileReport(report.source)
    without = mended(message, told)
    if without is None:
        return None
    batch = spans.batch_of([without], told)
    if batch is None:
        readable = repaired(without, told)
        batch = spans.batch_of([readable], told) if readable is not None else None
    if batch is not None:
        report.absorb(told)
    return batch


def _decode_apart(spans: KernelReader, message: bytes, report: FileReport, code: str) -> Iterator[SpanBatch]:
    told = FileReport(report.source)
    parts = list(_apart(message, 0, len(message), (), told))
    if len(parts) > 1:
        report.absorb(told)
        yield from _decode(spans, parts, report, "unreadable_span")
    elif (batch := _mended_batch(spans, message, report)) is not None:
        yield batch
    elif code == "unreadable_span":
        report.reject(code, f"a span of {len(message)} bytes that is not OTLP")
    else:
        report.warn(code, f"a message of {len(message)} bytes that is not OTLP")

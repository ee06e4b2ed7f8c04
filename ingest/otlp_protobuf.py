"""OTLP as protobuf: bare messages, the file exporter's 4-byte length prefixes, varint-delimited messages.

Messages go through a kernel (ingest.protobuf_kernel), a group of them at a time. A bare message of any size is cut between
its resource spans, scope spans and spans, so that memory stays bounded.
"""

import struct
from collections.abc import Iterator

from ingest.batch import SpanBatch
from ingest.kernel_reader import KernelReader
from ingest.protobuf_kernel import scan
from ingest.report import FileReport
from ingest.source import Stream
from ingest.wire import BARE, LARGEST, LENGTH_PREFIXED, VARINT_DELIMITED, field_of, fields, varint
from store.errors import OverbudgetError

GROUP = 12 << 20  # bytes of messages decoded at a time
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
        oddity = report.warnings.get("cut_off") or report.warnings.get("unreadable_record")
        raise OverbudgetError(
            f"{report.source} holds no span that could be read" + (f": {oddity.example}." if oddity else ".")
        )


def _length_prefixed(stream: Stream, report: FileReport) -> Iterator[bytes]:
    while prefix := stream.read(4):
        size = struct.unpack(">I", prefix.rjust(4, b"\0"))[0]
        message = stream.read(size) if size < LARGEST and len(prefix) == 4 else b""
        if len(prefix) < 4 or len(message) < size:
            report.warn("cut_off", "the last message is not whole")
            yield from _whole_part(message)
            return
        yield message


def _varint_delimited(stream: Stream, report: FileReport) -> Iterator[bytes]:
    while head := stream.peek(10):
        try:
            size, used = varint(head, 0)
        except ValueError:
            size, used = LARGEST, len(head)
        stream.read(used)
        message = stream.read(size) if size < LARGEST else b""
        if len(message) < size:
            report.warn("cut_off", "the last message is not whole")
            yield from _whole_part(message)
            return
        yield message


def _whole_part(message: bytes) -> Iterator[bytes]:
    """The resource spans of a message that are whole although it is not."""
    end = 0
    try:
        for field in fields(message):
            if field.end > len(message):
                break
            end = field.end
    except ValueError:
        pass
    if end:
        yield message[:end]


def _bare(stream: Stream, report: FileReport) -> Iterator[bytes]:
    """One TracesData message, as messages of one resource (or a part of one) each."""
    yield from _split(stream, None, (), report)


# What may be cut: the field that repeats at each level, and the fields before it that its parts need again.
_REPEATED = (1, 2, 2)
_HEADER = ((), (1,), (1,))


def _split(stream: Stream, size: int | None, above: tuple[bytes, ...], report: FileReport) -> Iterator[bytes]:
    """Parts of the message that the next `size` bytes of the stream are; `above` are the headers of its enclosing ones."""
    repeated, headers = _REPEATED[len(above)], _HEADER[len(above)]
    header = b""
    while size is None or size > 0:
        head = stream.peek(20 if size is None else min(20, size))
        if not head:
            return
        try:
            field = next(fields(head))
        except ValueError:
            report.warn("unreadable_record", "bytes that are no protobuf field; the rest of the dump is left out")
            stream.read()
            return
        if size is not None:
            size -= field.end
        if field.number == repeated and field.wire == 2 and field.end > LARGE and len(above) < 2:
            stream.read(field.start)
            yield from _split(stream, field.end - field.start, (*above, header), report)
            continue
        if field.end >= LARGEST:
            report.warn("unreadable_record", "a field of more than two gigabytes; the rest of the dump is left out")
            stream.read()
            return
        data = stream.read(field.end)
        if len(data) < field.end:
            report.warn("cut_off", "the last message is not whole")
            if field.number == repeated and field.wire == 2:
                whole = b"".join(_whole_part(data[field.start :]))
                if whole:
                    yield _wrapped(field_of(field.number, whole), header, above)
            return
        if field.number == repeated:
            yield _wrapped(data, header, above)
        elif field.number in headers:
            header += data


def _wrapped(data: bytes, header: bytes, above: tuple[bytes, ...]) -> bytes:
    """A part of a message with what encloses it."""
    headers = (*above, header)
    for depth in range(len(headers) - 1, -1, -1):
        data = headers[depth] + data
        if depth:
            data = field_of(1 if depth == 1 else 2, data)
    return data


def _decode(spans: KernelReader, messages: list[bytes], report: FileReport) -> Iterator[SpanBatch]:
    if not messages:
        return
    batch = spans.batch_of(messages, report, documents=True)
    if batch is None and len(messages) > 1:
        for message in messages:
            yield from _decode(spans, [message], report)
        return
    if batch is None:
        from ingest.invalid_text import repaired

        mended = repaired(messages[0], report)
        batch = spans.batch_of([mended], report) if mended is not None else None
    if batch is None:
        report.warn("unreadable_record", f"a message of {len(messages[0])} bytes that is not OTLP")
    elif batch.spans.num_rows:
        yield batch

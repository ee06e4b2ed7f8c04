"""OTLP as protobuf: bare messages, the file exporter's 4-byte length prefixes, varint-delimited messages.

Messages are decoded to Arrow in Rust (ptars), a group of them at a time. A bare message of any size is cut between
its resource spans, scope spans and spans, so that memory stays bounded.
"""

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest import nested
from ingest.batch import SpanBatch
from ingest.flatten import child, first_of, text_of_doubles
from ingest.odd_values import json_text
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
    understood = False
    group: list[bytes] = []
    size = 0
    for message in messages:
        group.append(message)
        size += len(message)
        if size >= GROUP:
            for batch in _decode(group, report):
                understood = True
                yield batch
            group, size = [], 0
    for batch in _decode(group, report):
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


@cache
def _handler() -> Any:
    import ptars
    from opentelemetry.proto.trace.v1 import trace_pb2

    return ptars.HandlerPool([trace_pb2.DESCRIPTOR]).get_for_message(trace_pb2.TracesData.DESCRIPTOR)


def _decode(messages: list[bytes], report: FileReport) -> Iterator[SpanBatch]:
    if not messages:
        return
    try:
        records = _handler().list_to_record_batch(messages)
    except ValueError as error:
        if len(messages) > 1:
            for message in messages:
                yield from _decode([message], report)
            return
        from ingest.invalid_text import repaired

        mended = repaired(messages[0], report)
        if mended is None:
            report.warn("unreadable_record", f"a message that is not OTLP: {error}")
            return
        records = _handler().list_to_record_batch([mended])
    batch = nested.flatten(records.column("resource_spans"), ProtobufForm(), report)
    if batch.spans.num_rows:
        yield batch


@numba.njit(
    numba.types.Tuple((numba.uint8[:], numba.uint8[:]))(
        numba.types.Array(numba.int32, 1, "C", readonly=True),
        numba.types.Array(numba.uint8, 1, "C", readonly=True),
        numba.int64,
    ),
    cache=True,
    nogil=True,
)
def _hex(offsets, data, size):  # type: ignore[no-untyped-def]
    n = offsets.size - 1
    out, what = np.full(2 * n * size, 48, np.uint8), np.zeros(n, np.uint8)
    for i in range(n):
        length = offsets[i + 1] - offsets[i]
        if length != size:
            what[i] = 1 if length == 0 else 3
            continue
        zero = True
        for j in range(size):
            byte = data[offsets[i] + j]
            zero = zero and byte == 0
            high, low = byte >> 4, byte & 15
            at = 2 * (i * size + j)
            out[at] = high + (48 if high < 10 else 87)
            out[at + 1] = low + (48 if low < 10 else 87)
        if zero:
            what[i] = 1
    return out, what


class ProtobufForm:
    """snake_case, ids in bytes, unsigned 64-bit times; nested values come as serialized messages."""

    snake_case = True

    def check(self, level: str, struct: pa.StructArray) -> None:
        """Unknown fields are skipped by the decoder."""

    def ids(self, column: pa.Array, digits: int) -> tuple[pa.StringArray, npt.NDArray[np.uint8]]:
        if len(column) == 0:
            return pa.array([], pa.string()), np.zeros(0, np.uint8)
        buffers = column.buffers()
        offsets = np.frombuffer(buffers[1], np.int32)[column.offset : column.offset + len(column) + 1]
        data = (
            np.frombuffer(buffers[2], np.uint8) if buffers[2] is not None and buffers[2].size else np.zeros(0, np.uint8)
        )
        text, what = _hex(offsets, data, digits // 2)
        ends = np.arange(0, len(text) + 1, digits, dtype=np.int32)
        return pa.StringArray.from_buffers(len(column), pa.py_buffer(ends), pa.py_buffer(text)), what

    def times(self, column: pa.Array, report: FileReport | None) -> npt.NDArray[np.int64]:
        times = column.to_numpy(zero_copy_only=False)
        late = times >= 2**63
        if late.any():
            if report is not None:
                report.warn("bad_time", f"{times[late][0]} is after the year 2262; taken as absent", int(late.sum()))
            times = np.where(late, 0, times)
        return times.astype(np.int64)

    def values(self, value: pa.StructArray) -> pa.StringArray:
        columns = [
            child(value, "string_value"),
            child(value, "int_value").cast(pa.string()),
            child(value, "bool_value").cast(pa.string()),
        ]
        doubles = child(value, "double_value")
        if doubles.null_count < len(doubles):
            columns.append(text_of_doubles(doubles))
        for name, text in (
            ("array_value", _json_of_array),
            ("kvlist_value", _json_of_kvlist),
            ("bytes_value", _base64),
        ):
            found = child(value, name)
            if found.null_count < len(found):
                columns.append(_rare(found, text))
        return first_of(columns)


def _rare(column: pa.Array, text: Any) -> pa.StringArray:
    """Text of the few values that are there: equal ones are worked out once."""
    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    seen: dict[Any, str] = {}
    found = []
    for value in column.take(pa.array(rows)).to_pylist():
        key = value if isinstance(value, bytes) else tuple(value["values"])
        if key not in seen:
            seen[key] = text(key)
        found.append(seen[key])
    places = np.full(len(column), -1, np.int64)
    places[rows] = np.arange(len(rows))
    return pa.array(found, pa.string()).take(pa.array(places, mask=places < 0))


def _base64(value: bytes) -> str:
    import base64

    return base64.b64encode(value).decode()


def _json_of_array(values: tuple[bytes, ...]) -> str:
    return json_text([_plain(value) for value in values])


def _json_of_kvlist(values: tuple[bytes, ...]) -> str:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    return json_text({(entry := KeyValue.FromString(value)).key: _plain_of(entry.value) for value in values})


def _plain(value: bytes) -> Any:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

    return _plain_of(AnyValue.FromString(value))


def _plain_of(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain_of(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {entry.key: _plain_of(entry.value) for entry in value.kvlist_value.values}
    if kind == "bytes_value":
        return _base64(value.bytes_value)
    return getattr(value, kind) if kind else None

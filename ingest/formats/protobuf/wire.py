"""The wire format of protobuf, as far as cutting messages needs it."""

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LARGEST = 1 << 31  # bytes; protobuf's own limit for a message

# How messages follow one another in a file.
BARE, LENGTH_PREFIXED, VARINT_DELIMITED = "one message", "4-byte length prefixes", "varint-delimited"


class Field(NamedTuple):
    """One field of a message: its number, wire type, where its value starts and ends (and the tag before it)."""

    number: int
    wire: int
    tag: int
    start: int
    end: int


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The value at `at` and the position after it. Errors: ValueError where there is no whole varint."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("not a whole varint")


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message in data[start:end]; the last may reach beyond. Errors: ValueError where it is none."""
    at, stop = start, len(data) if end is None else end
    while at < stop:
        tag = at
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0 or wire not in (VARINT, FIXED64, BYTES, FIXED32):
            raise ValueError("not a protobuf message")
        begin = at
        if wire == VARINT:
            _, at = varint(data, at)
        elif wire == BYTES:
            size, begin = varint(data, at)
            at = begin + size
        else:
            at += 8 if wire == FIXED64 else 4
        yield Field(number, wire, tag, begin, at)


def as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field_of(number: int, payload: bytes) -> bytes:
    """A length-delimited field."""
    return as_varint(number << 3 | BYTES) + as_varint(len(payload)) + payload

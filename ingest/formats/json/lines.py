"""Lines of a piece of JSON: those that may hold a record, one at a time, and how many cannot.

A piece of sixteen megabytes may be eight million lines: as objects they would fill the memory, and each that is parsed in
vain costs what a span costs.
"""

import re
from collections.abc import Iterator

import numpy as np
import orjson

SHORTEST_SPAN = 64  # bytes: ids alone take that many; what is shorter and broken has no spans to save
_OBJECT = re.compile(rb"^[ \t\r\v\f]*(\{[^\n]*)", re.MULTILINE)
_OTHER = re.compile(rb"^[ \t\r\v\f]*([^\s{][^\n]*)", re.MULTILINE)


def lines_with_objects(piece: bytes) -> Iterator[bytes]:
    """The lines that begin with a brace, without the white space before it."""
    return (found.group(1) for found in _OBJECT.finditer(piece))


def other_lines(piece: bytes) -> tuple[bytes, int]:
    """The first of the other lines that are not blank, and how many there are."""
    text = np.frombuffer(b"\n" + piece.translate(None, b" \t\r\v\f"), np.uint8)
    begins = (text[:-1] == ord("\n")) & (text[1:] != ord("\n"))
    count = int(np.count_nonzero(begins & (text[1:] != ord("{"))))
    first = _OTHER.search(piece) if count else None
    return (b"" if first is None else first.group(1), count)


def why_no_object(line: bytes) -> str:
    """Why a line that does not begin with a brace is no record."""
    try:
        return f"a JSON {type(orjson.loads(line)).__name__} where an object should be"
    except orjson.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos} of a record, near {line[:80].decode('utf-8', 'replace')}"

"""The first records of JSON text that may be cut off."""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from overbudget.ingest.formats.json.depth import without_depths

SEVERAL = 20  # records to look at
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]')
_CLOSING = {"{": "}", "[": "]"}


def first_records(text: bytes) -> Iterator[Any]:
    """The first documents in JSON text, however they are framed; of one that is cut off, its beginning."""
    lines = text.split(b"\n", SEVERAL)
    if len(lines) > 1 and _whole(lines[0]) is not None:
        yield from (found for line in lines[:SEVERAL] if (found := _whole(line)) is not None)
        return
    shallow, _ = without_depths(text)  # or the end of the first document could not be told
    rest, decoder = shallow.decode("utf-8", "replace"), json.JSONDecoder()
    for _ in range(SEVERAL):
        rest = rest.lstrip("[], \r\n\t")
        if not rest:
            return
        try:
            found, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            yield _begun(rest)
            return
        yield found
        rest = rest[end:]


def _whole(line: bytes) -> Any:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _begun(text: str) -> Any:
    """The beginning of a document that is cut off: up to the last comma, with all brackets closed. None if that is not JSON."""
    opened: list[str] = []
    best = 0, ""
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in _CLOSING:
            opened.append(token)
            if len(opened) > 100:
                break
        elif token in "]}" and opened:
            opened.pop()
        elif token == ",":
            best = match.start(), "".join(_CLOSING[one] for one in reversed(opened))
    try:
        return json.loads(text[: best[0]] + best[1], strict=False)
    except (ValueError, RecursionError):
        return None

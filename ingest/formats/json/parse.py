"""A JSON document as Python values, though single values of it are nothing that a parser takes."""

import json
import math
import re
from typing import Any

import orjson

from overbudget.ingest.formats.json.depth import without_depths
from overbudget.ingest.formats.json.lines import SHORTEST_SPAN
from overbudget.ingest.report import FileReport

HALF_CHARACTERS = re.compile("[\ud800-\udfff]")
HALF_CHARACTER = "half of a character, written as an escape; shown as U+FFFD"  # for a warning


def parsed(line: bytes, report: FileReport) -> tuple[Any, int]:
    """A JSON document, and how many values are left out of it because they are nested too deep (see formats/json/depth.py).

    Numbers may be absurd (1e400, NaN, three hundred digits): only their span is refused, not the document. A lone surrogate,
    which could not be stored, becomes U+FFFD.

    Errors: json.JSONDecodeError where it is not JSON; its position is in its own `doc`.
    """
    try:
        return orjson.loads(line), 0
    except orjson.JSONDecodeError as error:
        if len(line) < SHORTEST_SPAN:
            raise
        shallow, deep = without_depths(line)
        try:
            return _leniently(shallow, report), deep
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError):
            raise error from None


def _leniently(text: bytes, report: FileReport) -> Any:
    """By Python's own parser. Errors: json.JSONDecodeError, another ValueError, RecursionError."""
    record = json.loads(text, strict=False, parse_int=_number)
    whole, halves = HALF_CHARACTERS.subn("\ufffd", json.dumps(record, ensure_ascii=False))
    report.warn("invalid_utf8", HALF_CHARACTER, halves)
    return json.loads(whole) if halves else record


def _number(digits: str) -> int | float:
    """An integer; of more digits than Python accepts it is infinite."""
    return int(digits) if len(digits) < 400 else math.inf

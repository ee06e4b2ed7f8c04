"""Python values made such that JSON can be written of them."""

import math
from typing import Any

from overbudget.ingest.formats.json.depth import DEEPEST, LEFT_OUT
from overbudget.ingest.formats.json.parse import HALF_CHARACTER, HALF_CHARACTERS
from overbudget.ingest.report import FileReport

LOWEST, BEYOND = -(2**63), 2**64  # of the integers that JSON is written of


def writable(value: Any, report: FileReport, levels: int = DEEPEST) -> Any:
    """The value with U+FFFD for lone surrogates, doubles for integers of more than 64 bits, null for what is nested deeper than
    `levels`, text for what JSON does not know. Surrogates and depths are reported.
    """
    if isinstance(value, str):
        whole, halves = HALF_CHARACTERS.subn("\ufffd", value)
        report.warn("invalid_utf8", HALF_CHARACTER, halves)
        return whole
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if LOWEST <= value < BEYOND else _double(value)
    if not isinstance(value, dict | list | tuple):
        return writable(str(value), report)
    if levels == 0:
        report.warn("unreadable_attribute", LEFT_OUT)
        return None
    if isinstance(value, dict):
        return {writable(str(key), report): writable(one, report, levels - 1) for key, one in value.items()}
    return [writable(one, report, levels - 1) for one in value]


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf

"""Times as other tools write them, in nanoseconds since the epoch."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

_ISO = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s*(Z|z|UTC|GMT|[+-]\d\d:?(?:\d\d)?)?(?: [+-]\d{4})?(?: UTC)?\s*"
)
SECOND = 10**9
# From which number on a time since the epoch cannot be in the unit before: 1e11 s is the year 5138.
_UNITS = ((10**11, SECOND), (10**14, 10**6), (10**17, 10**3))


def ns_of(value: Any) -> Any:
    """A time in ns since the epoch: of ISO text (UTC where it names no zone) or of a number in s, ms, us or ns, told by size.

    What is none comes back as it is, for the reader of OTLP to say so.
    """
    if isinstance(value, str):
        found = ns_of_iso(value)
        if found is not None:
            return found
        try:
            return _of_number(Decimal(value)) if value.strip() else None
        except InvalidOperation:
            return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return _of_number(Decimal(value))
        except (ValueError, OverflowError):
            return value
    return value


def start_and_end(start: Any, duration: Any, unit_ns: int) -> tuple[Any, Any]:
    """When a span starts and ends in ns, from a start and a length in a unit of `unit_ns`; without a length it has no end.

    A start that is no number comes back as it is, for the reader of OTLP to say so.
    """
    if not isinstance(start, int | float) or isinstance(start, bool):
        return start, None
    if not isinstance(duration, int | float) or isinstance(duration, bool):
        return round(start * unit_ns), None
    return round(start * unit_ns), round((start + duration) * unit_ns)


def _of_number(number: Decimal) -> Any:
    if not number.is_finite():
        return None
    for beyond, unit in _UNITS:
        if number.copy_abs() < beyond:
            return _held(number * unit)
    return _held(number)


def _held(number: Decimal | int) -> int:
    """A time that 64 bits can hold: beyond them it is too late or too early anyway, and may have a billion digits."""
    return int(max(-(2**63), min(number, 2**64 - 1)))


def ns_of_iso(text: str) -> int | None:
    """ns since the epoch of ISO 8601 text, all digits of its fraction kept; None where it is none."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    seconds = _seconds(day, clock, zone or "Z")
    return None if seconds is None else _held(seconds * SECOND + int((fraction or "0")[:9].ljust(9, "0")))


@lru_cache(4096)
def _seconds(day: str, clock: str, zone: str) -> int | None:
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)
    except ValueError:
        return None
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        moment -= offset if zone[0] == "+" else -offset
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)

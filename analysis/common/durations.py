"""Durations as people write and read them: `400ms` in a budget file, `412 ms` on screen; integer ns inside."""

import difflib
import math
import re
from decimal import Decimal

from overbudget.store.errors import OverbudgetError

US, MS, S, MINUTE, HOUR = 1_000, 1_000_000, 1_000_000_000, 60_000_000_000, 3_600_000_000_000
UNITS = {"ns": 1, "us": US, "µs": US, "ms": MS, "s": S, "m": MINUTE, "min": MINUTE, "h": HOUR}
LONGEST_NS = 30 * 24 * HOUR  # a longer cap is a typing mistake, and sums stay far below 64 bits

_SPELT_OUT = {
    "nanosecond": "ns", "microsecond": "us", "usec": "us", "millisecond": "ms", "msec": "ms", "milli": "ms",
    "sec": "s", "second": "s", "mins": "min", "minute": "min", "hr": "h", "hour": "h",
}  # fmt: skip
_PART = re.compile(r"(\d+(?:[.]\d+)?|[.]\d+)\s*([a-zµ]+)\s*")
_FORMS = "write it like 400ms, 1.5s or 250us"


def parse_duration(text: object) -> int:
    """Nanoseconds of a duration such as `400ms`, `2s`, `1.5s`, `250us`, `10ns`, `1m`, `1m30s`; blanks are allowed.

    Errors: OverbudgetError with the end of a sentence, to which the caller adds the subject: "has no unit; did you mean
    400ms or 400s?".
    """
    number = isinstance(text, int | float) and not isinstance(text, bool) and math.isfinite(text)
    if not number and not isinstance(text, str):
        raise OverbudgetError(f"is not a duration; {_FORMS}, in quotes")
    if not isinstance(text, str):
        raise OverbudgetError(f"has no unit; did you mean {_alternatives(str(text))}, in quotes?")
    written = text.strip()
    lowered = written.replace("μ", "µ").lower()  # the Greek letter for the micro sign
    if re.fullmatch(r"[+-]?(\d+[.]?\d*|[.]\d+)", lowered):
        raise OverbudgetError(f"has no unit; did you mean {_alternatives(lowered.lstrip('+-'))}?")
    if lowered.startswith("-"):
        raise OverbudgetError("is negative; it must be more than 0")
    if re.match(r"\d+,\d", lowered):
        raise OverbudgetError(f"has a decimal comma; did you mean {written.replace(',', '.')}?")
    total, position = Decimal(0), 0
    while position < len(lowered):
        part = _PART.match(lowered, position)
        if part is None:
            raise OverbudgetError(f"is not a duration; {_FORMS}")
        unit = part[2]
        if unit not in UNITS:
            close = difflib.get_close_matches(unit, [*UNITS, *_SPELT_OUT], n=1, cutoff=0.75)
            known = _SPELT_OUT.get(close[0], close[0]) if close else None
            meant = f"did you mean {part[1]}{known}?" if known else f"the units are {', '.join(UNITS)}"
            raise OverbudgetError(f"has the unknown unit “{unit}”; {meant}")
        total += Decimal(part[1]) * UNITS[unit]
        position = part.end()
    if position == 0:
        raise OverbudgetError(f"is empty; {_FORMS}")
    if total < 1:
        raise OverbudgetError("is less than 1 ns; a cap must be longer")
    if total > LONGEST_NS:
        raise OverbudgetError("is longer than 30 days; check its unit")
    return int(total)


def _alternatives(number: str) -> str:
    return f"{number}ms or {number}s"


def duration_literal(ns: int) -> str:
    """`ns` exactly, as in a budget file: `400ms`, `1.5s`, `250us`."""
    for unit, size in (("s", S), ("ms", MS), ("us", US), ("ns", 1)):
        if ns >= size:
            return f"{(Decimal(ns) / size).normalize():f}{unit}"
    return "0s"


def format_duration(ns: float | None, next_to_ns: float | None = None) -> str:
    """`ns` as a person reads it: `870 µs`, `412 ms`, `2.31 s`, `3 min 51 s`; `–` for None.

    About three digits, in the unit that fits. Next to a figure in seconds (`next_to_ns`) of which it is a sizeable part,
    it is in seconds too: `0.90 s`, so that the two can be compared at a glance.
    """
    if ns is None:
        return "–"
    if ns < 0:
        return f"−{format_duration(-ns, next_to_ns)}"
    if ns < 0.5:
        return "0 ms"
    in_seconds = next_to_ns is not None and round(next_to_ns / MS) >= 1000 and ns >= 0.2 * next_to_ns
    if not in_seconds:
        for unit, size in (("ns", 1), ("µs", US), ("ms", MS)):
            value = ns / size
            digits = 1 if unit != "ns" and round(value, 1) < 10 else 0
            if round(value, digits) < 1000:
                return f"{value:.{digits}f}".removesuffix(".0") + f" {unit}"
    seconds = ns / S
    if round(seconds, 1) < 120:
        return f"{seconds:.2f} s" if round(seconds, 2) < 10 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def format_change(ns: float) -> str:
    """A difference as a person reads it, with its sign: `+412 ms`, `−1.20 s`."""
    return ("+" if ns > 0 else "−" if ns < 0 else "") + format_duration(abs(round(ns)))

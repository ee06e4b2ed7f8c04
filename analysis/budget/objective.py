"""Reading the section [objective] of a budget file: the share of requests to be within the cap, over weeks."""

import math
import re
from dataclasses import dataclass
from typing import Any

from overbudget.analysis.budget.problems import Problems
from overbudget.analysis.common.durations import HOUR

UNITS = {"h": HOUR, "d": 24 * HOUR, "w": 7 * 24 * HOUR}
WINDOW = "28d"  # where none is given
LONGEST_NS = 366 * UNITS["d"]


@dataclass(frozen=True)
class Objective:
    """At least the share `within` of the requests is to be within the cap on the whole request, over `window_ns`."""

    within: float
    window_ns: int

    @property
    def allowed(self) -> float:
        """The share of requests that may fail or be over the cap: the error budget."""
        return 1 - self.within


def read_objective(table: dict[str, Any], problems: Problems) -> Objective | None:
    """The objective; None where the section is empty. Mistakes go into `problems`."""
    problems.only(table, ("within", "window"), ("objective",))
    if not table:
        return None
    within, window = table.get("within"), table.get("window", WINDOW)
    if within is None:
        problems.add(("objective",), "[objective] needs `within`, a share of requests: within = 0.99.")
    elif wrong := _wrong_share(within):
        problems.add(("objective", "within"), wrong)
    if wrong := _wrong_window(window):
        problems.add(("objective", "window"), wrong)
        return None
    return Objective(float(within), window_ns(window)) if within is not None and not _wrong_share(within) else None


def window_ns(text: str) -> int:
    """The length of a window written as `28d`, `4w` or `36h`, in ns."""
    number, unit = re.fullmatch(r"(\d+)\s*([hdw])", text.strip()).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def window_literal(ns: int) -> str:
    """A window as a budget file writes it: `28d`, `36h`."""
    return f"{ns // UNITS['d']}d" if ns % UNITS["d"] == 0 else f"{ns // UNITS['h']}h"


def _wrong_share(within: Any) -> str | None:
    if isinstance(within, bool) or not isinstance(within, int | float) or not math.isfinite(within):
        percent = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%?\s*", within) if isinstance(within, str) else None
        return f"`within` is a share without quotes; {_meant(float(percent[1])) if percent else 'for example within = 0.99'}."
    if 0 < within < 1:
        return None
    if 1 < within < 100:
        return f"`within` is a share between 0 and 1; {_meant(float(within))}."
    return "`within` is a share between 0 and 1: all requests, or none, is no objective."


def _meant(number: float) -> str:
    share = number / 100 if number >= 1 else number
    return f"did you mean {share:.10g}?" if 0 < share < 1 else "for example within = 0.99"


def _wrong_window(window: Any) -> str | None:
    if not isinstance(window, str) or not re.fullmatch(r"[1-9]\d*\s*[hdw]", window.strip()):
        written = re.fullmatch(r"\s*([1-9]\d*)\s*(?:days?)?\s*", str(window)) if not isinstance(window, bool) else None
        asked = (
            f'did you mean window = "{written[1]}d"?'
            if written
            else 'write it in days, weeks or hours: window = "28d".'
        )
        return f"`window` is a time in quotes; {asked}"
    return (
        f'`window` is longer than a year; for example window = "{WINDOW}".' if window_ns(window) > LONGEST_NS else None
    )

"""The total from which limits are made, as it is written: `p95=2s`."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from overbudget.analysis.budget.caps import total_cap
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.durations import parse_duration
from overbudget.store.errors import OverbudgetError

_WRITTEN = re.compile(r"\s*p([1-9]\d?)\s*=(.*)", re.DOTALL)


class Total(NamedTuple):
    """A cap on the whole request at a percentile."""

    percentile: int
    cap_ns: int


def parse_total(text: str) -> Total:
    """The total written `p95=2s`. Errors: OverbudgetError that says what is wrong."""
    read = _WRITTEN.fullmatch(text)
    if read is None:
        raise OverbudgetError(
            f"--total {text} is not understood; write it like p95=2s, with a percentile from p1 to p99."
        )
    try:
        return Total(int(read[1]), parse_duration(read[2]))
    except OverbudgetError as error:
        raise OverbudgetError(f"--total {text}: `{read[2].strip()}` {error}.") from error


def total_of(budget: Budget | None, routes: Sequence[str]) -> Total:
    """The budget's own cap on requests of these routes at p95. Errors: OverbudgetError where it has none."""
    cap = total_cap(budget, routes)
    if cap is None:
        raise OverbudgetError(
            "Which total? Write it like --total p95=2s, or name a --budget with a cap on the whole request."
        )
    return Total(cap.percentile, cap.ns)

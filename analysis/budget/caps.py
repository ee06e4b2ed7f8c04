"""One cap, one answer: which cap holds for a selection of requests, and which for a single one.

Whatever asks whether a request, a route or a selection is within budget asks here. "Within budget" of a single request
means within the cap at a percentile, p95 where none is said.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overbudget.analysis.budget.model import Budget, Caps, cap_at

MAIN_PERCENTILE = 95  # the percentile at which a request is within budget where none is said

I64 = npt.NDArray[np.int64]


class Cap(NamedTuple):
    """A cap in ns at `percentile`; `borrowed` where it is given for lower percentiles only, so that it judges none."""

    ns: int
    percentile: int
    borrowed: bool


def held_to(budget: Budget | None, routes: Iterable[str]) -> Budget:
    """The budget that holds for requests of these routes together: a single route's own, several routes' general one."""
    here = set(routes)
    if budget is None:
        return Budget()
    return budget.for_route(here.pop()) if len(here) == 1 else budget


def cap_of(caps: Caps, percentile: int = MAIN_PERCENTILE) -> Cap | None:
    """The cap at `percentile`; above the highest percentile given, that highest cap is borrowed. None without any cap."""
    ns, borrowed = cap_at(caps, percentile)
    return None if ns is None else Cap(ns, percentile, borrowed)


def total_cap(budget: Budget | None, routes: Iterable[str], percentile: int = MAIN_PERCENTILE) -> Cap | None:
    """The cap on the whole request that holds at `percentile` for requests of these routes together."""
    return cap_of(held_to(budget, routes).caps, percentile)


def caps_by_route(budget: Budget | None, routes: Sequence[str], percentile: int = MAIN_PERCENTILE) -> I64:
    """int64[routes]: up to what latency in ns a single request of each route is within budget; -1 where nothing is said."""
    found = [cap_of(budget.for_route(route).caps, percentile) if budget else None for route in routes]
    return np.array([cap.ns if cap else -1 for cap in found], np.int64)

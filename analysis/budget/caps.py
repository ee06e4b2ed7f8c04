"""One cap, one answer: which cap applies to a selection of requests, and which to a single one.

All code that asks whether a request, a route or a selection is within budget asks here. For a single request, "within
budget" means within the cap at a percentile, p95 by default.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overbudget.analysis.budget.model import Budget, Caps, cap_at

MAIN_PERCENTILE = 95  # "within budget" means within the cap at this percentile, unless another is given

I64 = npt.NDArray[np.int64]


class Cap(NamedTuple):
    """A cap in ns at `percentile`; `borrowed` where it is given for lower percentiles only, so that no verdict uses it."""

    ns: int
    percentile: int
    borrowed: bool


def held_to(budget: Budget | None, routes: Iterable[str]) -> Budget:
    """The budget for requests of these routes together: of a single route its own, of several the general one."""
    here = set(routes)
    if budget is None:
        return Budget()
    return budget.for_route(here.pop()) if len(here) == 1 else budget


def cap_of(caps: Caps, percentile: int = MAIN_PERCENTILE) -> Cap | None:
    """The cap at `percentile`; above the highest percentile given, that highest cap is borrowed. None without any cap."""
    ns, borrowed = cap_at(caps, percentile)
    return None if ns is None else Cap(ns, percentile, borrowed)


def total_cap(budget: Budget | None, routes: Iterable[str], percentile: int = MAIN_PERCENTILE) -> Cap | None:
    """The cap on the whole request at `percentile` for requests of these routes together."""
    return cap_of(held_to(budget, routes).caps, percentile)


def caps_by_route(budget: Budget | None, routes: Sequence[str], percentile: int = MAIN_PERCENTILE) -> I64:
    """int64[routes]: the latency in ns up to which a single request of each route is within budget; -1 without a cap."""
    found = [cap_of(budget.for_route(route).caps, percentile) if budget else None for route in routes]
    return np.array([cap.ns if cap else -1 for cap in found], np.int64)

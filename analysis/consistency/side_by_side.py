"""Models side by side: how steady each is, how many of its requests keep the cap, and how many of its answers are good."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overbudget.analysis.budget.caps import caps_by_route
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.percentiles import Quantile, quantiles, share_of
from overbudget.analysis.requests.table import GOOD, I64, UNKNOWN, RequestTable

ShareDict = Mapping[str, float | int | None]


@dataclass(frozen=True)
class ModelSide:
    """The requests of one model: p95 over p50 of the whole request with its 95 % interval, and two shares with theirs.

    `steadiness` is None with too few requests, its interval also where they are too alike. `within_budget` is the share that
    did not fail and kept the cap at p95 (a route's own first), None without a cap; `good` the share of good answers among
    those that are judged, None where none is.
    """

    name: str
    requests: int
    p50_ns: int | None
    p95_ns: int | None
    steadiness: float | None
    ci_low: float | None
    ci_high: float | None
    within_budget: ShareDict | None
    good: ShareDict | None


def side_by_side(table: RequestTable, budget: Budget) -> tuple[ModelSide, ...]:
    """A row per model, the steadiest first; none where fewer than two models are recorded."""
    codes = np.flatnonzero(table.model.count()).tolist()
    if len(codes) < 2:
        return ()
    caps = caps_by_route(budget, table.route.names)[table.route.codes]
    found = [_side(table, caps, code, np.flatnonzero(table.model.codes == code)) for code in codes]
    return tuple(sorted(found, key=lambda one: (one.steadiness or math.inf, -one.requests, one.name)))


def steadiest(found: tuple[ModelSide, ...]) -> ModelSide | None:
    """The model whose interval of p95 over p50 lies below all others'; None where that is not certain."""
    first, *others = found or (None,)
    if first is None or first.ci_high is None or not others:
        return None
    return first if all(one.ci_low is not None and first.ci_high < one.ci_low for one in others) else None


def ratio_interval(above: Quantile, below: Quantile) -> tuple[float, float] | None:
    """The 95 % interval of `above` over `below`, two percentiles of the same values, from the interval of each.

    As G. Y. Zou and A. Donner combine two intervals (Statistics in Medicine 27, 2008), on the logarithms. Percentiles of one
    sample move together, which makes the interval a little too wide.
    """
    ends = (above.value_ns, above.low_ns, above.high_ns, below.value_ns, below.low_ns, below.high_ns)
    if not above.known or not below.known or any(not one for one in ends):
        return None
    a, a_low, a_high, b, b_low, b_high = (math.log(one) for one in ends if one)
    return (
        math.exp(a - b - math.hypot(a - a_low, b_high - b)),
        math.exp(a - b + math.hypot(a_high - a, b - b_low)),
    )


def _side(table: RequestTable, caps: I64, code: int, rows: I64) -> ModelSide:
    start_ns, weight, good = table.start_ns[rows], table.weight[rows], table.good[rows]
    p50, p95 = quantiles(table.latency_ns[rows], (50, 95), start_ns, weight)[0]
    capped, judged = caps[rows] >= 0, good != UNKNOWN
    kept = (table.latency_ns[rows] <= caps[rows]) & ~table.failed[rows]
    within = share_of(kept[capped], start_ns[capped], weight[capped])
    answers = share_of(good[judged] == GOOD, start_ns[judged], weight[judged])
    told = p95.reached and bool(p50.value_ns) and p95.value_ns is not None
    interval = ratio_interval(p95, p50) if told else None
    return ModelSide(
        name=table.model.names[code],
        requests=len(rows),
        p50_ns=p50.value_ns,
        p95_ns=p95.value_ns if p95.reached else None,
        steadiness=p95.value_ns / p50.value_ns if told and p95.value_ns and p50.value_ns else None,
        ci_low=interval[0] if interval else None,
        ci_high=interval[1] if interval else None,
        within_budget=within.as_dict() if within else None,
        good=answers.as_dict() if answers else None,
    )

"""Did it get slower, where, and who makes the change: two cohorts of requests compared, like with like (docs/reference/method.md).

Requests are told apart by route and shape. What only one side has is counted apart; of the rest, the base's requests are
weighted as the candidate asks for them, so that a change in what is asked is never told as a change in how fast it is
answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.analysis.budget.model import Budget, cap_at
from overbudget.analysis.common.binomial import interval_ranks
from overbudget.analysis.common.percentiles import F64, I64
from overbudget.analysis.compare.growth import OperationGrowth, ServiceGrowth, operation_growth, service_growth
from overbudget.analysis.requests.read import read_requests, require_known
from overbudget.analysis.requests.stored import load_path
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.analysis.review.result import TOTAL
from overbudget.kernels.arrow import coded, numbers, row_of
from overbudget.stages.names import stage_order

PERCENTILES = (50, 75, 90, 95, 99)
# A comparison calls something changed that is not in at most 5 % of cases, all its verdicts together: most of that is
# spent on the percentiles of the whole request, the rest on those of the stages (Bonferroni).
FALSE_ALARMS_WHOLE, FALSE_ALARMS_STAGES = 0.04, 0.01

Verdict = Literal["slower", "faster", "same", "unknown"]


@dataclass(frozen=True)
class Side:
    """One side of a comparison. `requests` are all of the dataset's by the budget's rules; read where they are not at hand."""

    connection: duckdb.DuckDBPyConnection
    filters: Filters = field(default_factory=Filters)
    requests: RequestTable | None = None


@dataclass(frozen=True)
class PercentileChange:
    """A percentile before and after, in ns; `stage` is "total" for the whole request.

    The interval of the change holds it with 95 % confidence; None where there are too few requests. The verdict is
    stricter: see FALSE_ALARMS_WHOLE. `budget_ns` is the cap, `over` whether the candidate's estimate exceeds it.
    """

    stage: str
    percentile: int
    base_ns: int | None
    candidate_ns: int | None
    change_ns: int | None
    ci_low_ns: int | None
    ci_high_ns: int | None
    verdict: Verdict
    budget_ns: int | None


@dataclass(frozen=True)
class Comparison:
    """What `overbudget compare --json` says. Means are per request of the candidate."""

    verdict: Verdict
    base: dict[str, int]
    candidate: dict[str, int]
    end_to_end: tuple[PercentileChange, ...]
    stages: tuple[PercentileChange, ...]
    services: tuple[ServiceGrowth, ...]
    operations: tuple[OperationGrowth, ...]

    @property
    def regressions(self) -> list[PercentileChange]:
        """What got slower for sure and matters: the whole request, and stages that the budget caps."""
        stages = [change for change in self.stages if change.budget_ns is not None]
        return [change for change in (*self.end_to_end, *stages) if change.verdict == "slower"]

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts with the keys of docs/reference/json.md."""
        grown = sum(max(one.change_ns, 0.0) for one in self.services) or 1.0
        total = sum(max(one.change_ns, 0.0) for one in self.operations) or 1.0
        return {
            "verdict": self.verdict,
            "base": self.base,
            "candidate": self.candidate,
            "end_to_end": [_change(change) for change in self.end_to_end],
            "stages": [{"stage": change.stage, **_change(change)} for change in self.stages],
            "services": [
                {
                    "service_name": one.service_name,
                    **_means(one, grown),
                    "sure_ns": round(one.sure_ns),
                }
                for one in self.services
            ],
            "operations": [
                {
                    "service_name": one.service_name,
                    "name": one.name,
                    "hop_to": one.hop_to,
                    **_means(one, total),
                    "only_in": one.only_in,
                }
                for one in self.operations
            ],
        }


def _change(change: PercentileChange) -> dict[str, Any]:
    keys = ("percentile", "base_ns", "candidate_ns", "change_ns", "ci_low_ns", "ci_high_ns", "verdict", "budget_ns")
    return {key: getattr(change, key) for key in keys}


def _means(one: ServiceGrowth | OperationGrowth, growth: float) -> dict[str, Any]:
    return {
        "base_mean_ns": round(one.base_mean_ns),
        "candidate_mean_ns": round(one.candidate_mean_ns),
        "change_ns": round(one.change_ns),
        "share_of_change": round(one.change_ns / growth, 4),
    }


def compare(base: Side, candidate: Side, budget: Budget | None = None) -> Comparison:
    """Compare the requests that the filters of each side leave, stages by the rules of the budget.

    Errors: OverbudgetError where a filter names what a dataset does not have.
    """
    tables, strata, counts = [], [], []
    by_route = base.filters.route == candidate.filters.route  # two routes that are set against each other are alike
    for side in (base, candidate):
        every = read_requests(side.connection, budget) if side.requests is None else side.requests
        require_known(every, side.filters)
        table = every.select(side.filters)
        tables.append(table)
        strata.append(_strata(side.connection, table, by_route))
        counts.append({"requests": len(table), "incomplete_left_out": table.incomplete})
    common = set(strata[0]) & set(strata[1])
    for side_no, found in enumerate(strata):
        counts[side_no]["only_here"] = sum(1 for key in found if key not in common)
    rows = [np.array([i for i, key in enumerate(found) if key in common], np.int64) for found in strata]
    before, after = (table.take(kept) for table, kept in zip(tables, rows, strict=True))
    kept_strata = [[found[i] for i in kept.tolist()] for found, kept in zip(strata, rows, strict=True)]
    weights = _weights(*kept_strata)

    ends = _changes(TOTAL, before.latency_ns, weights, after.latency_ns, FALSE_ALARMS_WHOLE / len(PERCENTILES))
    names = [
        name
        for name in stage_order([*before.stages, *after.stages])
        if any(_stage(table, name).any() for table in (before, after))
    ]
    alarms = FALSE_ALARMS_STAGES / max(len(PERCENTILES) * len(names), 1)
    stages = [
        change
        for name in names
        for change in _changes(name, _stage(before, name), weights, _stage(after, name), alarms)
    ]
    paths = [load_path(side.connection, table) for side, table in zip((base, candidate), tables, strict=True)]
    operations = operation_growth(
        paths[0], tables[0], paths[1], tables[1], by_route, _occurring(base, tables[0], by_route)
    )
    verdicts = {change.verdict for change in ends}
    order: tuple[Verdict, ...] = ("slower", "faster", "same", "unknown")
    comparison = Comparison(
        next(verdict for verdict in order if verdict in verdicts),
        counts[0],
        counts[1],
        tuple(ends),
        tuple(stages),
        tuple(service_growth(operations)),
        tuple(operations),
    )
    return hold_to(comparison, budget)


def hold_to(found: Comparison, budget: Budget | None) -> Comparison:
    """The same comparison with the caps of another budget, whose rules are the same."""
    caps = budget or Budget()

    def held(change: PercentileChange) -> PercentileChange:
        cap, borrowed = cap_at(caps.caps if change.stage == TOTAL else caps.stage_caps(change.stage), change.percentile)
        return replace(change, budget_ns=None if borrowed else cap)

    return replace(found, end_to_end=tuple(map(held, found.end_to_end)), stages=tuple(map(held, found.stages)))


def _occurring(side: Side, table: RequestTable, by_route: bool) -> dict[tuple[str, str, str], int]:
    """How many spans of the requests an operation has, at most as many as there are requests, by route, service, name."""
    if table.entry_span_no is not None:
        return {}  # the budget made other spans the requests: whose spans they are is not stored
    connection = side.connection
    connection.register("chosen", pa.table({"request_no": table.request_no, "route": table.route.codes}))
    try:
        rows = connection.sql(
            """SELECT chosen.route, o.service_name, o.name, sum(n)::BIGINT
               FROM (SELECT c.route, t.operation_id, count(*) AS n FROM data.tree t JOIN chosen c USING (request_no)
                     GROUP BY ALL) AS chosen JOIN operations o USING (operation_id) GROUP BY ALL"""
        ).fetchall()
    finally:
        connection.unregister("chosen")
    found: dict[tuple[str, str, str], int] = {}
    for route, service, name, count in rows:
        key = (table.route.names[route] if by_route else "", service, name)
        found[key] = min(found.get(key, 0) + count, len(table))
    return found


def _strata(connection: duckdb.DuckDBPyConnection, table: RequestTable, by_route: bool) -> list[tuple[str, str]]:
    """Route and shape of each request."""
    if table.entry_span_no is not None or len(table) == 0:
        shapes = [""] * len(table)  # the budget made other spans the requests: their shapes are not stored
    else:
        rows = connection.sql("SELECT request_no, shape FROM requests").to_arrow_table()
        shape = coded(rows["shape"])
        place = row_of(numbers(rows["request_no"]), table.request_no)
        shapes = [shape.names[code] for code in shape.codes[place].tolist()]
    routes = [table.route.names[code] if by_route else "" for code in table.route.codes.tolist()]
    return list(zip(routes, shapes, strict=True))


def _weights(base: Sequence[tuple[str, str]], candidate: Sequence[tuple[str, str]]) -> F64:
    """What each request of the base counts for, so that strata weigh as in the candidate; sums to 1."""
    number = {key: i for i, key in enumerate(dict.fromkeys(candidate))}
    of_base = np.array([number[key] for key in base], np.int64)
    share = np.bincount([number[key] for key in candidate], minlength=len(number)) / max(len(candidate), 1)
    return np.asarray((share / np.maximum(np.bincount(of_base, minlength=len(number)), 1))[of_base], np.float64)


def _stage(table: RequestTable, stage: str) -> I64:
    if stage not in table.stages:
        return np.zeros(len(table), np.int64)
    return np.ascontiguousarray(table.stage_ns[:, table.stages.index(stage)])


def _changes(stage: str, before: I64, weights: F64, after: I64, alarms: float) -> list[PercentileChange]:
    """Every percentile before and after."""
    even = np.full(len(after), 1 / max(len(after), 1))
    sides = [_Weighted(before, weights), _Weighted(after, even)]
    found = []
    for p in PERCENTILES:
        a, b = (side.quantile(p) for side in sides)
        (low, high), (surely_low, surely_high) = (_difference(sides, p, tail) for tail in (0.025, alarms / 2))
        verdict: Verdict = "same"
        if a is None or b is None or surely_low is None or surely_high is None:
            verdict = "unknown"
        elif surely_low > 0:
            verdict = "slower"
        elif surely_high < 0:
            verdict = "faster"
        change = None if a is None or b is None else b - a
        found.append(PercentileChange(stage, p, a, b, change, low, high, verdict, None))
    return found


class _Weighted:
    """A weighted sample: its quantiles, and their distribution-free intervals (see analysis.common.percentiles).

    With unequal weights the intervals count as many requests as have the same information, by L. Kish, "Survey
    Sampling" (1965): the square of the sum of the weights over the sum of their squares.
    """

    def __init__(self, values: I64, weights: F64) -> None:
        order = np.argsort(values, kind="stable")
        self._values, self._weights = values[order], weights[order]
        self._upto = np.cumsum(self._weights)
        self.n = round(1 / float(self._weights @ self._weights)) if len(values) else 0

    def quantile(self, percentile: int) -> int | None:
        """Linear interpolation; with equal weights numpy's."""
        if len(self._values) == 0:
            return None
        rest = self._upto[-1] - self._weights[-1]
        place = (self._upto - self._weights) / rest if rest > 0 else np.zeros(len(self._values))
        return round(float(np.interp(percentile / 100, place, self._values)))

    def bounds(self, percentile: int, tail: float) -> tuple[int | None, int | None]:
        """Values between which the percentile lies, each missed with a chance of at most `tail`."""
        low, high = interval_ranks(self.n, percentile, tail)
        lower = self._value_at(low / self.n) if low else None
        return lower, self._value_at(high / self.n) if high else None

    def _value_at(self, share: float) -> int:
        place = int(np.searchsorted(self._upto, share * self._upto[-1] - 1e-9))
        return int(self._values[min(place, len(self._values) - 1)])


def _difference(sides: Sequence[_Weighted], percentile: int, tail: float) -> tuple[int | None, int | None]:
    """The interval of a difference of two percentiles from the interval of each.

    G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27 (2008).
    """
    (a, b) = (side.quantile(percentile) for side in sides)
    (a_low, a_high), (b_low, b_high) = (side.bounds(percentile, tail) for side in sides)
    if a is None or b is None or a_low is None or a_high is None or b_low is None or b_high is None:
        return None, None
    below = np.hypot(max(b - b_low, 0), max(a_high - a, 0))
    above = np.hypot(max(b_high - b, 0), max(a - a_low, 0))
    return round(b - a - float(below)), round(b - a + float(above))

"""Limits for every stage from one total, verified by replay (docs/reference/method.md, Allocate)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overbudget.analysis.allocate.search import STEPS, TYPICAL, Search, changes_of, highest
from overbudget.analysis.budget.model import LIMIT, Budget, cap_name
from overbudget.analysis.budget.problems import question
from overbudget.analysis.common.percentiles import F64, PERCENTILES, quantile_at, quantiles
from overbudget.analysis.requests.table import I64
from overbudget.analysis.whatif.bounds import Bound
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.stages.names import ASKS_PERSON, UNATTRIBUTED, stage_order
from overbudget.store.errors import OverbudgetError

KEEP_THEIR_TIME = (UNATTRIBUTED, "orchestration", ASKS_PERSON)


@dataclass(frozen=True)
class Limit:
    """What a stage may take of any request: `ns`, the `level` quantile of what it takes of those that have it, rounded.

    `now_ns` is its time at the total's percentile over the `requests` that have it, `cut` how many take longer today.
    """

    stage: str
    ns: int
    now_ns: int
    requests: int
    cut: int


@dataclass(frozen=True)
class Allocation:
    """Limits with which the whole request keeps `cap_ns` at `percentile`, where it can.

    `level` is the largest share of requests, among those that have a stage, which each stage may leave as they are; with
    all stages held to it the request keeps the total. Where that is not so even at the medians, it is not `feasible`, the
    limits are the medians, and the request is `over_ns` over with them; `typical_over_ns` is by how much half of the
    requests are over today (0 where they are not). `after` has the replayed percentiles, `after_high_ns` the upper end of
    the interval of the one at `percentile`: it is what keeps the total, so that other requests do. It is None where it is
    unknown, and the limits are for these requests alone. `fixed` are the stages that keep their time.
    """

    percentile: int
    cap_ns: int
    level: float
    feasible: bool
    limits: tuple[Limit, ...]
    before: tuple[tuple[int, int | None], ...]
    after: tuple[tuple[int, int | None], ...]
    after_high_ns: int | None
    over_ns: int
    typical_over_ns: int
    requests: int
    fixed: tuple[str, ...]
    bound: Bound | None = None
    doubtful: bool = False

    @property
    def kept_today(self) -> bool:
        """Whether the total is kept as things are, so that nothing need be cut."""
        return self.feasible and self.level == 1

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts with the keys of docs/reference/json.md."""
        return {
            "total": {"percentile": self.percentile, "cap_ns": self.cap_ns},
            "level": self.level,
            "feasible": self.feasible,
            "caps": [
                {
                    "stage": one.stage,
                    "percentile": "max",
                    "cap_ns": one.ns,
                    "now_ns": one.now_ns,
                    "requests": one.requests,
                    "requests_cut": one.cut,
                }
                for one in self.limits
            ],
            "replayed": [
                {"percentile": p, "before_ns": old, "after_ns": new}
                for (p, old), (_, new) in zip(self.before, self.after, strict=True)
            ],
            "after_high_ns": self.after_high_ns,
            "over_ns": self.over_ns,
            "typical_over_ns": self.typical_over_ns,
            "fixed": list(self.fixed),
            "requests": self.requests,
            "bound": self.bound,
        }


def allocate(bench: Workbench, percentile: int, cap_ns: int, fixed: Sequence[str] = ()) -> Allocation:
    """Limits for every stage but the `fixed` ones from a cap on the whole request at `percentile`.

    The level is found by bisection, down to the medians: every stage is held to the same quantile of its own times, over
    the requests that have it, and all requests are replayed with that.

    Errors: OverbudgetError where there are no requests, a fixed stage does not occur, or no stage is left.
    """
    table = bench.table
    if not len(table):
        raise OverbudgetError("There are no requests to allocate a budget for.")
    times = {stage: table.stage_ns[:, place] for place, stage in enumerate(table.stages)}
    there = [stage for stage in stage_order(times) if (times[stage] > 0).any()]
    for stage in fixed:
        if stage not in there:
            raise OverbudgetError(f"There is no stage `{stage}` to keep as it is.{question(stage, there)}")
    kept = tuple(stage for stage in there if stage in (*KEEP_THEIR_TIME, *fixed))
    times = {stage: took for stage, took in times.items() if stage in there and stage not in kept}
    if not times:
        raise OverbudgetError(
            "No stage is left that could be limited: all keep their time, or no span is of any stage."
        )
    search = Search(bench, percentile, cap_ns, times)
    level = search.level()
    held = search.held_to(TYPICAL if level is None else level)
    limits = held if level in (None, STEPS) else search.rounded(held)
    replayed = bench.what_if(changes_of(limits))
    took = bench.durations(changes_of(limits))
    at = search.quantile(took)
    half_ns = quantile_at(table.latency_ns, 0.5, table.weight)
    return Allocation(
        percentile,
        cap_ns,
        (TYPICAL if level is None else level) / STEPS,
        level is not None,
        tuple(_limit(stage, limits[stage], times[stage], percentile, table.weight) for stage in limits),
        _percentiles(table.latency_ns, percentile, table.weight),
        _percentiles(took, percentile, table.weight),
        at.high_ns if at.known else None,
        max(0, highest(at) - cap_ns),
        max(0, round(half_ns) - cap_ns),
        len(table),
        kept,
        replayed.bound,
        bool(replayed.doubts),
    )


def budget_changes(
    found: Allocation, budget: Budget | None = None, route: str | None = None
) -> dict[tuple[str, ...], int | None]:
    """What the limits are in a budget file, for `analysis.budget.file.edit_budget`: of one route, or of all.

    Caps that `budget` has in the same places are removed where they contradict them: above a stage's limit, or in another
    order than the total's.
    """
    budget = budget or Budget()
    own = budget.own_of(route) if route is not None else budget
    total, stages = (
        (("routes", route), ("routes", route, "stages")) if route is not None else (("budget",), ("stages",))
    )
    changes: dict[tuple[str, ...], int | None] = {}
    for percentile, ns in (own.caps if own else {}).items():
        if (percentile - found.percentile) * (ns - found.cap_ns) < 0:
            changes[*total, cap_name(percentile)] = None
    for one in found.limits:
        held = own.stage_caps(one.stage) if own else {}
        for percentile in [percentile for percentile, ns in held.items() if percentile < LIMIT and ns > one.ns]:
            changes[*stages, one.stage, cap_name(percentile)] = None
        changes[*stages, one.stage, cap_name(LIMIT)] = one.ns
    return changes | {(*total, cap_name(found.percentile)): found.cap_ns}


def _limit(stage: str, ns: int, took: I64, percentile: int, weight: F64) -> Limit:
    has = took > 0
    now = round(quantile_at(took[has], percentile / 100, weight[has]))
    return Limit(stage, ns, now, int(has.sum()), int((took > ns).sum()))


def _percentiles(latency_ns: I64, percentile: int, weight: F64) -> tuple[tuple[int, int | None], ...]:
    asked = sorted({*PERCENTILES, percentile})
    return tuple((one.percentile, one.value_ns) for one in quantiles(latency_ns, asked, weights=weight)[0])

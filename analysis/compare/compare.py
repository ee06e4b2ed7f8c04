"""Did it get slower, where, and because of which service: two cohorts compared with the mix of routes held fixed.

The mix of requests is held fixed (`mix`), a percentile's change has one interval that is both shown and decisive
(`percentile_change`), a service's certain growth decides too (`services`), and failures come before speed (`failures`).
The definitions are in docs/reference/method.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from overbudget.analysis.budget.caps import cap_of
from overbudget.analysis.budget.caps import held_to as budget_of
from overbudget.analysis.budget.model import LIMIT, Budget, Caps
from overbudget.analysis.causes.cause_costs import cost_of_causes
from overbudget.analysis.causes.growth_shares import growth_shares
from overbudget.analysis.causes.spending import Spending, read_spending
from overbudget.analysis.common.percentiles import I64, PERCENTILES
from overbudget.analysis.compare.failures import FailedShare, failed_share, grew
from overbudget.analysis.compare.growth import growths
from overbudget.analysis.compare.mix import Kind, Mix, kinds, mix
from overbudget.analysis.compare.names import NameGroups
from overbudget.analysis.compare.operations import (
    OperationGrowth,
    growth_dict,
    operation_growths,
    service_growths,
    service_means,
)
from overbudget.analysis.compare.percentile_change import (
    FALSE_ALARMS,
    LEAST_MARGIN_NS,
    MARGIN,
    PercentileChange,
    Sample,
    Verdict,
    changes,
)
from overbudget.analysis.compare.services import ServiceGrowth, charges, rank
from overbudget.analysis.health.lost_spans import IncompleteCompared, compare_incomplete
from overbudget.analysis.requests.read import read_requests, require_known
from overbudget.analysis.requests.stored import load_path
from overbudget.analysis.requests.table import Filters, RequestTable
from overbudget.stages.names import TOTAL, stage_order

DECIDING = (50, 95)
MOST_DECIDING = 3
FAR_APART_NS = 12 * 3_600 * 1_000_000_000  # between base and candidate: a base closer in time would show more


@dataclass(frozen=True)
class Side:
    """One side of a comparison. `requests` are all of the dataset's, under the budget's rules; None to read them."""

    connection: duckdb.DuckDBPyConnection
    filters: Filters = field(default_factory=Filters)
    requests: RequestTable | None = None


@dataclass(frozen=True)
class Comparison:
    """What `overbudget compare --json` says. Means are per request of the candidate.

    `deciding` are the percentiles that the verdict rests on, `margin` the share of the base up to which they count as
    equal. `failed` are the shares of base and candidate that failed; `fails_more` says that the second is larger beyond
    chance. `lost_spans` says for each side whether its requests that lost spans are slower: they count in the percentiles
    of the whole request, but the times of stages, services and operations are of the other requests. `far_apart` says that
    the base is from another day.
    """

    verdict: Verdict
    deciding: tuple[int, ...]
    margin: float
    base: dict[str, int]
    candidate: dict[str, int]
    failed: tuple[FailedShare, FailedShare]
    fails_more: bool
    lost_spans: tuple[IncompleteCompared | None, IncompleteCompared | None]
    far_apart: bool
    end_to_end: tuple[PercentileChange, ...]
    stages: tuple[PercentileChange, ...]
    services: tuple[ServiceGrowth, ...]
    operations: tuple[OperationGrowth, ...]

    @property
    def certain(self) -> ServiceGrowth | None:
        """Of the services that certainly grew, the one that grew most."""
        grown = [one for one in self.services if one.certain_ns is not None]
        return max(grown, key=lambda one: one.certain_ns or 0, default=None)

    @property
    def regressions(self) -> list[PercentileChange]:
        """What certainly got slower and matters: the whole request, and stages that the budget caps."""
        stages = [change for change in self.stages if change.budget_ns is not None]
        return [change for change in (*self.end_to_end, *stages) if change.verdict == "slower"]

    @property
    def regressed(self) -> bool:
        """Whether a gate should fail: a regression, a service's certain growth, or more failures."""
        return bool(self.regressions) or self.certain is not None or self.fails_more

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts with the keys of docs/reference/json.md."""
        of_services = growth_shares([one.change_ns for one in self.services])
        of_operations = growth_shares([one.change_ns for one in self.operations])
        return {
            "verdict": self.verdict,
            "deciding": list(self.deciding),
            "margin": self.margin,
            "failed": {
                **{name: one.as_dict() for name, one in zip(("base", "candidate"), self.failed, strict=True)},
                "grew": self.fails_more,
            },
            "base": {**self.base, "incomplete_slower": _slower(self.lost_spans[0])},
            "candidate": {**self.candidate, "incomplete_slower": _slower(self.lost_spans[1])},
            "end_to_end": [change.as_dict() for change in self.end_to_end],
            "stages": [{"stage": change.stage, **change.as_dict()} for change in self.stages],
            "services": [
                {"service_name": one.service_name, **growth_dict(one, share), "certain_ns": one.certain_ns}
                for one, share in zip(self.services, of_services, strict=True)
            ],
            "operations": [
                {
                    "service_name": one.service_name,
                    "name": one.name,
                    "hop_to": one.hop_to,
                    **growth_dict(one, share),
                    "only_in": one.only_in,
                    "why": one.why.as_dict(),
                }
                for one, share in zip(self.operations, of_operations, strict=True)
            ],
        }


def _slower(lost: IncompleteCompared | None) -> bool:
    return lost is not None and lost.slower


def compare(base: Side, candidate: Side, budget: Budget | None = None, margin: float = MARGIN) -> Comparison:
    """Compare the requests that pass each side's filters, with stages by the rules of the budget.

    Errors: OverbudgetError where a filter names what a dataset does not have.
    """
    budget = budget or Budget()
    by_route = base.filters.route == candidate.filters.route  # two different routes that are compared count as one
    together = NameGroups(base.connection, candidate.connection)
    whole = [together.routes(_chosen(side, budget)) for side in (base, candidate)]
    tables = [table if table.complete.all() else table.take(np.flatnonzero(table.complete)) for table in whole]
    connections = (base.connection, candidate.connection)
    kinds_of = [
        kinds(connection, table, by_route, together.shape)
        for connection, table in zip(connections, tables, strict=True)
    ]
    alike = mix(kinds_of[0], kinds_of[1], tables[0].weight, tables[1].weight)
    everyone = (
        alike
        if all(table.complete.all() for table in whole)
        else mix(_of_route(whole[0], by_route), _of_route(whole[1], by_route), whole[0].weight, whole[1].weight)
    )
    before, after = tables[0].take(alike.base), tables[1].take(alike.candidate)
    held_to = budget_of(budget, {*before.routes, *after.routes})
    deciding = deciding_percentiles(held_to)
    ends = _ends(whole[0].take(everyone.base), whole[1].take(everyone.candidate), everyone, held_to, deciding, margin)
    stages = _stages(before, after, alike, held_to, deciding, margin)
    spent = [
        read_spending(side.connection, table, load_path(side.connection, table).renamed(together.groups))
        for side, table in zip((base, candidate), (before, after), strict=True)
    ]
    operations, services = _growth(spent, (before, after), alike, by_route, margin)
    failed = failed_share(whole[0]), failed_share(whole[1])
    fails_more = grew(*failed)
    certain = any(one.certain_ns is not None for one in services)
    return Comparison(
        _verdict([change.verdict for change in ends if change.deciding], certain, fails_more),
        deciding,
        margin,
        _count(whole[0], everyone.base),
        _count(whole[1], everyone.candidate),
        failed,
        fails_more,
        (compare_incomplete(whole[0]), compare_incomplete(whole[1])),
        _far_apart(before.start_ns, after.start_ns),
        tuple(ends),
        tuple(stages),
        tuple(services),
        tuple(operations),
    )


def deciding_percentiles(budget: Budget) -> tuple[int, ...]:
    """p50 and p95, or those that the budget caps, at most three: the outermost and the one nearest to p95."""
    capped = sorted(set(budget.caps) - {LIMIT}) or list(DECIDING)
    if len(capped) > MOST_DECIDING:
        inner = min(capped[1:-1], key=lambda percentile: abs(percentile - 95))
        capped = [capped[0], inner, capped[-1]]
    return tuple(capped)


def _chosen(side: Side, budget: Budget) -> RequestTable:
    every = read_requests(side.connection, budget) if side.requests is None else side.requests
    require_known(every, side.filters)
    return every.select(side.filters, whole_entries=True)


def _of_route(table: RequestTable, by_route: bool) -> list[Kind]:
    """Requests grouped by route alone: the shape of one that lost spans is unknown."""
    return [(table.route.names[code] if by_route else "", "") for code in table.route.codes.tolist()]


def _count(table: RequestTable, kept: I64) -> dict[str, int]:
    """How many requests there are, how many of them are incomplete, and how many were left out for having no entry span."""
    return {
        "requests": len(table),
        "incomplete": int(np.count_nonzero(~table.complete)),
        "incomplete_left_out": table.incomplete,
        "only_here": len(table) - len(kept),
    }


def _verdict(deciding: Sequence[Verdict], certain: bool, fails_more: bool) -> Verdict:
    """Slower wins over faster; "same" only where every deciding percentile says so."""
    if certain or "slower" in deciding:
        return "slower"
    if fails_more:
        return "unknown"  # requests that fail early are not faster
    if "faster" in deciding:
        return "faster"
    return "same" if deciding and set(deciding) == {"same"} else "unknown"


def _ends(
    before: RequestTable, after: RequestTable, alike: Mix, budget: Budget, deciding: tuple[int, ...], margin: float
) -> list[PercentileChange]:
    """The percentiles of the whole request."""
    shown = _shown(deciding)
    samples = _samples(before, after, alike, before.latency_ns, after.latency_ns)
    tail = FALSE_ALARMS / 2 / len(deciding)
    return changes(TOTAL, samples, shown, deciding, tail, margin, _caps(budget.caps, shown))


def _stages(
    before: RequestTable, after: RequestTable, alike: Mix, budget: Budget, deciding: tuple[int, ...], margin: float
) -> list[PercentileChange]:
    """The percentiles of each stage that takes time."""
    shown = _shown(deciding)
    times = {name: (_stage(before, name), _stage(after, name)) for name in stage_order([*before.stages, *after.stages])}
    times = {name: both for name, both in times.items() if any(side.any() for side in both)}
    tail = FALSE_ALARMS / 2 / len(deciding) / max(len(times), 1)
    return [
        change
        for name, both in times.items()
        for change in changes(
            name,
            _samples(before, after, alike, *both),
            shown,
            deciding,
            tail,
            margin,
            _caps(budget.stage_caps(name), shown),
        )
    ]


def _shown(deciding: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*PERCENTILES, *deciding}))


def _samples(before: RequestTable, after: RequestTable, alike: Mix, was: I64, now: I64) -> list[Sample]:
    return [Sample(was, alike.weights, before.start_ns), Sample(now, alike.candidate_weights, after.start_ns)]


def _caps(caps: Caps, percentiles: Sequence[int]) -> dict[int, int]:
    """The cap at each percentile that has one, its own or that of a higher percentile."""
    held = [cap_of(caps, percentile) for percentile in percentiles] if caps else []
    return {cap.percentile: cap.ns for cap in held if cap is not None and not cap.borrowed}


def _stage(table: RequestTable, stage: str) -> I64:
    if stage not in table.stages:
        return np.zeros(len(table), np.int64)
    return np.ascontiguousarray(table.stage_ns[:, table.stages.index(stage)])


def _growth(
    spent: Sequence[Spending], tables: tuple[RequestTable, RequestTable], alike: Mix, by_route: bool, margin: float
) -> tuple[list[OperationGrowth], list[ServiceGrowth]]:
    """How much more each operation and each service takes."""
    grown = growths((spent[0], tables[0]), (spent[1], tables[1]), by_route)
    charged = charges(grown)
    operations = operation_growths(spent[0], alike.weights, spent[1], alike.candidate_weights, cost_of_causes(spent))
    before = service_means(operations, charged, lambda one: one.base_mean_ns)
    mean_ns = float(alike.weights @ tables[0].latency_ns) if len(tables[0]) else 0.0
    least_ns = max(margin * mean_ns, LEAST_MARGIN_NS) / 2
    ranked = rank(grown, charged, before, least_ns, min(len(table) for table in tables))
    return operations, service_growths(operations, charged, ranked)


def _far_apart(base: I64, candidate: I64) -> bool:
    """Whether half a day or more lies between the two sides."""
    if len(base) == 0 or len(candidate) == 0:
        return False
    gap = max(int(candidate.min()) - int(base.max()), int(base.min()) - int(candidate.max()))
    return gap >= FAR_APART_NS

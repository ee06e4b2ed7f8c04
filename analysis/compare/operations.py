"""The time of each operation per request, before and after, and why it changed; and the time of each service."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overbudget.analysis.causes.spending import Cause, Spending
from overbudget.analysis.causes.why import Amount, TokenCost, Why, explain
from overbudget.analysis.common.bands import whole_parts
from overbudget.analysis.common.percentiles import F64
from overbudget.analysis.compare.services import Hop, Ranked, ServiceGrowth

NOTHING = (Amount(0.0, 0.0, 0.0), Amount(0.0, 0.0, 0.0))

Amounts = tuple[Amount, Amount]  # of calls that did not fail, and of those that did


@dataclass(frozen=True)
class OperationGrowth:
    """Mean self time per request of an operation, or mean time of its hops to a service, before and after, in ns, and why.

    The changes of all operations sum to that of the whole request. `only_in` says that the other side has no such
    operation at all, on or off the critical path ("base" or "candidate").
    """

    service_name: str
    name: str
    hop_to: str | None
    base_mean_ns: int
    candidate_mean_ns: int
    only_in: str | None
    why: Why

    @property
    def change_ns(self) -> int:
        return self.candidate_mean_ns - self.base_mean_ns


def operation_growths(
    base: Spending,
    weights: F64,
    candidate: Spending,
    candidate_weights: F64,
    cost_of: Callable[[Cause], TokenCost | None] = lambda _: None,
) -> list[OperationGrowth]:
    """Every operation of either side, largest growth first. Weights are those of the requests, and sum to 1."""
    before, after = dict(zip(base.causes, base.amounts(weights), strict=True)), {}
    after = dict(zip(candidate.causes, candidate.amounts(candidate_weights), strict=True))
    causes = [*before, *(cause for cause in after if cause not in before)]
    amounts = [(before.get(cause, NOTHING), after.get(cause, NOTHING)) for cause in causes]
    widths = {**base.widths, **candidate.widths}
    means = [_whole([amount[side] for amount in amounts]) for side in (0, 1)]
    made = [_made(side) for side in (before, after)]
    found = [
        _operation(
            cause,
            was,
            now,
            _only_in(cause, *made),
            explain(both[0], both[1], now - was, cost_of(cause), widths.get(cause, 1)),
        )
        for cause, both, was, now in zip(causes, amounts, *means, strict=True)
        if was or now
    ]
    return sorted(found, key=_by_size)


def _by_size(one: OperationGrowth) -> tuple[int, int, float, str, str, str]:
    """The largest growth first, then the longest, then the most frequent: names decide only at ties."""
    return -one.change_ns, -one.candidate_mean_ns, -one.why.calls_after, one.service_name, one.name, one.hop_to or ""


def _operation(cause: Cause, was: int, now: int, only_in: str | None, why: Why) -> OperationGrowth:
    service, name, place = cause
    return OperationGrowth(service, name, place, was, now, only_in, why)


def _whole(amounts: Sequence[Amounts]) -> list[int]:
    """Means in whole ns that sum to the mean of the whole request."""
    means = np.array([fine.ns + failed.ns for fine, failed in amounts])
    return whole_parts(means, round(float(means.sum()))) if len(means) else []


def _made(amounts: Mapping[Cause, Amounts]) -> set[tuple[str, str]]:
    """The operations that have calls or time, wherever their hops lead."""
    return {cause[:2] for cause, (fine, failed) in amounts.items() if fine.made + failed.made + fine.ns + failed.ns > 0}


def _only_in(cause: Cause, before: set[tuple[str, str]], after: set[tuple[str, str]]) -> str | None:
    here, there = cause[:2] in before, cause[:2] in after
    return None if here == there else "base" if here else "candidate"


def service_growths(
    operations: Sequence[OperationGrowth], charged: Mapping[Hop, Mapping[str, float]], ranked: Mapping[str, Ranked]
) -> list[ServiceGrowth]:
    """The time of each service, hops as charged; the one that most certainly grew first. Changes sum to the request's."""
    before = service_means(operations, charged, lambda one: one.base_mean_ns)
    after = service_means(operations, charged, lambda one: one.candidate_mean_ns)
    means = [
        whole_parts(np.array(list(side.values())), round(sum(side.values()))) if side else []
        for side in (before, after)
    ]
    nobody = Ranked(0.0, None)
    found = [
        ServiceGrowth(name, was, now, ranked.get(name, nobody).rank_ns, ranked.get(name, nobody).certain_ns)
        for name, was, now in zip(before, *means, strict=True)
    ]
    return sorted(found, key=lambda one: (-one.rank_ns, -one.change_ns, -one.candidate_mean_ns, one.service_name))


def service_means(
    operations: Sequence[OperationGrowth],
    charged: Mapping[Hop, Mapping[str, float]],
    mean: Callable[[OperationGrowth], int],
) -> dict[str, float]:
    """Per service the sum of `mean` over its own operations and the hops charged to it."""
    found: dict[str, float] = {}
    for one in operations:
        hop = (one.service_name, one.hop_to)
        for service, part in ({one.service_name: 1.0} if one.hop_to is None else charged[hop]).items():  # type: ignore[index]
            found[service] = found.get(service, 0.0) + part * mean(one)
    return found


def growth_dict(one: OperationGrowth | ServiceGrowth, share: float) -> dict[str, Any]:
    """The keys that operations and services share in JSON."""
    return {
        "base_mean_ns": one.base_mean_ns,
        "candidate_mean_ns": one.candidate_mean_ns,
        "change_ns": one.change_ns,
        "share_of_change": share,
    }

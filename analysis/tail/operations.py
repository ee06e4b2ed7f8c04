"""Which operations take more of slow requests than of typical ones, and why."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import duckdb
import numpy as np

from overbudget.analysis.causes.cause_costs import cost_of_causes
from overbudget.analysis.causes.growth_shares import growth_shares
from overbudget.analysis.causes.spending import read_spending
from overbudget.analysis.causes.why import Why, explain
from overbudget.analysis.common.percentiles import F64, I64
from overbudget.analysis.requests.table import Bool, RequestTable


@dataclass(frozen=True)
class SlowOperation:
    """An operation's self time, or its hops to a service, per request: means of both cohorts in ns, and why they differ.

    `share_of_excess` is its share of all growth from a typical to a slow request, between 0 and 1; 0 for what shrank.
    """

    service_name: str
    name: str
    hop_to: str | None
    stage: str
    slow_mean_ns: int
    typical_mean_ns: int
    excess_ns: int
    share_of_excess: float
    why: Why

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "why": self.why.as_dict()}


def slow_operations(
    connection: duckdb.DuckDBPyConnection, table: RequestTable, slow: I64, typical: I64
) -> list[SlowOperation]:
    """The operations of both cohorts (rows of `table` that do not overlap), largest excess first."""
    both = table.take(np.sort(np.concatenate([slow, typical])))
    is_slow = np.isin(both.request_no, table.request_no[slow])
    weights = [_of_cohort(~is_slow, both.weight), _of_cohort(is_slow, both.weight)]
    spent = read_spending(connection, both, every=table)
    cost_of = cost_of_causes([spent])
    found = []
    for stage in np.unique(spent.stage).tolist():
        before, after = (spent.amounts(cohort, stage) for cohort in weights)
        for cause, was, now in zip(spent.causes, before, after, strict=True):
            typical_ns, slow_ns = (sum(amount.ns for amount in side) for side in (was, now))
            grown = round(slow_ns) - round(typical_ns)
            if round(slow_ns) or round(typical_ns):
                name = table.stages[stage]
                why = explain(was, now, grown, cost_of(cause), spent.widths.get(cause, 1))
                found.append(SlowOperation(*cause, name, round(slow_ns), round(typical_ns), grown, 0.0, why))
    largest_first = sorted(found, key=_by_size)
    shares = growth_shares([one.excess_ns for one in largest_first])
    return [replace(one, share_of_excess=share) for one, share in zip(largest_first, shares, strict=True)]


def _by_size(one: SlowOperation) -> tuple[int, int, float, str, str, str]:
    """The largest excess first, then the longest, then the most frequent: names decide only at ties."""
    return -one.excess_ns, -one.slow_mean_ns, -one.why.calls_after, one.service_name, one.name, one.hop_to or ""


def _of_cohort(cohort: Bool, weight: F64) -> F64:
    """The weight of each request in its cohort."""
    counts = np.where(cohort, weight, 0.0)
    return np.asarray(counts / max(float(counts.sum()), 1e-300))

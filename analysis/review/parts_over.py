"""For a percentile that cannot be judged because conditions drift: how much of the time it was over its cap."""

from dataclasses import dataclass

import numpy as np

from overbudget.analysis.common.binomial import RUNS
from overbudget.analysis.common.effective_size import LEAST
from overbudget.analysis.requests.table import RequestTable, iso


@dataclass(frozen=True)
class PartsOver:
    """In how many of `parts` equal runs of requests, in order of arrival, the percentile is over its cap.

    `last` counts the consecutive ones at the very end; `since` is when the first of these begins (None for none).
    """

    percentile: int
    budget_ns: int
    parts: int
    over: int
    last: int
    since: str | None


def parts_over(table: RequestTable, percentile: int, cap_ns: int) -> PartsOver | None:
    """The runs in which more than 100 - p percent of the requests exceed the cap; None with fewer than 40 requests.

    It describes these requests only and has no interval.
    """
    n = len(table)
    if n < LEAST:
        return None
    order = np.argsort(table.start_ns, kind="stable")
    run = np.arange(n) * RUNS // n
    weight = table.weight[order]
    slow = np.bincount(run, weight * (table.latency_ns[order] > cap_ns), RUNS)
    is_over = slow > (100 - percentile) / 100 * np.bincount(run, weight, RUNS)
    last = RUNS if is_over.all() else int(np.argmin(is_over[::-1]))
    first = int(np.searchsorted(run, RUNS - last))
    since = iso(int(table.start_ns[order[first]])) if last else None
    return PartsOver(percentile, cap_ns, RUNS, int(is_over.sum()), last, since)

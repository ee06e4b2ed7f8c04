"""Are the requests that lost spans the slow ones? Then figures over complete requests alone are too fast."""

import math
from dataclasses import dataclass

import numpy as np

from overbudget.analysis.requests.table import RequestTable
from overbudget.kernels.columns import I64, Bool

ALPHA = 0.01
LEAST = 5  # requests on either side


@dataclass(frozen=True)
class IncompleteCompared:
    """Incomplete requests whose entry span is whole, compared with complete ones, route by route.

    `slower` where they are slower beyond chance (`p_value` < 1 %, one-sided); medians are over all routes, in ns.
    """

    incomplete: int
    complete: int
    incomplete_median_ns: int
    complete_median_ns: int
    p_value: float

    @property
    def slower(self) -> bool:
        """Whether incomplete requests are slower than complete ones."""
        return self.p_value < ALPHA


def compare_incomplete(table: RequestTable) -> IncompleteCompared | None:
    """Whether incomplete requests are slower; None with fewer than LEAST of either. `table` holds both kinds: see
    `RequestTable.select(filters, whole_entries=True)`. Requests whose entry span is open or missing are left out, because
    how long they took is not known.

    Method: the rank-sum test (Wilcoxon; Mann and Whitney) corrected for ties, with statistics and variances summed over
    routes (van Elteren, without weights), so that a slow route that loses spans more often does not bias the result.
    """
    known = ~table.open & ~table.missing
    lost, whole = known & ~table.complete, known & table.complete
    if min(np.count_nonzero(lost), np.count_nonzero(whole)) < LEAST:
        return None
    excess = variance = 0.0
    for route in np.unique(table.route.codes[lost]):
        here = known & (table.route.codes == route)
        one, two = _rank_sum(table.latency_ns[here], lost[here])
        excess, variance = excess + one, variance + two
    p_value = 0.5 * math.erfc((excess - 0.5) / math.sqrt(2 * variance)) if variance > 0 else 1.0
    return IncompleteCompared(
        int(np.count_nonzero(lost)),
        int(np.count_nonzero(whole)),
        round(float(np.median(table.latency_ns[lost]))),
        round(float(np.median(table.latency_ns[whole]))),
        p_value,
    )


def _rank_sum(latency_ns: I64, lost: Bool) -> tuple[float, float]:
    """By how much the rank sum of the lost ones exceeds its expectation, and the variance of that."""
    n, m = len(latency_ns), int(np.count_nonzero(lost))
    _, place, ties = np.unique(latency_ns, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    excess = float(ranks[lost].sum()) - m * (n + 1) / 2
    if n < 2:
        return 0.0, 0.0
    of_ties = float((ties.astype(np.float64) ** 3 - ties).sum()) / (n * (n - 1))
    return excess, m * (n - m) / 12 * (n + 1 - of_ties)

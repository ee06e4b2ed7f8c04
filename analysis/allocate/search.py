"""The largest level that keeps the total, found by replaying all requests."""

import math
from collections.abc import Mapping

from overbudget.analysis.common.percentiles import Quantile, quantile_at, quantiles
from overbudget.analysis.requests.table import I64
from overbudget.analysis.whatif.changes import Cap
from overbudget.analysis.whatif.whatif import Workbench

STEPS = 1000  # of the level, from none of the requests to all
TYPICAL = 500  # no stage is held to less than its median
DIGITS = 2  # of a limit, so that a team can remember it


class Search:
    """Limits on the stages in `times` (stage → int64[requests], ns on the critical path), and what comes of them.

    A level is a number of steps: with `STEPS` every stage is held to its maximum, which changes nothing.
    """

    def __init__(self, bench: Workbench, percentile: int, cap_ns: int, times: Mapping[str, I64]) -> None:
        self.bench, self.percentile, self.cap_ns, self.times = bench, percentile, cap_ns, times

    def level(self) -> int | None:
        """The largest level at which the total is kept; None where it is not kept with every stage at its median."""
        if self.keeps(self.held_to(STEPS)):
            return STEPS
        if not self.keeps(self.held_to(TYPICAL)):
            return None
        kept, broken = TYPICAL, STEPS
        while broken - kept > 1:
            middle = (kept + broken) // 2
            if self.keeps(self.held_to(middle)):
                kept = middle
            else:
                broken = middle
        return kept

    def held_to(self, level: int) -> dict[str, int]:
        """Each stage's quantile at the level, over the requests that have the stage."""
        weight = self.bench.table.weight
        return {
            stage: math.floor(quantile_at(took[took > 0], level / STEPS, weight[took > 0]))
            for stage, took in self.times.items()
        }

    def rounded(self, limits: Mapping[str, int]) -> dict[str, int]:
        """The limits with two digits each: rounded up as long as the total is kept with that, the smallest changes first,
        the rest down."""
        up = {stage: _rounded(ns, up=True) for stage, ns in limits.items()}
        down = {stage: _rounded(ns, up=False) for stage, ns in limits.items()}
        order = sorted(limits, key=lambda stage: (up[stage] - down[stage], stage))
        kept, broken = 0, len(order) + 1
        while broken - kept > 1:
            middle = (kept + broken) // 2
            if self.keeps(down | {stage: up[stage] for stage in order[:middle]}):
                kept = middle
            else:
                broken = middle
        return {stage: up[stage] if stage in order[:kept] else down[stage] for stage in limits}

    def keeps(self, limits: Mapping[str, int]) -> bool:
        """Whether the replayed requests keep the total, and others like them will."""
        took, weight = self.bench.shortened(changes_of(limits)), self.bench.table.weight
        if quantile_at(took, self.percentile / 100, weight) > self.cap_ns:
            return False  # most steps of a search; an interval takes longer than a replay
        return highest(self._quantile(took)) <= self.cap_ns

    def replayed(self, limits: Mapping[str, int]) -> Quantile:
        """Latency at the total's percentile with the limits enforced."""
        return self._quantile(self.bench.shortened(changes_of(limits)))

    def _quantile(self, took: I64) -> Quantile:
        table = self.bench.table
        return quantiles(took, (self.percentile,), table.start_ns, table.weight)[0][0]


def highest(latency: Quantile) -> int:
    """The percentile that other requests may have, in ns: the interval's upper end, or the sample's where none is known."""
    return (latency.high_ns if latency.known else latency.value_ns) or 0


def changes_of(limits: Mapping[str, int]) -> tuple[Cap, ...]:
    """The limits as changes of a what-if."""
    return tuple(Cap(stage, ns) for stage, ns in limits.items())


def _rounded(ns: int, up: bool) -> int:
    unit: int = 10 ** max(0, len(str(ns)) - DIGITS)
    whole = -(-ns // unit) if up else ns // unit
    return whole * unit

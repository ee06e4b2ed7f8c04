"""The largest level that keeps the total, found by replaying all requests."""

import math
from collections.abc import Callable, Mapping

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
        return _last(lambda level: self.keeps(self.held_to(level)), TYPICAL, STEPS)

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

        def mixed(count: int) -> dict[str, int]:
            return down | {stage: up[stage] for stage in order[:count]}

        return mixed(_last(lambda count: self.keeps(mixed(count)), 0, len(order) + 1))

    def keeps(self, limits: Mapping[str, int]) -> bool:
        """Whether the replayed requests keep the total, and others like them will."""
        took, weight = self.bench.shortened(changes_of(limits)), self.bench.table.weight
        if quantile_at(took, self.percentile / 100, weight) > self.cap_ns:
            return False  # most steps of a search; an interval takes longer than a replay
        return highest(self.quantile(took)) <= self.cap_ns

    def quantile(self, took: I64) -> Quantile:
        """Latency at the total's percentile where the requests take `took` ns."""
        table = self.bench.table
        return quantiles(took, (self.percentile,), table.start_ns, table.weight)[0][0]


def highest(latency: Quantile) -> int:
    """The percentile that other requests may have, in ns: the interval's upper end, or the sample's where none is known."""
    return (latency.high_ns if latency.known else latency.value_ns) or 0


def changes_of(limits: Mapping[str, int]) -> tuple[Cap, ...]:
    """The limits as changes of a what-if."""
    return tuple(Cap(stage, ns) for stage, ns in limits.items())


def _last(keeps: Callable[[int], bool], kept: int, broken: int) -> int:
    """The last number, from `kept` to below `broken`, that keeps; numbers below one that keeps do, too."""
    while broken - kept > 1:
        middle = (kept + broken) // 2
        kept, broken = (middle, broken) if keeps(middle) else (kept, middle)
    return kept


def _rounded(ns: int, up: bool) -> int:
    unit: int = 10 ** max(0, len(str(ns)) - DIGITS)
    whole = -(-ns // unit) if up else ns // unit
    return whole * unit

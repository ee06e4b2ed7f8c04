"""A percentile before and after, with the one interval that is shown and decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from overbudget.analysis.common.effective_size import EffectiveSize, effective_sizes
from overbudget.analysis.common.percentiles import F64, I64

FALSE_ALARMS = 0.05  # share of comparisons of a system with itself that call a deciding percentile slower or faster
LEAST_MARGIN_NS = 1_000_000
MARGIN = 0.1  # of the base

Verdict = Literal["slower", "faster", "same", "unknown"]


@dataclass(frozen=True)
class PercentileChange:
    """A percentile before and after, in ns; `stage` is "total" for the whole request.

    `deciding` percentiles have the interval that decides, and with it a verdict; the others are estimates. The interval
    is None where requests are too few or too alike, and so is `n_effective` (the smaller side's). `margin_ns` is the change
    up to which two percentiles count as equal. `budget_ns` is the cap, None where none is given.
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
    deciding: bool
    margin_ns: int | None
    n_effective: float | None

    def as_dict(self) -> dict[str, Any]:
        """With the keys of the JSON, without the stage."""
        return {
            "percentile": self.percentile,
            "base_ns": self.base_ns,
            "candidate_ns": self.candidate_ns,
            "change_ns": self.change_ns,
            "ci_low_ns": self.ci_low_ns,
            "ci_high_ns": self.ci_high_ns,
            "verdict": self.verdict,
            "budget_ns": self.budget_ns,
            "deciding": self.deciding,
            "margin_ns": self.margin_ns,
            "n_effective": None if self.n_effective is None else round(self.n_effective, 1),
        }


class Sample:
    """Weighted values in order of arrival: their quantiles, with intervals.

    With unequal weights the effective size is that of L. Kish, "Survey Sampling" (1965): the square of the sum of the
    weights over the sum of their squares. It is smaller still where requests that arrive together are alike
    (`effective_size`).
    """

    def __init__(self, values: I64, weights: F64, started_ns: I64 | None = None) -> None:
        self._arrived = values
        if started_ns is not None and (np.diff(started_ns) < 0).any():
            self._arrived = values[np.argsort(started_ns, kind="stable")]
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

    def size(self, percentile: int) -> EffectiveSize:
        """What the sample is worth for that percentile."""
        at = {p: float(self.quantile(p) or 0) for p in {50, 90, percentile}}
        found = effective_sizes(self._arrived, at)[percentile]
        worth = None if found.n_effective is None else found.n_effective / len(self._arrived) * self.n
        return EffectiveSize(self.n, worth, found.independence)

    def bounds(self, percentile: int, tail: float) -> tuple[int | None, int | None]:
        """The ends of the percentile's interval, each with a chance of at most `tail` of missing it."""
        low, high = self.size(percentile).ranks(percentile, tail)
        return self._value_at(low), self._value_at(high)

    def _value_at(self, rank: int | None) -> int | None:
        if not rank:
            return None
        place = int(np.searchsorted(self._upto, rank / self.n * self._upto[-1] - 1e-9))
        return int(self._values[min(place, len(self._values) - 1)])


def difference(sides: Sequence[Sample], percentile: int, tail: float) -> tuple[int | None, int | None]:
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


def changes(
    stage: str,
    sides: Sequence[Sample],
    percentiles: Sequence[int],
    deciding: Sequence[int],
    tail: float,
    margin: float = MARGIN,
    caps: dict[int, int] | None = None,
) -> list[PercentileChange]:
    """The percentiles before and after. `tail` is the chance that each end of a deciding interval misses."""
    return [_change(stage, sides, p, tail if p in deciding else None, margin, (caps or {}).get(p)) for p in percentiles]


def _change(
    stage: str, sides: Sequence[Sample], percentile: int, tail: float | None, margin: float, cap: int | None
) -> PercentileChange:
    before, after = (side.quantile(percentile) for side in sides)
    moved = None if before is None or after is None else after - before
    within = None if before is None else max(round(margin * before), LEAST_MARGIN_NS)
    if tail is None or moved is None or within is None:
        return PercentileChange(
            stage, percentile, before, after, moved, None, None, "unknown", cap, tail is not None, within, None
        )
    low, high = difference(sides, percentile, tail)
    sizes = [side.size(percentile) for side in sides]
    known = all(size.independence in ("held", "corrected") for size in sizes)
    worths = [size.n_effective for size in sizes if size.n_effective is not None]
    verdict = verdict_of(low, high, within) if known else "unknown"
    worth = min(worths) if len(worths) == len(sizes) else None
    return PercentileChange(stage, percentile, before, after, moved, low, high, verdict, cap, True, within, worth)


def verdict_of(low: int | None, high: int | None, margin_ns: int) -> Verdict:
    """Slower or faster where the interval excludes 0, the same where it stays within the margin."""
    if low is None or high is None:
        return "unknown"
    if low > 0:
        return "slower"
    if high < 0:
        return "faster"
    return "same" if -margin_ns <= low and high <= margin_ns else "unknown"

"""Percentiles with what can be known of them, and the requests that stand for a percentile.

Quantiles interpolate linearly between order statistics (definition 7 of Hyndman and Fan, "Sample Quantiles in
Statistical Packages", The American Statistician 50 (1996)); numpy and DuckDB's `quantile_cont` do the same.

The confidence interval is the classic distribution-free one (W. R. Thompson, Annals of Mathematical Statistics 7
(1936); H. A. David and H. N. Nagaraja, "Order Statistics", 3rd ed., section 7.1): the number of the n values at or
below the true quantile is binomial(n, q) where the distribution is continuous, so the l-th smallest value lies at or
below the quantile except with probability P(B <= l-1), the u-th smallest at or above it except with P(B >= u). Each
of the two is kept to 2.5 % at most by the exact binomial distribution; with ties the interval only covers more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrc

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

TAIL = 0.025  # what each end of a 95 % interval may miss
LEAST_IN_BAND = 5  # requests that a statement about a band needs


@dataclass(frozen=True)
class Quantile:
    """A percentile of n values. `low_ns` or `high_ns` is None where n values cannot bound it on that side.

    `value_ns` is the sample's own percentile; without both bounds it says nothing about other requests.
    """

    percentile: int
    n: int
    value_ns: int | None
    low_ns: int | None
    high_ns: int | None

    @property
    def known(self) -> bool:
        """Whether the interval exists."""
        return self.low_ns is not None and self.high_ns is not None


@lru_cache(maxsize=4096)
def interval_ranks(n: int, percentile: int, tail: float = TAIL) -> tuple[int | None, int | None]:
    """The ranks (from 1, the smallest value) that bound the percentile with 95 % confidence; None where none does.

    The lower rank is the largest, the upper the smallest, whose own chance of missing is at most `tail`.
    """
    q = percentile / 100
    low = _largest(n, lambda rank: bdtr(rank - 1, n, q) <= tail)
    not_high = _largest(n, lambda rank: bdtrc(rank - 1, n, q) > tail)
    return low or None, not_high + 1 if not_high < n else None


def _largest(n: int, holds) -> int:  # type: ignore[no-untyped-def]
    """The largest rank in 1..n for which `holds`, which is true up to some rank and false from there; 0 for none."""
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def least_n(percentile: int) -> int:
    """How many values the interval of a percentile needs: 6 for p50, 72 for p95, 368 for p99.

    The sample must be unlikely (2.5 % at most) to lie wholly on one side: max(q, 1-q) ** n <= 0.025.
    """
    q = max(percentile, 100 - percentile) / 100
    return math.ceil(math.log(TAIL) / math.log(q))


def quantiles(values: I64, percentiles: Sequence[int]) -> list[list[Quantile]]:
    """Per column of `values` (int64[n] or int64[n, columns]) the given percentiles with their intervals."""
    matrix = values[:, None] if values.ndim == 1 else values
    n = len(matrix)
    if n == 0:
        return [[Quantile(p, 0, None, None, None) for p in percentiles] for _ in range(matrix.shape[1])]
    places = {p: divmod((n - 1) * p, 100) for p in percentiles}
    bounds = {p: interval_ranks(n, p) for p in percentiles}
    ordered = matrix.T.copy()  # sorted in place, a column at a time
    ordered.sort(axis=1)
    result = []
    for column in ordered:
        found = []
        for p in percentiles:
            place, hundredths = places[p]
            below = int(column[place])
            value = below + ((int(column[min(place + 1, n - 1)]) - below) * hundredths + 50) // 100
            low, high = bounds[p]
            found.append(
                Quantile(p, n, value, int(column[low - 1]) if low else None, int(column[high - 1]) if high else None)
            )
        result.append(found)
    return result


@dataclass(frozen=True)
class Band:
    """The requests near a percentile: `rows` (ascending) into the requests ranked, `weights` that sum to 1."""

    rows: npt.NDArray[np.int64]
    weights: F64

    @property
    def known(self) -> bool:
        """Whether the band is large enough to say anything."""
        return len(self.rows) >= LEAST_IN_BAND

    def mean(self, values: npt.NDArray[np.integer]) -> F64:
        """The weighted mean of `values[rows]`, per column where there are several."""
        return np.asarray(self.weights @ values[self.rows].astype(np.float64))


class Ranking:
    """Requests ranked by latency, from which the band around any percentile is taken.

    Request i of n (from 0, by latency) stands at the percentile (i + 0.5) / n * 100, so that ranks are symmetric about
    p50. Requests of equal latency share the weights of their ranks equally: no order among them is made up, and the
    answer does not depend on the order of the input.
    """

    def __init__(self, latency_ns: I64) -> None:
        self.order = np.argsort(latency_ns, kind="stable")
        ordered = latency_ns[self.order]
        n = len(ordered)
        self.place = (np.arange(n) + 0.5) / max(n, 1) * 100
        first = np.ones(n, bool)
        first[1:] = ordered[1:] != ordered[:-1]
        self.tie = np.cumsum(first) - 1  # which run of equal latencies each rank is in
        self.run = np.append(np.flatnonzero(first), n)  # where each run starts

    def band(self, percentile: int) -> Band:
        """The breakdown's band: half-width min(5, p, 100 - p) points, weights by Epanechnikov's kernel 1 - u².

        (V. A. Epanechnikov, Theory of Probability and its Applications 14 (1969): least mean squared error.)
        """
        half = min(5, percentile, 100 - percentile)
        u = (self.place - percentile) / half if half else np.full(len(self.place), np.inf)
        return self._band(np.maximum(1 - u**2, 0))

    def between(self, low: float, high: float) -> Band:
        """All requests from percentile `low` to `high`, equally weighted; `between(40, 60)` is the typical band."""
        return self._band(((self.place >= low) & (self.place <= high)).astype(np.float64))

    def _band(self, weights: F64) -> Band:
        inside = np.flatnonzero(weights)
        if len(inside) == 0:
            return Band(np.zeros(0, np.int64), np.zeros(0))
        start, stop = self.run[self.tie[inside[0]]], self.run[self.tie[inside[-1]] + 1]
        tie = self.tie[start:stop] - self.tie[start]
        shared = (np.bincount(tie, weights[start:stop]) / np.bincount(tie))[tie]
        rows = self.order[start:stop]
        by_row = np.argsort(rows)
        return Band(rows[by_row], shared[by_row] / shared.sum())


def whole_parts(parts: F64, total: int) -> list[int]:
    """`parts` rounded to whole numbers that sum to `total`: the largest remainders are rounded up.

    For parts whose sum is `total` up to rounding, each result is less than 1 away from its part.
    """
    floors = np.floor(parts).astype(np.int64)
    missing = total - int(floors.sum())
    order = np.argsort(-(parts - floors), kind="stable")
    if missing > 0:
        floors[order[:missing]] += 1
    elif missing < 0:
        floors[order[::-1][:-missing]] -= 1
    return [int(part) for part in floors]

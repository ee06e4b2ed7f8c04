"""The requests that stand for a percentile: those nearest to it in rank, weighted, and what they are made of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

TYPICAL = (40, 60)  # percentiles of the typical requests, which slow ones are compared with
LEAST_IN_BAND = 5  # requests that any statement about a band needs


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

    def among(self, usable: npt.NDArray[np.bool_]) -> "Band":
        """The requests of the band that are `usable`, their weights summing to 1 again."""
        kept = usable[self.rows]
        if kept.all():
            return self
        weights = self.weights[kept]
        return Band(self.rows[kept], weights / weights.sum() if len(weights) else weights)

    def extreme(self, latency_ns: I64) -> tuple[int, float] | None:
        """The latency of a request that makes up more than a third of the band's spread, and that share; else None.

        The spread is the weighted sum of squared distances from the mean; a request within a tenth of the mean is never extreme.
        """
        if len(self.rows) == 0:
            return None
        values = latency_ns[self.rows].astype(np.float64)
        mean = float(self.weights @ values)
        spread = self.weights * (values - mean) ** 2
        place = int(np.argmax(spread))
        if spread[place] * 3 <= spread.sum() or abs(values[place] - mean) <= mean / 10:
            return None
        return int(values[place]), float(spread[place] / spread.sum())


class Ranking:
    """Requests ranked by latency, from which the band around any percentile is taken.

    Request i of n (from 0, by latency) is at the percentile (i + 0.5) / n * 100, so that ranks are symmetric about p50.
    Requests of equal latency share the weights of their ranks equally, so the answer does not depend on the order of the
    input. A sampled request that stands for several (`weight`) takes as many ranks; equal weights change nothing.
    """

    def __init__(self, latency_ns: I64, weight: F64 | None = None) -> None:
        self.order = np.argsort(latency_ns, kind="stable")
        ordered = latency_ns[self.order]
        n = len(ordered)
        self.place = (np.arange(n) + 0.5) / max(n, 1) * 100
        self.weight: F64 | None = None
        self.upto = np.zeros(
            0
        )  # the percentiles up to which each request reaches, where they stand for different numbers
        if weight is not None and n and (weight != weight[0]).any():
            self.weight = weight[self.order]
            self.upto = np.cumsum(self.weight) / self.weight.sum() * 100
        first = np.ones(n, bool)
        first[1:] = ordered[1:] != ordered[:-1]
        self.tie = np.cumsum(first) - 1  # the group of equal latencies that each rank is in
        self.run = np.append(np.flatnonzero(first), n)  # where each group starts

    def band(self, percentile: int) -> Band:
        """The breakdown's band: half-width min(5, p, 100 - p) points, weights by Epanechnikov's kernel 1 - u².

        (V. A. Epanechnikov, Theory of Probability and its Applications 14 (1969): least mean squared error.)
        """
        half = min(5, percentile, 100 - percentile)
        n = len(self.place)  # whole numbers up to the division: the edges of a band are the same on both sides of p50
        if self.weight is not None:
            return self._band(self._share(lambda u: u - u**3 / 3, percentile, half))
        u = ((2 * np.arange(n) + 1) * 50 - percentile * n) / max(half * n, 1)
        return self._band(np.maximum(1 - u**2, 0))

    def between(self, low: float, high: float) -> Band:
        """All requests from percentile `low` to `high`, equally weighted; `between(40, 60)` is the typical band."""
        if self.weight is not None:
            return self._band(self._share(lambda u: u, (low + high) / 2, (high - low) / 2))
        return self._band(((self.place >= low) & (self.place <= high)).astype(np.float64))

    def _share(self, kernel: Callable[[F64], F64], middle: float, half: float) -> F64:
        """How much of a band each request takes up: the integral of the kernel over its ranks; `kernel` is that integral."""
        edges = np.clip((np.append(0.0, self.upto) - middle) / half, -1, 1)
        return np.maximum(np.diff(kernel(edges)), 0)

    def _band(self, weights: F64) -> Band:
        inside = np.flatnonzero(weights)
        if len(inside) == 0:
            return Band(np.zeros(0, np.int64), np.zeros(0))
        start, stop = self.run[self.tie[inside[0]]], self.run[self.tie[inside[-1]] + 1]
        tie = self.tie[start:stop] - self.tie[start]
        own = np.ones(stop - start) if self.weight is None else self.weight[start:stop]
        shared = (np.bincount(tie, weights[start:stop]) / np.bincount(tie, own))[tie] * own
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

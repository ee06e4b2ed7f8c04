"""How many independent requests some requests are worth.

Requests that arrive together share what slows them (a busy pool, a cold cache), so a thousand of them may be worth no
more than a hundred independent ones. In order of arrival they are cut into 20 runs of equal count. If they were
independent, the runs' sums would vary by chance alone; `tau` is how many times as much they vary. This is the method
of batch means (A. M. Law and W. D. Kelton, "Simulation Modeling and Analysis"; N. M. Steiger and J. R. Wilson,
Operations Research 50 (2002)). No method sees what these requests do not contain: an interval is about their time.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from overbudget.analysis.common.binomial import (
    RUNS,
    TAIL,
    interval_ranks,
    least_n,
    scaled_ranks,
    share_interval,
    student_tail,
)

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

Independence = Literal["held", "corrected", "assumed", "unknown"]

BY_CHANCE = (
    1.6  # the 95 % point of chi-square with 19 degrees of freedom, over 19: up to here runs vary by chance alone
)
LEAST = 40  # requests, or the worth of so many: with fewer, neither dependence nor an interval is given
MOST_DRIFT = 0.4  # correlation of neighbouring runs beyond which the window has too few changes of conditions


@dataclass(frozen=True)
class EffectiveSize:
    """What n requests are worth for one percentile or share.

    `independence` says what an interval rests on: `held` (nothing contradicts independence, n_effective = n), `corrected`
    (they are worth n_effective < n), `assumed` (too few to know: the interval is valid only if they are independent;
    n_effective None), `unknown` (too alike: no interval; n_effective None).
    """

    n: int
    n_effective: float | None
    independence: Independence

    def ranks(self, percentile: int, tail: float = TAIL) -> tuple[int | None, int | None]:
        """The ranks (from 1) that bound the percentile; None where nothing does."""
        if self.independence == "unknown":
            return None, None
        if self.independence == "corrected" and self.n_effective is not None:
            return scaled_ranks(self.n, self.n_effective, percentile, tail)
        return interval_ranks(self.n, percentile, tail)

    def share_interval(self, k: int, tail: float = TAIL) -> tuple[float, float] | None:
        """The interval of the true share where k of the n have something; None where it is unknown."""
        if self.independence == "unknown" or self.n == 0:
            return None
        if self.independence == "corrected" and self.n_effective is not None:
            small = max(1, math.floor(self.n_effective))
            tail = student_tail(tail)
            below, above = k * small // self.n, -(-k * small // self.n)
            return share_interval(below, small, tail)[0], share_interval(above, small, tail)[1]
        return share_interval(k, self.n, tail)

    def scaled(self, share: float) -> "EffectiveSize":
        """The size of a sample that is worth only `share` of its number, because its requests differ in weight."""
        n = max(1, round(self.n * share))
        worth = None if self.n_effective is None else self.n_effective * share
        if self.independence != "unknown" and (worth is None or worth < LEAST):
            return EffectiveSize(n, None, "assumed")
        return EffectiveSize(n, worth, self.independence)

    def needs(self, percentile: int) -> int:
        """How many requests like these the percentile's interval needs."""
        if self.independence != "corrected" or self.n_effective is None:
            return max(least_n(percentile), LEAST)
        return max(math.ceil(least_n(percentile, student_tail(TAIL)) * self.n / self.n_effective), LEAST)


@dataclass(frozen=True)
class Variation:
    """How 20 runs of a series vary: `tau` times as much as by chance, neighbours correlated by `drift`."""

    tau: float
    drift: float


def variation(series: npt.NDArray[np.generic]) -> Variation:
    """How the runs of `series` (n values in order of arrival: true or false, or numbers) vary about their mean.

    tau = sum over runs of (c_j - m k_j)^2 * 20/19 / (n v): c_j the sum of run j, k_j its size, m and v the mean and the
    variance of the whole (m (1 - m) for true and false). 1 and no drift where nothing varies or n < 20.
    """
    n = len(series)
    if n < RUNS:
        return Variation(1.0, 0.0)
    edges = np.arange(RUNS + 1) * n // RUNS
    if series.dtype == np.bool_:
        sums = np.array([np.count_nonzero(series[a:b]) for a, b in itertools.pairwise(edges)], np.float64)
        mean = float(sums.sum()) / n
        spread = mean * (1 - mean)
    else:
        numbers = series.astype(np.float64)
        sums = np.add.reduceat(numbers, edges[:-1])
        mean, spread = float(numbers.mean()), float(numbers.var())
    if spread <= 0:
        return Variation(1.0, 0.0)
    sizes = np.diff(edges)
    off = sums - mean * sizes
    tau = float(off @ off) * RUNS / (RUNS - 1) / (n * spread)
    return Variation(tau, drift_of(sums / sizes))


def drift_of(means: F64) -> float:
    """The correlation of neighbouring runs, from the mean of each; 0 where they are all the same."""
    off = means - means.mean()
    square = float(off @ off)
    return float(off[1:] @ off[:-1]) / square if square > 0 else 0.0


def too_alike(n: int, tau: float, drift: float) -> bool:
    """Whether n requests are too alike to know what they are worth, by how their runs vary."""
    return tau > BY_CHANCE and (n / tau < LEAST or drift > MOST_DRIFT)


def effective_sizes(series: npt.NDArray[np.number], at: Mapping[int, float]) -> dict[int, EffectiveSize]:
    """What the n values of `series`, in order of arrival, are worth for each percentile.

    `at` gives each percentile's value in the sample; p50 and p90 must be among them, because they take part in
    deciding whether there is an interval at all.
    """
    if len(series) < LEAST:
        return {p: EffectiveSize(len(series), None, "assumed") for p in at}
    found = {p: variation(series > value) for p, value in at.items()}
    usual = (found[50], found[90])
    return {p: _worth(len(series), one, usual, found[90] if p > 90 else None) for p, one in found.items()}


def clustered_sizes(series: npt.NDArray[np.number], cluster: I64, at: Mapping[int, float]) -> dict[int, EffectiveSize]:
    """What n values are worth of which those of one cluster (int64[n]) resemble each other: calls of one request.

    By how their runs vary, as in `effective_sizes`; and by how the clusters do, which tells dependence within them even where
    each is far shorter than a run (the design effect of L. Kish, "Survey Sampling", 1965, section 5.4):
    sum over clusters of (c_j - m k_j)^2 * G/(G - 1) / (n m (1 - m)) for G clusters. With fewer than 40 clusters `assumed`.
    """
    n = len(series)
    kinds, code = np.unique(cluster, return_inverse=True)
    if len(kinds) < LEAST:
        return {p: EffectiveSize(n, None, "assumed") for p in at}
    sizes = effective_sizes(series, at)
    if len(kinds) == n:
        return sizes
    effect = {p: design_effect(series > value, code, len(kinds)) for p, value in at.items()}
    return {p: _less(size, max(effect[p], effect[90] if p > 90 else 1.0)) for p, size in sizes.items()}


def design_effect(happened: npt.NDArray[np.bool_], code: I64, clusters: int) -> float:
    """How many times as much the sums of clusters vary as those of independent values; `code` counts clusters from 0."""
    n, mean = len(happened), float(np.mean(happened))
    if not 0 < mean < 1 or clusters < 2:
        return 1.0
    off = np.bincount(code, happened, clusters) - mean * np.bincount(code, minlength=clusters)
    return float(off @ off) * clusters / (clusters - 1) / (n * mean * (1 - mean))


def _less(size: EffectiveSize, effect: float) -> EffectiveSize:
    if size.n_effective is None or effect <= 1:
        return size
    worth = min(size.n_effective, size.n / effect)
    return EffectiveSize(size.n, worth, "corrected") if worth >= LEAST else EffectiveSize(size.n, None, "unknown")


def effective_size(happened: npt.NDArray[np.bool_]) -> EffectiveSize:
    """What requests in order of arrival are worth for the share of those with something (`happened`)."""
    if len(happened) < LEAST:
        return EffectiveSize(len(happened), None, "assumed")
    return _worth(len(happened), variation(happened))


def _worth(n: int, own: Variation, usual: tuple[Variation, ...] = (), upper: Variation | None = None) -> EffectiveSize:
    """The rule: `own` (and for higher percentiles `upper`, p90) gives the worth; all together decide whether it is known."""
    tau = max(1.0, own.tau, upper.tau if upper else 1.0)
    most = max(tau, *(one.tau for one in usual), 1.0)
    if most <= BY_CHANCE:
        return EffectiveSize(n, float(n), "held")
    if too_alike(n, most, max(own.drift, *(one.drift for one in usual), -1.0)):
        return EffectiveSize(n, None, "unknown")
    return EffectiveSize(n, n / tau, "corrected")

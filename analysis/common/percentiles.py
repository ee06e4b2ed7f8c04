"""Percentiles with their intervals.

Quantiles interpolate linearly between order statistics (definition 7 of Hyndman and Fan, "Sample Quantiles in
Statistical Packages", The American Statistician 50 (1996)); numpy and DuckDB's `quantile_cont` do the same. Their 95 %
intervals use the effective size of the sample: see effective_size and binomial.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overbudget.analysis.common.binomial import least_n
from overbudget.analysis.common.effective_size import (
    EffectiveSize,
    Independence,
    clustered_sizes,
    effective_size,
    effective_sizes,
)

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

PERCENTILES = (50, 75, 90, 95, 99)  # in every answer about whole requests
_DECIDING = (50, 90)  # always take part in deciding what a sample is worth


@dataclass(frozen=True)
class Quantile:
    """A percentile of n values. `low_ns` or `high_ns` is None where the values cannot bound it on that side.

    `value_ns` is the sample's percentile; without both bounds it says nothing about other requests. `n_effective` is how
    many independent requests the n are worth, None where that is unknown; `independence` says what the interval rests on
    (see EffectiveSize), `needs` how many requests a full one needs. `at_least` where a request without an end may decide
    it. `least_ns` and `most_ns` are the fastest and the slowest value.
    """

    percentile: int
    n: int
    value_ns: int | None
    low_ns: int | None
    high_ns: int | None
    n_effective: float | None = None
    independence: Independence = "held"
    needs: int = 0
    at_least: bool = False
    least_ns: int | None = None
    most_ns: int | None = None

    @property
    def known(self) -> bool:
        """Whether the interval exists without merely assuming that the requests are independent."""
        return self.low_ns is not None and self.high_ns is not None and self.independence != "assumed"

    @property
    def reached(self) -> bool:
        """Whether the sample is large enough to reach that percentile, regardless of its worth."""
        return self.n >= least_n(self.percentile)


@dataclass(frozen=True)
class Share:
    """The share of n requests that have something, with its 95 % interval; None where that is unknown."""

    share: float
    low: float | None
    high: float | None
    n: int
    n_effective: float | None

    def as_dict(self) -> dict[str, float | int | None]:
        """With the keys of the JSON."""
        return {
            "share": self.share,
            "ci_low": self.low,
            "ci_high": self.high,
            "n": self.n,
            "n_effective": None if self.n_effective is None else round(self.n_effective, 1),
        }


def share_of(happened: npt.NDArray[np.bool_], started_ns: I64, weights: F64 | None = None) -> Share | None:
    """The share of requests with something; None where there is no request. Below 40 requests as if independent.

    `weights` says how many requests each stands for (see `quantiles`).
    """
    if len(happened) == 0:
        return None
    if weights is not None and (weights != weights[0]).any():
        size = effective_size(happened[np.argsort(started_ns, kind="stable")]).scaled(worth_of(weights))
        share = float(weights[happened].sum() / weights.sum())
        low, high = size.share_interval(round(share * size.n)) or (None, None)
        return Share(share, low, high, len(happened), size.n_effective)
    size = effective_size(happened[np.argsort(started_ns, kind="stable")])
    count = int(np.count_nonzero(happened))
    low, high = size.share_interval(count) or (None, None)
    return Share(count / len(happened), low, high, len(happened), size.n_effective)


def quantiles(
    values: I64,
    percentiles: Sequence[int],
    started_ns: I64 | None = None,
    weights: F64 | None = None,
    clusters: I64 | None = None,
) -> list[list[Quantile]]:
    """Per column of `values` (int64[n] or int64[n, columns]) the given percentiles with their intervals.

    `started_ns` (int64[n]) gives the order in which the requests arrived; without it they are in that order. `weights`
    (float64[n], positive) says how many requests each stands for; where all are equal they change nothing. `clusters` (int64[n])
    names the cluster of each value: values of one resemble each other.
    """
    matrix = values[:, None] if values.ndim == 1 else values
    if len(matrix) == 0:
        return [
            [Quantile(p, 0, None, None, None, None, "assumed") for p in percentiles] for _ in range(matrix.shape[1])
        ]
    if started_ns is not None and (np.diff(started_ns) < 0).any():
        order = np.argsort(started_ns, kind="stable")
        matrix, weights = matrix[order], None if weights is None else weights[order]
        clusters = None if clusters is None else clusters[order]
    if weights is not None and (weights != weights[0]).any():
        return [_of_weighted(np.ascontiguousarray(column), percentiles, weights, clusters) for column in matrix.T]
    return [_of_column(np.ascontiguousarray(column), percentiles, clusters) for column in matrix.T]


def _sizes(column: I64, at: dict[int, int], clusters: I64 | None) -> dict[int, EffectiveSize]:
    return effective_sizes(column, at) if clusters is None else clustered_sizes(column, clusters, at)


def _of_column(column: I64, percentiles: Sequence[int], clusters: I64 | None) -> list[Quantile]:
    n = len(column)
    ordered = np.sort(column)
    at = {p: _interpolated(ordered, p) for p in {*percentiles, *_DECIDING}}
    sizes = _sizes(column, at, clusters)
    return [_quantile(ordered, n, p, at[p], sizes[p]) for p in percentiles]


def _quantile(ordered: I64, n: int, percentile: int, value: int, size: EffectiveSize) -> Quantile:
    low, high = size.ranks(percentile)
    return Quantile(
        percentile,
        n,
        value,
        min(int(ordered[low - 1]), value)
        if low
        else None,  # of very few values, the percentile lies between two of them and an end on one
        max(int(ordered[high - 1]), value) if high else None,
        size.n_effective,
        size.independence,
        size.needs(percentile),
        least_ns=int(ordered[0]),
        most_ns=int(ordered[-1]),
    )


def _of_weighted(column: I64, percentiles: Sequence[int], weights: F64, clusters: I64 | None = None) -> list[Quantile]:
    """Quantiles of requests that stand for different numbers of requests, interpolated linearly between them.

    Their effective size is that of L. Kish, "Survey Sampling" (1965): the square of the sum of the weights over the sum of
    their squares; it is smaller still where requests that arrive together are alike.
    """
    n, share = len(column), worth_of(weights)
    ordered, place, upto = _weighted_places(column, weights)
    at = {p: round(float(np.interp(p / 100, place, ordered))) for p in {*percentiles, *_DECIDING}}
    sizes = _sizes(column, at, clusters)

    def value_at(rank: int | None, of: int) -> int | None:
        if not rank:
            return None
        return int(ordered[min(int(np.searchsorted(upto, rank / of * upto[-1] * (1 - 1e-12))), n - 1)])

    found = []
    for p in percentiles:
        size = sizes[p].scaled(share)
        low, high = (value_at(rank, size.n) for rank in size.ranks(p))
        found.append(
            Quantile(
                p, n, at[p], None if low is None else min(low, at[p]), None if high is None else max(high, at[p]), size.n_effective, size.independence,
                math.ceil(size.needs(p) / share), least_ns=int(ordered[0]), most_ns=int(ordered[-1]),
            )
        )  # fmt: skip
    return found


def _weighted_places(column: I64, weights: F64) -> tuple[I64, F64, F64]:
    """The values in order, the quantile each one is, and the sum of weights up to it."""
    order = np.argsort(column, kind="stable")
    ordered, weight = column[order], weights[order]
    upto = np.cumsum(weight)
    place = (upto - weight) / (upto[-1] - weight[-1]) if len(column) > 1 else np.zeros(1)
    return ordered, place, upto


def quantile_at(values: I64, share: float, weights: F64) -> float:
    """The quantile of at least one value at any `share` from 0 to 1, without an interval."""
    if (weights == weights[0]).all():
        return float(np.quantile(values, share))
    ordered, place, _ = _weighted_places(values, weights)
    return float(np.interp(share, place, ordered))


def worth_of(weights: F64) -> float:
    """What requests of these weights are worth, as a share of their number: 1 where all are equal (Kish)."""
    return float(weights.sum() ** 2 / (len(weights) * (weights @ weights)))


def _interpolated(ordered: I64, percentile: int) -> int:
    """Half a nanosecond is rounded up."""
    place, hundredths = divmod((len(ordered) - 1) * percentile, 100)
    below, above = int(ordered[place]), int(ordered[min(place + 1, len(ordered) - 1)])
    return below + ((above - below) * hundredths + 50) // 100

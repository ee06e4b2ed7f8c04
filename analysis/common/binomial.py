"""Binomial tails and the ranks that bound a percentile, exact and without a statistics library.

The confidence interval is the classic distribution-free one (W. R. Thompson, Annals of Mathematical Statistics 7
(1936); H. A. David and H. N. Nagaraja, "Order Statistics", 3rd ed., section 7.1): the number of the n values at or
below the true quantile is binomial(n, q) where the distribution is continuous, so the l-th smallest value lies at or
below the quantile except with probability P(B <= l-1), the u-th smallest at or above it except with P(B >= u). Each
of the two is kept to its tail by the exact binomial distribution; with ties the interval only covers more.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

TAIL = 0.025  # the chance that each end of a 95 % interval misses
RUNS = 20  # runs of requests by which their dependence is measured: 19 degrees of freedom
_FAR = 14  # standard deviations beyond which a binomial probability is nothing (below 1e-15)


@lru_cache(maxsize=4096)
def interval_ranks(n: int, percentile: int, tail: float = TAIL) -> tuple[int | None, int | None]:
    """The ranks (from 1, the smallest value) that bound the percentile of n independent values; None where none does.

    The lower rank is the largest, the upper the smallest, whose chance of missing is at most `tail`.
    """
    if n < 1:
        return None, None
    first, at_most, at_least = _tails(n, percentile / 100)
    beyond = first + len(at_least)
    low = first + int(np.count_nonzero(at_most <= tail))  # P(B <= rank - 1) <= tail
    high = beyond - int(np.count_nonzero(at_least <= tail))  # P(B >= rank) <= tail
    return low or None, high if high <= n else None


def scaled_ranks(n: int, n_effective: float, percentile: int, tail: float = TAIL) -> tuple[int | None, int | None]:
    """The ranks that bound the percentile of n values that are worth `n_effective` independent ones.

    The ranks of the smaller sample are scaled by n / n_effective; each tail is that of Student's t with 19 degrees of
    freedom, because the effective size is itself estimated from 20 runs.
    """
    small = max(1, min(n, math.floor(n_effective)))
    low, high = interval_ranks(small, percentile, student_tail(tail))
    return (
        None if low is None else max(1, low * n // small),
        None if high is None else min(n, n + 1 - (small + 1 - high) * n // small),
    )


def least_n(percentile: int, tail: float = TAIL) -> int:
    """How many independent values the interval of a percentile needs: 6 for p50, 72 for p95, 368 for p99.

    The sample must be unlikely (`tail` at most) to lie wholly on one side: max(q, 1-q) ** n <= tail.
    """
    q = max(percentile, 100 - percentile) / 100
    return math.ceil(math.log(tail) / math.log(q))


def share_interval(k: int, n: int, tail: float = TAIL) -> tuple[float, float]:
    """The interval of the true share where k of n independent requests have something (Clopper and Pearson, 1934)."""
    if n == 0:
        return 0.0, 1.0
    low = _share_where(lambda share: _reach(k, n, share) <= tail) if k else 0.0
    high = 1.0 - _share_where(lambda share: _reach(n - k, n, share) <= tail) if k < n else 1.0
    return low, high


@lru_cache(maxsize=64)
def student_tail(tail: float) -> float:
    """The tail of the normal distribution beyond the point where Student's t with 19 degrees of freedom has `tail`.

    Widens an interval whose variance was estimated from 20 runs: 0.025 becomes 0.0182.
    """
    return math.erfc(student_quantile(tail) / math.sqrt(2)) / 2


@lru_cache(maxsize=64)
def student_quantile(tail: float) -> float:
    """The point beyond which Student's t with 19 degrees of freedom has the probability `tail` (0 to 0.5)."""
    low, high = 0.0, 1e4
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_beyond(middle) > tail else (low, middle)
    return (low + high) / 2


def _student_beyond(t: float, degrees: int = RUNS - 1) -> float:
    """P(T > t) for an odd number of degrees of freedom (Abramowitz and Stegun, 26.7.3)."""
    angle = math.atan(t / math.sqrt(degrees))
    term = series = math.cos(angle)
    for even in range(2, degrees - 1, 2):
        term *= math.cos(angle) ** 2 * even / (even + 1)
        series += term
    return 0.5 - (angle + math.sin(angle) * series) / math.pi


def _tails(n: int, q: float) -> tuple[int, F64, F64]:
    """`first`, and from there on P(B <= k) and P(B >= k) of binomial(n, q): leaving out the k that are practically impossible."""
    reach = _FAR * math.sqrt(n * q * (1 - q)) + _FAR**2 / 2
    first, last = max(0, math.floor(n * q - reach)), min(n, math.ceil(n * q + reach))
    k = np.arange(first, last, dtype=np.float64)
    logs = np.concatenate([[0.0], np.cumsum(np.log((n - k) / (k + 1)) + math.log(q / (1 - q)))])
    probability = np.exp(logs - logs.max())
    probability /= probability.sum()
    return first, np.cumsum(probability), np.cumsum(probability[::-1])[::-1]


def _reach(k: int, n: int, share: float) -> float:
    """P(B >= k) of binomial(n, share)."""
    first, _, at_least = _tails(n, share)
    return float(at_least[k - first]) if first <= k < first + len(at_least) else float(k < first)


def _share_where(holds: Callable[[float], bool]) -> float:
    """The largest share in (0, 1) for which `holds`, which is true up to some share and false from there."""
    low, high = 0.0, 1.0
    for _ in range(44):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low

"""Tails of three distributions, and false discovery rates, in numpy alone: scipy.stats takes half a second to import.

The incomplete beta function is the continued fraction of Abramowitz and Stegun, 26.5.8, evaluated by Lentz's method.
"""

import math

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Z95 = 1.96  # standard errors each way that hold 95 % of a normal distribution
TINY = 1e-300
MOST_STEPS = 20_000  # of the fraction, which needs about the square root of the larger parameter


def student_above(t: npt.ArrayLike, freedom: npt.ArrayLike) -> F64:
    """P(T > t) of Student's t with `freedom` degrees (any positive number); NaN where an argument is."""
    t, freedom = np.broadcast_arrays(np.asarray(t, np.float64), np.asarray(freedom, np.float64))
    with np.errstate(invalid="ignore", over="ignore"):
        half = 0.5 * _beta_share(freedom / (freedom + t**2), freedom / 2, np.float64(0.5))
    return np.where(np.isnan(t), np.nan, np.where(t > 0, half, 1 - half))


def binomial_up_to(k: int, n: int, share: float) -> float:
    """P(B <= k) of a binomial with `n` draws of chance `share`."""
    if k < 0:
        return 0.0
    return 1.0 if k >= n else float(_beta_share(np.float64(1 - share), np.float64(n - k), np.float64(k + 1)))


def hypergeometric_from(hits: I64, of: int, marked: I64, drawn: int) -> F64:
    """P(H >= hits) where `drawn` are drawn from `of`, of which `marked` are marked: Fisher's exact test, one-sided."""
    pairs, back = np.unique(np.stack([np.asarray(hits), np.asarray(marked)]), axis=1, return_inverse=True)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, of + 1)))])

    def log_choose(n: npt.ArrayLike, k: npt.ArrayLike) -> F64:
        n, k = np.asarray(n), np.asarray(k)
        return np.asarray(log_factorial[n] - log_factorial[k] - log_factorial[n - k])

    chance = np.ones(pairs.shape[1])
    for place, (least, those) in enumerate(pairs.T.tolist()):
        lowest, highest = max(0, drawn + those - of), min(drawn, those)
        if least > lowest:
            h = np.arange(least, highest + 1)
            each = log_choose(those, h) + log_choose(of - those, drawn - h) - log_choose(of, drawn)
            chance[place] = min(1.0, float(np.exp(each).sum()))
    return np.asarray(chance[back.ravel()])


def false_discovery_shares(p: F64) -> F64:
    """The share of false discoveries among each and all stronger ones (Benjamini and Hochberg 1995)."""
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty_like(p)
    found[order] = np.minimum(1, np.minimum.accumulate(scaled[::-1])[::-1])
    return found


def _beta_share(x: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike) -> F64:
    """The regularised incomplete beta function I_x(a, b), for 0 <= x <= 1."""
    x, a, b = (np.array(one, np.float64) for one in np.broadcast_arrays(x, a, b))
    turned = x > (a + 1) / (a + b + 2)  # where the fraction converges slowly its mirror converges fast
    x = np.where(turned, 1 - x, x)
    a, b = np.where(turned, b, a), np.where(turned, a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        front = np.exp(a * np.log(x) + b * np.log1p(-x) - _log_beta(a, b)) / a
        share = np.where(x > 0, front * _fraction(x, a, b), 0.0)
    return np.where(turned, 1 - share, share)


def _fraction(x: F64, a: F64, b: F64) -> F64:
    c = np.ones_like(x)
    d = 1 / _not_zero(1 - (a + b) * x / (a + 1))
    product = d.copy()
    for m in range(1, MOST_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            product = product * c * d
        if not np.any(np.abs(c * d - 1) > 1e-15):
            break
    return product


def _not_zero(value: F64) -> F64:
    return np.where(np.abs(value) < TINY, TINY, value)


def _log_beta(a: F64, b: F64) -> F64:
    return np.asarray(_log_gamma(a) + _log_gamma(b) - _log_gamma(a + b))


def _log_gamma(x: F64) -> F64:
    return np.array([math.lgamma(one) if one > 0 else np.nan for one in np.ravel(x)]).reshape(np.shape(x))

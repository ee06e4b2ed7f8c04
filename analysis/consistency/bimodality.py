"""Does a distribution of times have two modes? Then its mean and its median describe no actual request."""

from dataclasses import dataclass

import numpy as np

from overbudget.analysis.common.percentiles import F64, I64
from overbudget.analysis.common.probability import binomial_up_to
from overbudget.kernels.jit import kernel

LEAST = 50  # values
CELLS = 256
ROUNDS = 200
CONVERGED = 1e-10  # EM stops at a smaller relative gain
APART = 2.0  # Ashman's D
LEAST_WEIGHT = 0.05  # of the smaller mode
ALPHA = 0.01
HALF_LOG_2_PI = 0.9189385332046727
STRONG = (
    10.0  # of BIC: "very strong" (R. E. Kass, A. E. Raftery, Journal of the American Statistical Association 90 (1995))
)


@dataclass(frozen=True)
class Modes:
    """Two modes: their centres (geometric means, ns), and the share of values that belong to the slower one."""

    fast_ns: int
    slow_ns: int
    slow_share: float


def two_modes(times_ns: I64) -> Modes | None:
    """The two modes of a distribution of times; None unless there are certainly two.

    A mixture of two normal distributions of log time is fitted (A. P. Dempster, N. M. Laird, D. B. Rubin, Journal of
    the Royal Statistical Society B 39 (1977)). There are two modes where it fits better than one by more than 10 in
    BIC, the two are apart (D > 2: K. M. Ashman, C. M. Bird, S. E. Zepf, Astronomical Journal 108 (1994)), and the
    valley between them holds fewer values than an equal stretch around the lower top, by a binomial test at 1 %.
    """
    values = np.log(times_ns[times_ns > 0].astype(np.float64))
    if len(values) < LEAST or values.min() == values.max():
        return None
    count, edges = np.histogram(values, CELLS)
    x, n = (edges[1:] + edges[:-1]) / 2, count.astype(np.float64)
    width = float(edges[1] - edges[0])
    mean, sd, weight, likelihood = _fit(x, n, width)
    single = float((n * _log_normal(x, np.average(x, weights=n), max(float(values.std()), width))).sum())
    if 2 * (likelihood - single) - 3 * np.log(len(values)) < STRONG or weight.min() < LEAST_WEIGHT:
        return None
    if np.sqrt(2) * (mean[1] - mean[0]) / np.hypot(*sd) <= APART:
        return None
    density = np.logaddexp(*(np.log(weight) + _log_normal(x[:, None], mean, sd)).T)
    between = (x > mean[0]) & (x < mean[1])
    if not between.any():
        return None
    valley = float(x[between][np.argmin(density[between])])
    top = float(mean[int(np.argmin(weight / sd))])
    reach = min(abs(valley - top), mean[1] - mean[0]) / 2
    here, there = (int(np.count_nonzero(np.abs(values - place) <= reach)) for place in (valley, top))
    if binomial_up_to(here, here + there, 0.5) > ALPHA:
        return None
    return Modes(round(float(np.exp(mean[0]))), round(float(np.exp(mean[1]))), round(float(weight[1]), 3))


def _fit(x: F64, n: F64, width: float) -> tuple[F64, F64, F64, float]:
    """Means (ascending), standard deviations and weights of two normals, and the log likelihood; by EM on a histogram."""
    best = None
    at = np.cumsum(n) / n.sum()
    for split in (0.5, 0.8, 0.95, 0.2):  # EM finds only the nearest maximum
        low = at <= split
        if not low.any() or low.all() or n[~low].sum() == 0:
            continue
        mean, sd, weight, likelihood = _climb(x, n, width, low)
        if best is None or likelihood > best[3]:
            order = np.argsort(mean)
            best = mean[order], sd[order], weight[order], likelihood
    if best is None:
        return np.zeros(2), np.ones(2), np.array([1.0, 0.0]), -np.inf
    return best


@kernel
def _climb(x, n, width, low):
    """At most ROUNDS of EM, starting with the cells `low` in the first normal: means, standard deviations, weights, log likelihood."""
    cells, total = x.size, n.sum()
    share = np.empty((2, cells))
    share[0] = np.where(low, 0.99, 0.01)
    share[1] = 1 - share[0]
    mean, sd, weight, log = np.empty(2), np.empty(2), np.empty(2), np.empty(2)
    likelihood = 0.0
    for _ in range(ROUNDS):
        for k in range(2):
            part = share[k] * n
            size = part.sum()
            mean[k] = (part * x).sum() / size
            sd[k] = max(np.sqrt((part * (x - mean[k]) ** 2).sum() / size), width)
            weight[k] = size / total
        before, likelihood = likelihood, 0.0
        for i in range(cells):
            for k in range(2):
                log[k] = np.log(weight[k]) - 0.5 * ((x[i] - mean[k]) / sd[k]) ** 2 - np.log(sd[k]) - HALF_LOG_2_PI
            both = max(log[0], log[1]) + np.log1p(np.exp(-abs(log[0] - log[1])))
            likelihood += n[i] * both
            for k in range(2):
                share[k, i] = np.exp(log[k] - both)
        if abs(likelihood - before) < CONVERGED * abs(likelihood):
            break
    return mean, sd, weight, likelihood


def _log_normal(x: F64, mean: F64 | float, sd: F64 | float) -> F64:
    return np.asarray(-0.5 * ((x - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi))

"""How much each cause's time grew between two sides, in two parts: slower where it occurs, and occurring more often.

Per route, weighted by the candidate's routes: with p the share of requests that have the cause on their critical
path and m its mean time in those, slow = mean p * (m1 - m0) and often = (p1 - p0) * mean m. A side without the cause takes
the other's m. In a sample each request counts for as many as it stands for, and errors are those at the effective size
(L. Kish, "Survey Sampling", 1965). Errors are standard errors over requests, as if requests were independent; `tau` is
how many times as much as that the cause's time varies from one run of requests to the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from overbudget.analysis.causes.spending import Cause, Spending, numbered
from overbudget.analysis.common.effective_size import BY_CHANCE
from overbudget.analysis.common.percentiles import F64, I64
from overbudget.analysis.requests.table import RequestTable

RUNS = 20
OFTEN = 2.0  # standard errors beyond which occurring more often counts


@dataclass(frozen=True)
class Growth:
    """One cause's growth per request of the candidate, in ns, with its standard errors.

    `share` is the share of requests that have it, on the side where more do. `runs` is its mean time per request in each of
    20 runs of base and candidate, in order of arrival; None for a side with fewer requests than runs.
    """

    cause: Cause
    slow_ns: float
    often_ns: float
    slow_error_ns: float
    often_error_ns: float
    share: float
    tau: float
    runs: tuple[F64 | None, F64 | None] = (None, None)

    @property
    def change_ns(self) -> float:
        return self.slow_ns + self.often_ns

    @property
    def ranked_ns(self) -> float:
        """The growth that a ranking counts: occurring more often counts only where chance does not explain it."""
        beyond = max(abs(self.often_ns) - OFTEN * self.often_error_ns, 0.0)
        return self.slow_ns + float(np.sign(self.often_ns)) * beyond


@dataclass(frozen=True)
class _Cell:
    """Requests of one route, or those of it that have a cause: how many they stand for, of how many equal ones they have the
    information, the mean time of the cause, and the sum of squared deviations of so many equal ones."""

    stand_for: float
    requests: float
    mean: float = 0.0
    squares: float = 0.0


_NONE = _Cell(0.0, 0.0)


@dataclass(frozen=True)
class _Side:
    """One side: requests by route, cells by cause and route, tau and 20 runs by cause."""

    by_route: Mapping[str, _Cell]
    cells: Mapping[tuple[Cause, str], _Cell]
    tau: Mapping[Cause, float]
    runs: Mapping[Cause, F64]


def growths(
    base: tuple[Spending, RequestTable], candidate: tuple[Spending, RequestTable], by_route: bool = True
) -> list[Growth]:
    """How each cause of either side grew. Both sides must have the same routes; without `by_route` routes are ignored."""
    before, after = _side(*base, by_route), _side(*candidate, by_route)
    routes: dict[Cause, set[str]] = {}
    for cause, route in (*before.cells, *after.cells):
        routes.setdefault(cause, set()).add(route)
    return [
        _grown(cause, [_of_route(cause, route, before, after) for route in sorted(those)], before, after)
        for cause, those in routes.items()
    ]


def _grown(cause: Cause, parts: Sequence[F64], before: _Side, after: _Side) -> Growth:
    slow, often, slow_square, often_square, share = np.sum(parts, axis=0).tolist()
    tau = max(side.tau.get(cause, 1.0) for side in (before, after))
    runs = before.runs.get(cause), after.runs.get(cause)
    return Growth(cause, slow, often, slow_square**0.5, often_square**0.5, share, tau if tau > BY_CHANCE else 1.0, runs)


def _of_route(cause: Cause, route: str, before: _Side, after: _Side) -> F64:
    """slow, often, the squares of their errors, and the share of requests: a route's part in each."""
    was, now = before.by_route.get(route, _NONE), after.by_route.get(route, _NONE)
    if not was.requests or not now.requests:
        return np.zeros(5)
    a, b = before.cells.get((cause, route), _NONE), after.cells.get((cause, route), _NONE)
    weight = now.stand_for / sum(one.stand_for for one in after.by_route.values())
    p0, p1 = a.stand_for / was.stand_for, b.stand_for / now.stand_for
    m0, m1 = (a.mean if a.requests else b.mean), (b.mean if b.requests else a.mean)
    slow, often = (p0 + p1) / 2 * (m1 - m0), (p1 - p0) * (m0 + m1) / 2
    freedom = a.requests + b.requests - 2
    if not a.requests or not b.requests:
        slow_square = 0.0
    elif freedom <= 1e-9:
        slow_square = slow**2  # measured once on each side: the whole change may be chance
    else:
        spread = (a.squares + b.squares) / freedom * (1 / a.requests + 1 / b.requests)
        slow_square = ((p0 + p1) / 2) ** 2 * spread
    often_square = ((m0 + m1) / 2) ** 2 * (_variance(p0, was.requests) + _variance(p1, now.requests))
    parts = [weight * slow, weight * often, weight**2 * slow_square, weight**2 * often_square, weight * max(p0, p1)]
    return np.array(parts)


def _variance(share: float, n: float) -> float:
    """The variance of a share of n requests, with one of each kind added, so that 0 or all of a few is not certain."""
    share = (share * n + 1) / (n + 2)
    return share * (1 - share) / (n + 2)


def _side(spending: Spending, table: RequestTable, by_route: bool) -> _Side:
    causes = max(len(spending.causes), 1)
    pair, of_segment = numbered(spending.row.astype(np.int64) * causes + spending.cause, len(table) * causes)
    time: F64 = np.bincount(of_segment, spending.ns.astype(np.float64), minlength=len(pair)).astype(np.float64)
    row, cause = np.divmod(pair, causes)
    names = table.route.names if by_route else ("",)
    route = table.route.codes[row].astype(np.int64) if by_route else np.zeros(len(row), np.int64)
    many = max(len(names), 1)
    cell, of_pair = numbered(cause * many + route, causes * many)
    cells_of = _cells(of_pair, len(cell), table.weight[row], time)
    cells = {
        (spending.causes[key // many], names[key % many]): one for key, one in zip(cell.tolist(), cells_of, strict=True)
    }
    codes = table.route.codes.astype(np.int64) if by_route else np.zeros(len(table), np.int64)
    routes = _cells(codes, len(names), table.weight, np.zeros(len(table)))
    return _Side(dict(zip(names, routes, strict=True)), cells, *_runs(spending, table, row, cause, time))


def _cells(group: I64, groups: int, weight: F64, time: F64) -> list[_Cell]:
    """The cell of each group; `group`, `weight` and `time` are per request."""
    stand_for = np.bincount(group, weight, minlength=groups)
    known = np.where(stand_for > 0, stand_for, 1.0)
    requests = stand_for**2 / np.maximum(np.bincount(group, weight**2, minlength=groups), 1e-300)
    mean = np.bincount(group, weight * time, minlength=groups) / known
    squares = np.bincount(group, weight * (time - mean[group]) ** 2, minlength=groups) * (requests / known)
    return [
        _Cell(*one) for one in zip(stand_for.tolist(), requests.tolist(), mean.tolist(), squares.tolist(), strict=True)
    ]


def _runs(
    spending: Spending, table: RequestTable, row: I64, cause: I64, time: F64
) -> tuple[dict[Cause, float], dict[Cause, F64]]:
    """Per cause, how much more its time per request varies between 20 runs of requests than by chance, and its mean in each
    run; like `effective_size.variation`, for all causes at once."""
    n, causes = len(table), len(spending.causes)
    if n < RUNS:
        return {}, {}
    run = np.empty(n, np.int64)
    edges = np.arange(RUNS + 1) * n // RUNS
    run[np.argsort(table.start_ns, kind="stable")] = np.repeat(np.arange(RUNS), np.diff(edges))
    sums = np.bincount(run[row] * causes + cause, time, minlength=RUNS * causes).reshape(RUNS, causes)
    mean = sums.sum(0) / n
    spread = np.bincount(cause, time**2, minlength=causes) / n - mean**2
    sizes = np.diff(edges)[:, None]
    off = ((sums - sizes * mean) ** 2).sum(0) * RUNS / (RUNS - 1)
    tau = np.where(spread > 1e-9 * mean**2, off / np.maximum(n * spread, 1e-300), 1.0)
    taus = dict(zip(spending.causes, tau.tolist(), strict=True))
    return taus, dict(zip(spending.causes, (sums / sizes).T, strict=True))

"""How much each cause's time grew between two sides, apart: it is slower where it occurs, or it occurs more often.

Per route, weighted as the candidate asks for routes: with p the share of requests that have the cause on their critical
path and m its mean time in those, slow = mean p * (m1 - m0) and often = (p1 - p0) * mean m. A side without the cause takes
the other's m. Errors are standard errors over requests, as if requests were independent; `tau` says how many times as
much the cause's time varies from one run of requests to the next.
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
    def told_ns(self) -> float:
        """The growth that a ranking counts: what occurs more often only as far as chance does not explain it."""
        beyond = max(abs(self.often_ns) - OFTEN * self.often_error_ns, 0.0)
        return self.slow_ns + float(np.sign(self.often_ns)) * beyond


@dataclass(frozen=True)
class _Cell:
    """The requests of one route that have a cause: how many, their mean time, and the sum of squared deviations."""

    requests: int
    mean: float
    squares: float


_NONE = _Cell(0, 0.0, 0.0)


@dataclass(frozen=True)
class _Side:
    """One side: requests by route, cells by cause and route, tau and 20 runs by cause."""

    by_route: Mapping[str, int]
    cells: Mapping[tuple[Cause, str], _Cell]
    tau: Mapping[Cause, float]
    runs: Mapping[Cause, F64]


def growths(
    base: tuple[Spending, RequestTable], candidate: tuple[Spending, RequestTable], by_route: bool = True
) -> list[Growth]:
    """How each cause of either side grew. Both sides are to hold the same routes; without `by_route` routes do not matter."""
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
    n0, n1 = before.by_route.get(route, 0), after.by_route.get(route, 0)
    if not n0 or not n1:
        return np.zeros(5)
    a, b = before.cells.get((cause, route), _NONE), after.cells.get((cause, route), _NONE)
    weight = n1 / sum(after.by_route.values())
    p0, p1 = a.requests / n0, b.requests / n1
    m0, m1 = (a.mean if a.requests else b.mean), (b.mean if b.requests else a.mean)
    slow, often = (p0 + p1) / 2 * (m1 - m0), (p1 - p0) * (m0 + m1) / 2
    freedom = a.requests + b.requests - 2
    if not a.requests or not b.requests:
        slow_square = 0.0
    elif freedom == 0:
        slow_square = slow**2  # measured once on each side: its whole change may be chance
    else:
        spread = (a.squares + b.squares) / freedom * (1 / a.requests + 1 / b.requests)
        slow_square = ((p0 + p1) / 2) ** 2 * spread
    often_square = ((m0 + m1) / 2) ** 2 * (_variance(a.requests, n0) + _variance(b.requests, n1))
    parts = [weight * slow, weight * often, weight**2 * slow_square, weight**2 * often_square, weight * max(p0, p1)]
    return np.array(parts)


def _variance(k: int, n: int) -> float:
    """The variance of a share of n requests, one of each kind added, so that none or all of a few is not certain."""
    share = (k + 1) / (n + 2)
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
    count = np.bincount(of_pair, minlength=len(cell))
    mean = np.bincount(of_pair, time, minlength=len(cell)) / np.maximum(count, 1)
    squares = np.bincount(of_pair, (time - mean[of_pair]) ** 2, minlength=len(cell))
    cells = {
        (spending.causes[key // many], names[key % many]): _Cell(*one)
        for key, *one in zip(cell.tolist(), count.tolist(), mean.tolist(), squares.tolist(), strict=True)
    }
    requests = table.route.count().tolist() if by_route else [len(table)]
    return _Side(dict(zip(names, requests, strict=True)), cells, *_runs(spending, table, row, cause, time))


def _runs(
    spending: Spending, table: RequestTable, row: I64, cause: I64, time: F64
) -> tuple[dict[Cause, float], dict[Cause, F64]]:
    """Per cause how much more its time per request varies between 20 runs of requests than chance has it, and its mean in
    each run; see `effective_size.variation`, here for all causes at once."""
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

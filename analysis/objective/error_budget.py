"""The error budget: how much of what an objective allows is spent, how fast, and which stage spends it.

With an objective of 99 % one request in a hundred may fail or be over the cap: that share is the error budget. The burn rate
is the share that does, over the share that may (B. Beyer and others, "The Site Reliability Workbook", chapter 5).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overbudget.analysis.budget.caps import caps_by_route
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.budget.objective import UNITS
from overbudget.analysis.common.bands import TYPICAL, Ranking
from overbudget.analysis.common.percentiles import share_of
from overbudget.analysis.requests.table import I64, Bool, RequestTable

WINDOWS = {"1h": UNITS["h"], "1d": UNITS["d"], "7d": UNITS["w"]}

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Burn:
    """The burn rate over the last `window`, with its 95 % interval; 1 spends exactly what the objective allows.

    None where the data does not reach so far back, or has no request in more than half of the window; the interval also
    where the requests are too alike to know it.
    """

    window: str
    burn_rate: float | None
    ci_low: float | None
    ci_high: float | None
    requests: int


@dataclass(frozen=True)
class BurnedBy:
    """The share of the spent error budget whose requests exceed their typical time most in `stage`."""

    stage: str
    share: float


@dataclass(frozen=True)
class ErrorBudget:
    """What is spent of an objective's error budget: a part of 1 where all of it is left or some; above 1 it is overspent.

    Over the last `window_ns`, of which the data covers `covered_ns`. `requests` counts those with a cap whose outcome is
    known, `within` those that did not fail and kept it. `spent` is None without requests. `stages`, `failed` (requests that
    failed, slow or not) and `unexplained` divide the spent part; they sum to 1 where anything is spent.
    """

    within_target: float
    window_ns: int
    covered_ns: int
    requests: int
    within: int
    spent: float | None
    burn: tuple[Burn, ...]
    stages: tuple[BurnedBy, ...]
    failed: float
    unexplained: float


def error_budget(table: RequestTable, whole: Bool, budget: Budget, first_ns: int, last_ns: int) -> ErrorBudget | None:
    """The error budget of the requests in `table` (any order); None where the budget has no objective, or no cap for them.

    `whole` (bool[n]) tells which of them have all their spans, so that their stages are known. The data reaches from
    `first_ns` to `last_ns` (ns since the epoch), its first and its last request: windows end there.
    """
    objective = budget.objective
    caps = caps_by_route(budget, table.route.names)[table.route.codes]
    if objective is None or (caps < 0).all():
        return None
    over = table.latency_ns > caps
    told = (caps >= 0) & (~table.open | over | table.failed)  # without an end a request took at least so long
    known = np.flatnonzero(told & (table.start_ns <= last_ns))
    bad = (over | table.failed)[known]
    in_window = table.start_ns[known] > last_ns - objective.window_ns
    rows, weight = known[in_window], table.weight[known[in_window]]
    spent_here = bad[in_window]
    reach_ns = max(0, last_ns - first_ns)
    regular_ns = reach_ns // max(len(table) - 1, 1)  # each request stands for the time until the next
    stages, failed, unexplained = _burned_by(table, rows[spent_here], rows, whole, caps)
    return ErrorBudget(
        within_target=objective.within,
        window_ns=objective.window_ns,
        covered_ns=min(objective.window_ns, reach_ns),
        requests=len(rows),
        within=int(np.count_nonzero(~spent_here)),
        spent=float(weight[spent_here].sum() / weight.sum()) / objective.allowed if len(rows) else None,
        burn=tuple(
            _burn(name, length, table, known, bad, last_ns, objective.allowed)
            if reach_ns + regular_ns >= length
            else Burn(name, None, None, None, int(np.count_nonzero(table.start_ns[known] > last_ns - length)))
            for name, length in WINDOWS.items()
        ),
        stages=stages,
        failed=failed,
        unexplained=unexplained,
    )


def _burn(name: str, length_ns: int, table: RequestTable, known: Rows, bad: Bool, last_ns: int, allowed: float) -> Burn:
    inside = table.start_ns[known] > last_ns - length_ns
    rows = known[inside]
    starts = np.sort(table.start_ns[rows])
    gaps_ns = np.diff(np.concatenate([[last_ns - length_ns], starts, [last_ns]]))
    share = share_of(bad[inside], table.start_ns[rows], table.weight[rows])
    if share is None or int(gaps_ns.max()) * 2 > length_ns:
        return Burn(name, None, None, None, len(rows))
    low, high = (None if end is None else end / allowed for end in (share.low, share.high))
    return Burn(name, share.share / allowed, low, high, len(rows))


def _burned_by(
    table: RequestTable, bad: Rows, rows: Rows, whole: Bool, caps: I64
) -> tuple[tuple[BurnedBy, ...], float, float]:
    """Per stage, of failures and of what nothing explains, the share of the weight of `bad`.

    A request that failed is a failure. Another goes to the stage whose time exceeds most that of typical requests of its
    route (p40 to p60, within the window); to none where it lost spans, where its route has too few, or where typical
    requests are over the cap as well, so that growth explains nothing.
    """
    total = float(table.weight[bad].sum())
    if not total:
        return (), 0.0, 0.0
    slow = bad[~table.failed[bad] & whole[bad]]
    usual = rows[whole[rows] & ~table.failed[rows]]
    usual = usual[np.argsort(table.route.codes[usual], kind="stable")]
    weights = np.zeros(len(table.stages))
    for route in np.unique(table.route.codes[slow]):
        here = usual[slice(*np.searchsorted(table.route.codes[usual], [route, route + 1]))]
        typical = Ranking(table.latency_ns[here], table.weight[here]).between(*TYPICAL)
        own = slow[table.route.codes[slow] == route]
        if not typical.known or typical.mean(table.latency_ns[here]) > caps[own[0]]:
            continue
        excess = table.stage_ns[own] - typical.mean(table.stage_ns[here])
        weights += np.bincount(excess.argmax(axis=1), table.weight[own], len(weights))
    failed = float(table.weight[bad[table.failed[bad]]].sum()) / total
    order = sorted(np.flatnonzero(weights), key=lambda place: (-weights[place], table.stages[place]))
    stages = tuple(BurnedBy(table.stages[place], float(weights[place]) / total) for place in order)
    return stages, failed, max(0.0, 1 - failed - float(weights.sum()) / total)

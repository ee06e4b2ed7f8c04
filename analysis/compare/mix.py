"""The mix of requests held fixed: which requests of two sides are comparable, and how much each counts.

Requests are grouped by route, and by shape (the operations directly below the entry span) where both sides have the
same shapes equally often. An operation that appears within a route, or occurs more often there, is growth, not another
mix: more cache misses make the shape of a miss more frequent, and holding that fixed would hide it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from overbudget.analysis.common.percentiles import F64, I64
from overbudget.analysis.requests.table import RequestTable
from overbudget.kernels.arrow import coded, numbers, row_of

LEAST_COVERED = (
    0.95  # share of the candidate's requests of a route whose shapes both sides must have, to group by shape
)
BY_CHANCE = 3.0  # standard errors that a shape's share may change by, to group by shape

Kind = tuple[str, str]  # route and shape


@dataclass(frozen=True)
class Mix:
    """Rows of each side whose kind the other side has too, and their weights, which sum to 1 per side: sampling weights,
    with each kind weighted as in the candidate."""

    base: I64
    candidate: I64
    weights: F64
    candidate_weights: F64


def mix(
    base: Sequence[Kind], candidate: Sequence[Kind], base_weight: F64 | None = None, candidate_weight: F64 | None = None
) -> Mix:
    """Which rows are compared: each side's rows by route and shape, and how many requests each stands for (1 if None)."""
    counts = [
        np.ones(len(side)) if weight is None else weight
        for side, weight in ((base, base_weight), (candidate, candidate_weight))
    ]
    apart = _by_shape(base, candidate)
    kinds = [[kind if kind[0] in apart else (kind[0], "") for kind in side] for side in (base, candidate)]
    common = set(kinds[0]) & set(kinds[1])
    rows = [np.array([i for i, kind in enumerate(side) if kind in common], np.int64) for side in kinds]
    kept = [[side[i] for i in those.tolist()] for side, those in zip(kinds, rows, strict=True)]
    now = counts[1][rows[1]]
    return Mix(
        rows[0], rows[1], _weights(kept[0], kept[1], counts[0][rows[0]], now), now / max(float(now.sum()), 1e-300)
    )


def _by_shape(base: Sequence[Kind], candidate: Sequence[Kind]) -> set[str]:
    """The routes whose requests are grouped by shape."""
    before, after = Counter(base), Counter(candidate)
    was, now = (Counter(route for route, _ in side) for side in (base, candidate))
    covered: Counter[str] = Counter()
    for (route, shape), requests in after.items():
        covered[route] += requests * ((route, shape) in before)
    moved = {
        route
        for route, shape in before | after
        if _moved(before[route, shape], was[route], after[route, shape], now[route])
    }
    return {route for route, n in now.items() if covered[route] >= LEAST_COVERED * n} - moved


def _moved(k0: int, n0: int, k1: int, n1: int) -> bool:
    """Whether k1 of n1 is a different share than k0 of n0, beyond chance."""
    if not n0 or not n1:
        return False
    both = (k0 + k1 + 1) / (n0 + n1 + 2)
    error = (both * (1 - both) * (1 / n0 + 1 / n1)) ** 0.5
    return bool(abs(k1 / n1 - k0 / n0) > BY_CHANCE * error)


def _weights(base: Sequence[Kind], candidate: Sequence[Kind], was: F64, now: F64) -> F64:
    number = {kind: i for i, kind in enumerate(dict.fromkeys(candidate))}
    of_base = np.array([number[kind] for kind in base], np.int64)
    of_candidate = np.array([number[kind] for kind in candidate], np.int64)
    share = np.bincount(of_candidate, now, minlength=len(number)) / max(float(now.sum()), 1e-300)
    in_base = np.bincount(of_base, was, minlength=len(number))
    return np.asarray((share / np.where(in_base > 0, in_base, 1))[of_base] * was, np.float64)


def kinds(
    connection: duckdb.DuckDBPyConnection,
    table: RequestTable,
    by_route: bool,
    shape_as: Callable[[str], str] = lambda shape: shape,
) -> list[Kind]:
    """Route and shape of each request, shapes passed through `shape_as`; without `by_route` the route is "" for all."""
    if table.entry_span_no is not None or len(table) == 0:
        shapes = [""] * len(table)  # the budget chose other spans as requests: their shapes are not stored
    else:
        rows = connection.sql("SELECT request_no, shape FROM requests").to_arrow_table()
        shape = coded(rows["shape"])
        place = row_of(numbers(rows["request_no"]), table.request_no)
        grouped = [shape_as(name) for name in shape.names]
        shapes = [grouped[code] for code in shape.codes[place].tolist()]
    routes = [table.route.names[code] if by_route else "" for code in table.route.codes.tolist()]
    return list(zip(routes, shapes, strict=True))

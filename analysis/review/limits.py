"""Limits (`max` in a budget) against what every single request took."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from overbudget.analysis.budget.model import LIMIT, Budget
from overbudget.analysis.requests.table import RequestTable
from overbudget.analysis.requests.taken import taken_ns
from overbudget.analysis.review.rows import FIRST_TOKEN, TOTAL


@dataclass(frozen=True)
class LimitRow:
    """A limit that no request may exceed: on TOTAL, FIRST_TOKEN, a stage or a part of one; `route` None for all routes that
    have none of their own. `exceeded` of the `requests` that have it take longer, `longest_ns` is the longest of all.

    It is a fact about these requests, not an estimate, so it needs no interval.
    """

    stage: str
    route: str | None
    limit_ns: int
    requests: int
    exceeded: int
    longest_ns: int


def limit_rows(table: RequestTable, budget: Budget) -> tuple[LimitRow, ...]:
    """Every limit of the budget against the requests in `table`, each request held to its route's own limits."""
    routes = {route: budget.for_route(route) for route in table.routes}
    code = {route: table.route.names.index(route) for route in routes}
    found = []
    for stage, limit_ns, route in _limits(budget, routes):
        held = [
            name
            for name, own in routes.items()
            if (name == route if route is not None else own.caps_on(stage) == budget.caps_on(stage))
        ]
        rows = np.flatnonzero(np.isin(table.route.codes, [code[name] for name in held]))
        took = taken_ns(table, stage)[rows]
        took = took[took >= 0] if stage in (TOTAL, FIRST_TOKEN) else took[took > 0]
        if len(took):
            exceeded = int(np.count_nonzero(took > limit_ns))
            found.append(LimitRow(stage, route, limit_ns, len(took), exceeded, int(took.max())))
    return tuple(found)


def _limits(budget: Budget, routes: Mapping[str, Budget]) -> Iterator[tuple[str, int, str | None]]:
    """What is limited, to what, and for which of the `routes` alone, each with the budget that applies to it."""
    for route, own in [(None, budget), *routes.items()]:
        for stage in (TOTAL, FIRST_TOKEN, *own.stages):
            caps = own.caps_on(stage)
            if LIMIT in caps and (route is None or caps != budget.caps_on(stage)):
                yield stage, caps[LIMIT], route

"""Limits (`max` in a budget) against what every single request took."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from overbudget.analysis.budget.model import LIMIT, Budget, Caps
from overbudget.analysis.requests.parts import part_ns
from overbudget.analysis.requests.table import I64, RequestTable
from overbudget.analysis.review.rows import FIRST_TOKEN, TOTAL
from overbudget.stages.names import part_of


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
    for stage, limit_ns, route in _limits(budget):
        held = [
            name
            for name, own in routes.items()
            if (name == route if route is not None else _caps(own, stage) == _caps(budget, stage))
        ]
        rows = np.flatnonzero(np.isin(table.route.codes, [code[name] for name in held]))
        took = _took(table, stage)[rows]
        took = took[took >= 0] if stage in (TOTAL, FIRST_TOKEN) else took[took > 0]
        if len(took):
            exceeded = int(np.count_nonzero(took > limit_ns))
            found.append(LimitRow(stage, route, limit_ns, len(took), exceeded, int(took.max())))
    return tuple(found)


def _limits(budget: Budget) -> Iterator[tuple[str, int, str | None]]:
    """What is limited, to what, and for which route alone."""
    for route, own in [(None, budget), *((name, budget.for_route(name)) for name in budget.routes)]:
        for stage in (TOTAL, FIRST_TOKEN, *own.stages):
            caps = _caps(own, stage)
            if LIMIT in caps and (route is None or caps != _caps(budget, stage)):
                yield stage, caps[LIMIT], route


def _caps(budget: Budget, stage: str) -> Caps:
    if stage == TOTAL:
        return budget.caps
    return budget.first_token if stage == FIRST_TOKEN else budget.stage_caps(stage)


def _took(table: RequestTable, stage: str) -> I64:
    if stage == TOTAL:
        return table.latency_ns
    if stage == FIRST_TOKEN:
        return table.ttft_ns
    if part_of(stage) is not None:
        return part_ns(table, stage)
    if stage not in table.stages:
        return np.zeros(len(table), np.int64)
    return np.asarray(table.stage_ns[:, table.stages.index(stage)])

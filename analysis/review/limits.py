"""Limits (`max` in a budget) against what every single request, and every single model call, took."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from overbudget.analysis.budget.model import LIMIT, Budget, CallKind
from overbudget.analysis.requests.table import RequestTable
from overbudget.analysis.requests.taken import taken_ns
from overbudget.analysis.review.measure import Measured
from overbudget.analysis.review.rows import FIRST_TOKEN, TOTAL, Verdict
from overbudget.stages.names import part_of


@dataclass(frozen=True)
class LimitRow:
    """A limit that no request may exceed: on TOTAL, FIRST_TOKEN, a stage or a part of one; `route` None for all routes that
    have none of their own. `exceeded` of the `requests` that have it take longer, `longest_ns` is the longest of all, None
    where none has it; `without` requests do not record it.

    It is a fact about these requests, not an estimate, so it needs no interval: one is enough for `over`. Else, where no span or
    less than half of the requests say how long it takes, it is `unknown`.
    """

    stage: str
    route: str | None
    limit_ns: int
    requests: int
    exceeded: int
    longest_ns: int | None
    without: int
    verdict: Verdict


@dataclass(frozen=True)
class CallLimitRow:
    """A limit that no model call may exceed: on one figure of each call (`call_first_token` or `call_per_output_token`) of a
    stage, or of the models that the pattern `of` names.

    `exceeded` of the `calls` that record it take longer, `longest_ns` is the longest, None where none records it; `without`
    calls do not record it. A single call is enough for `over`; else, where most record nothing, the limit is `unknown`:
    those may be the slow ones.
    """

    kind: CallKind
    of: str
    figure: str
    limit_ns: int
    calls: int
    exceeded: int
    longest_ns: int | None
    without: int
    verdict: Verdict


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
        if routes and not held:
            continue  # every route here has a limit of its own
        rows = np.flatnonzero(np.isin(table.route.codes, [code[name] for name in held]))
        took = taken_ns(table, stage)[rows]
        known = took[took >= 0]
        has = known if stage in (TOTAL, FIRST_TOKEN) else known[known > 0]
        exceeded, without = int(np.count_nonzero(has > limit_ns)), len(took) - len(known)
        longest_ns = int(has.max()) if len(has) else None
        said = _verdict(exceeded, len(known) if len(has) or _is_told(table, stage) else 0, without)
        found.append(LimitRow(stage, route, limit_ns, len(has), exceeded, longest_ns, without, said))
    return tuple(found)


def _is_told(table: RequestTable, stage: str) -> bool:
    """Whether any span of the dataset shows how long a stage takes, so that a request without one takes none of it."""
    whole = part_of(stage) or stage
    return whole in table.stages and table.present[table.stages.index(whole)]


def _limits(budget: Budget, routes: Mapping[str, Budget]) -> Iterator[tuple[str, int, str | None]]:
    """What is limited, to what, and for which of the `routes` alone, each with the budget that applies to it."""
    for route, own in [(None, budget), *routes.items()]:
        for stage in (TOTAL, FIRST_TOKEN, *own.stages):
            caps = own.caps_on(stage)
            if LIMIT in caps and (route is None or caps != budget.caps_on(stage)):
                yield stage, caps[LIMIT], route


def call_limit_rows(measured: Measured, budget: Budget) -> tuple[CallLimitRow, ...]:
    """Every limit of the budget on single model calls, against the calls of the measured requests."""
    found = []
    for (kind, of), figures in budget.call_caps().items():
        for figure in (one for one, caps in figures.items() if LIMIT in caps):
            limit_ns, told = figures[figure][LIMIT], measured.call_figure(kind, of, figure)
            calls, exceeded = len(told.ns), int(np.count_nonzero(told.ns > limit_ns))
            longest_ns = int(told.ns.max()) if calls else None
            said = _verdict(exceeded, calls, told.without)
            found.append(CallLimitRow(kind, of, figure, limit_ns, calls, exceeded, longest_ns, told.without, said))
    return tuple(found)


def _verdict(exceeded: int, known: int, without: int) -> Verdict:
    if exceeded:
        return "over"
    return "within" if known and known >= without else "unknown"

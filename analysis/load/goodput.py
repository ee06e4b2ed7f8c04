"""How many good answers a second come out, by load (docs/reference/method.md, The budget along the way)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overbudget.analysis.budget.caps import cap_of, held_to
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.probability import Z95
from overbudget.analysis.requests.table import BAD, I64, RequestTable
from overbudget.analysis.requests.taken import taken_ns
from overbudget.kernels.span_tree import in_flight
from overbudget.stages.waits_for_person import Waits, not_waiting_in_flight

Bool = npt.NDArray[np.bool_]
I32 = npt.NDArray[np.integer]


class Activity(NamedTuple):
    """When each request is in flight: from its start to its end but for the times it waits for a person."""

    start_ns: I64
    end_ns: I64
    waits: Waits | None

    def others(self) -> I32:
        """Per request how many others were in flight when it arrived."""
        if self.waits is None:
            return in_flight(self.start_ns, self.end_ns)
        return not_waiting_in_flight(self.start_ns, self.end_ns, [self.waits])


@dataclass(frozen=True)
class Goodput:
    """Requests a second that did not fail, kept their caps and are good, finished under one load, with a 95 % interval.

    `finished` of them did so in the `seconds` spent under that load.
    """

    per_second: float
    low: float
    high: float
    finished: int
    seconds: float


def caps_kept(table: RequestTable, budget: Budget | None) -> tuple[str, ...]:
    """What requests must keep the cap at p95 on to count: TOTAL, FIRST_TOKEN, stages and parts of them, of any route in `table`.
    Empty where the budget caps nothing of these requests as a whole: caps of single model calls are not looked at."""
    if budget is None or not held_to(budget, table.routes).capped():
        return ()
    return tuple(dict.fromkeys(what for route in table.routes for what in budget.for_route(route).capped()))


def kept_all(table: RequestTable, budget: Budget) -> Bool:
    """Which requests did not fail, kept their caps at p95 (total, first token, stages and their parts, each route's own
    first), and are good as far as that is recorded. A first token or part that is not recorded keeps its cap."""
    kept = np.asarray(~table.failed & (table.good != BAD))
    for code, route in enumerate(table.route.names):
        here = np.flatnonzero(table.route.codes == code)
        own = budget.for_route(route)
        for what in own.capped():
            if cap := cap_of(own.caps_on(what)):
                kept[here] &= taken_ns(table, what)[here] <= cap.ns
    return kept


def goodput_of(activity: Activity, finished: Bool, cuts: Sequence[float]) -> list[Goodput | None]:
    """Goodput per bin of load; bin k has the times with `cuts[k]` to below `cuts[k + 1]` *other* requests in flight.

    `finished` marks the requests that count where they finish; all are load. None where no time was spent under that load.
    """
    if not cuts:  # no request is whole
        return []
    at, level = _levels(activity)
    place = np.searchsorted(np.asarray(cuts[1:]), level - 1, side="right")
    running = level[:-1] > 0
    seconds = np.bincount(place[:-1][running], np.diff(at)[running] / 1e9, minlength=len(cuts))
    before = np.searchsorted(at, activity.end_ns[finished], side="left") - 1  # the state that the end of a request ends
    count = np.bincount(place[before], minlength=len(cuts))
    return [_goodput(int(n), float(s)) for n, s in zip(count, seconds, strict=True)]


def _levels(activity: Activity) -> tuple[I64, I64]:
    """The instants at which the number of requests in flight changes, ascending, and the number from then on."""
    begins, ends = [activity.start_ns], [activity.end_ns]
    if activity.waits is not None:
        begins, ends = [*begins, activity.waits.end], [*ends, activity.waits.start]
    at = np.concatenate([*begins, *ends])
    step = np.repeat(np.array([1, -1]), [sum(map(len, begins)), sum(map(len, ends))])
    instants, place = np.unique(at, return_inverse=True)
    change = np.bincount(place, step, minlength=len(instants)).astype(np.int64)
    return instants, np.cumsum(change)


def _goodput(finished: int, seconds: float) -> Goodput | None:
    """With an interval as for a Poisson count, on the scale of its logarithm; of none at all, up to 3 (the "rule of
    three": J. A. Hanley and A. Lippman-Hand, JAMA 249 (1983))."""
    if seconds <= 0:
        return None
    if not finished:
        return Goodput(0.0, 0.0, 3 / seconds, 0, seconds)
    factor = math.exp(Z95 / math.sqrt(finished))
    rate = finished / seconds
    return Goodput(rate, rate / factor, rate * factor, finished, seconds)


def peak_of(found: Sequence[Goodput | None]) -> int | None:
    """The bin at which goodput peaks; None unless it certainly falls again under the highest load."""
    known = [place for place, one in enumerate(found) if one is not None]
    if len(known) < 2:
        return None
    best = max(known, key=lambda place: found[place].per_second)  # type: ignore[union-attr]
    last, top = found[known[-1]], found[best]
    return best if last is not None and top is not None and last.high < top.low else None

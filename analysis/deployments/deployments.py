"""Deployments: the first request of each version of a service at the entry, and whether a percentile changed with it.

Requests of a version are compared with those of the version before, whenever they ran: where both run at once for a while
(a rolling deployment), each request counts for its own version.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from overbudget.analysis.common.percentiles import I64
from overbudget.analysis.compare.failures import failed_share, grew
from overbudget.analysis.compare.percentile_change import MARGIN, Sample, Verdict, changes
from overbudget.analysis.requests.route_mix import in_one_mix
from overbudget.analysis.requests.table import RequestTable, iso
from overbudget.stages.names import TOTAL

DECIDING = (50, 95)
# share of selections without a change in which one is said: nobody asked, so far fewer than in compare
FALSE_ALARMS = 0.002
MOST_DEPLOYMENTS = 20  # the last ones, where there are more
# Two versions run at once where the older one returns this often, and once for each ten requests of the rarer one while both
# are there: rollbacks are few, and whole stays lie between them.
LEAST_RETURNS, REQUESTS_PER_RETURN = 3, 10

Handover = Literal["clean", "rolling", "returned"]


@dataclass(frozen=True)
class Deployment:
    """A percentile of the requests of a `version` of a service, against that of the version before.

    `start` is the version's first request, `previous_end` the last one of the version before. That is later than `start`
    where both ran at once for a while (`handover` is `rolling`), or where the version before came back (`returned`), as after
    a rollback.
    `requests` and `previous_requests` count those on routes that both have. Times are in ns, those before and after None
    without requests, the interval where they are too few or too alike, and then the verdict is `unknown`.
    """

    service_name: str
    version: str
    previous: str
    start: str
    previous_end: str
    handover: Handover
    requests: int
    previous_requests: int
    percentile: int
    before_ns: int | None
    after_ns: int | None
    change_ns: int | None
    ci_low_ns: int | None
    ci_high_ns: int | None
    verdict: Verdict


@dataclass(frozen=True)
class _Appeared:
    service: int
    start_ns: int
    previous: I64  # the rows of the version before
    rows: I64


def deployments(table: RequestTable) -> tuple[Deployment, ...]:
    """Two rows (p50 and p95) for each version after the first of its service, in order of time; none without versions."""
    found = sorted(_appeared(table), key=lambda one: (one.start_ns, one.service))[-MOST_DEPLOYMENTS:]
    tail = FALSE_ALARMS / 2 / len(DECIDING) / max(len(found), 1)
    return tuple(row for one in found for row in _compared(table, one, tail))


def _appeared(table: RequestTable) -> Iterator[_Appeared]:
    """Each version but the first of each service."""
    known = np.flatnonzero((table.version.codes >= 0) & (table.service.codes >= 0))
    if not len(known) or not (table.version.codes[known] != table.version.codes[known[0]]).any():
        return
    known = known[np.lexsort((table.start_ns[known], table.version.codes[known], table.service.codes[known]))]
    service, version = table.service.codes[known], table.version.codes[known]
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(service) != 0) | (np.diff(version) != 0)]))
    runs = np.split(known, begins[1:])
    runs.sort(key=lambda rows: (int(table.service.codes[rows[0]]), int(table.start_ns[rows[0]])))
    for before, rows in itertools.pairwise(runs):
        if table.service.codes[before[0]] == table.service.codes[rows[0]]:
            yield _Appeared(int(table.service.codes[rows[0]]), int(table.start_ns[rows[0]]), before, rows)


def _compared(table: RequestTable, one: _Appeared, tail: float) -> Iterator[Deployment]:
    before, after, weights, now = in_one_mix(table, one.previous, one.rows)
    sides = (
        Sample(table.latency_ns[before], weights, table.start_ns[before]),
        Sample(table.latency_ns[after], now, table.start_ns[after]),
    )
    handover = _handover(table.start_ns[one.previous], table.start_ns[one.rows])
    fails_more = grew(*(failed_share(table.take(rows)) for rows in (before, after)))
    for change in changes(TOTAL, sides, DECIDING, DECIDING, tail, MARGIN):
        hidden = change.verdict == "faster" and fails_more  # requests that fail early are not faster
        yield Deployment(
            service_name=table.service.names[one.service],
            version=table.version.names[table.version.codes[one.rows[0]]],
            previous=table.version.names[table.version.codes[one.previous[0]]],
            start=iso(one.start_ns),
            previous_end=iso(int(table.start_ns[one.previous[-1]])),
            handover=handover,
            requests=len(after),
            previous_requests=len(before),
            percentile=change.percentile,
            before_ns=change.base_ns,
            after_ns=change.candidate_ns,
            change_ns=change.change_ns,
            ci_low_ns=change.ci_low_ns,
            ci_high_ns=change.ci_high_ns,
            verdict="unknown" if hidden else change.verdict,
        )


def _handover(previous_ns: I64, new_ns: I64) -> Handover:
    """How a version took over from the one before, from when the requests of each start, in order of time."""
    later = previous_ns[previous_ns > new_ns[0]]
    if not len(later):
        return "clean"
    while_both = new_ns[new_ns < later[-1]]
    newer_before = np.searchsorted(while_both, later)  # how many came before each: alike within one stay
    returns = len(np.unique(newer_before))
    often = returns >= LEAST_RETURNS and REQUESTS_PER_RETURN * returns >= min(len(while_both), len(later))
    return "rolling" if often else "returned"

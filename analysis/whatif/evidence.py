"""Whether calls wait in line for servers, and whether first come, first served (docs/reference/method.md, Lines)."""

from dataclasses import dataclass

import numpy as np

from overbudget.analysis.whatif.candidates import LEAST_CALLS, LEAST_QUEUED, LEAST_SHARE, WITHIN, Candidate
from overbudget.kernels.columns import I64, Bool
from overbudget.kernels.replay import F64
from overbudget.kernels.server_lines import all_taken, ready_times, same_one_lets_in, walk

RECALL = 0.9  # least share of the calls that had to wait that began when a server was released
MOST_LATE = 0.05  # greatest share of those that found a server free and still began late
MOST_OVERTAKEN = 0.05  # greatest share of those that waited
SOONEST = 0.01
SAME_ONE = 0.8  # if the same call precedes more often than this, it is the order of the code, not a line


@dataclass(frozen=True)
class LineEvidence:
    """What a candidate shows. `late`: share of calls that began late though a server was free; `overtaken`: share of those
    that waited."""

    candidate: Candidate
    servers: I64  # of each instance
    queued: Bool
    grant: I64
    ready: I64
    wanted: I64  # when each would have begun had a server been free
    rank: I64
    recall: float
    late: float
    overtaken: float
    wait_ns: int  # the sum of all waits

    @property
    def first_come(self) -> bool:
        """Whether it is served first come, first served, as far as the traces show."""
        return self.late <= MOST_LATE and self.overtaken <= MOST_OVERTAKEN


def evidence_of(one: Candidate) -> LineEvidence | None:
    """The evidence for a line before these calls; None where too few wait, or they do not begin when a server is released."""
    if one.per == WITHIN:
        one = _crowded(one)
    if len(one.node) < LEAST_CALLS:
        return None
    servers, freed, free_since, queued, full_since = walk(one.begins, one.start, one.end, one.base)
    if queued.sum() < RECALL * LEAST_QUEUED:
        return None
    found_free = free_since <= one.base
    lead, spread = _lead(one, found_free)
    wanted = one.base + lead
    due = all_taken(one.begins, one.start, one.end, freed, servers, wanted)
    if due.sum() < max(LEAST_QUEUED, LEAST_SHARE * len(due)) or (queued & due).sum() < RECALL * due.sum():
        return None
    if one.per == WITHIN and not _anyone_lets_in(one, queued, free_since, servers):
        return None
    late = found_free & (one.start - one.base > 3 * np.maximum(lead, 100_000) + 1_000_000)
    grant = np.where(queued, free_since, one.start)
    slack = np.maximum(np.maximum(2 * spread, 0.1 * (grant - one.base)), 1_000_000.0)
    ready, rank, overtaken = ready_times(one.begins, one.start, grant, queued, wanted, full_since, slack)
    return LineEvidence(
        one, servers, queued, grant, ready, wanted, rank,
        recall=float((queued & due).sum() / due.sum()),
        late=float(late.sum() / found_free.sum()) if found_free.any() else 0.0,
        overtaken=overtaken / int(queued.sum()),
        wait_ns=int((grant - ready)[queued].sum()),
    )  # fmt: skip


def _lead(one: Candidate, free: Bool) -> tuple[I64, F64]:
    """How long after its base a call that finds a server free begins, and how much that varies; per place where enough do. If
    nearly all calls wait, the soonest ones give it: anything more may be the wait."""
    gap = one.start - one.base
    n = len(gap)
    usual = float(np.median(gap[free])) if free.sum() >= LEAST_QUEUED else float(np.quantile(gap, SOONEST))
    lead, spread = np.full(n, usual), np.full(n, 1e6)
    places, number = np.unique(one.place, return_inverse=True)
    order = np.argsort(number, kind="stable")
    begins = np.searchsorted(number[order], np.arange(len(places) + 1))
    for k in range(len(places)):
        here = order[begins[k] : begins[k + 1]]
        gaps = gap[here][free[here]]
        if len(gaps) >= LEAST_QUEUED:
            middle = float(np.median(gaps))
            lead[here], spread[here] = middle, float(np.quantile(gaps, 0.9)) - middle
        elif len(here) >= LEAST_QUEUED and free.sum() >= LEAST_QUEUED:
            lead[here] = float(np.quantile(gap[here], SOONEST))
    return lead.astype(np.int64), spread


def _crowded(one: Candidate) -> Candidate:
    """The instances with more members than ever run at once in any instance, if nearly all of them reach that number."""
    servers = walk(one.begins, one.start, one.end, one.base)[0]
    c, members = int(servers.max(initial=0)), np.diff(one.begins)
    large = members > c
    if c < 2 or large.sum() < LEAST_QUEUED or (servers[large] == c).mean() < 0.95:
        large[:] = False
    kept = np.repeat(large, members)
    begins = np.append(0, np.cumsum(members[large])).astype(np.int64)
    start, end, base, place = (column[kept] for column in (one.start, one.end, one.base, one.place))
    return Candidate(one.per, one.node[kept], one.last[kept], begins, start, end, base, place)


def _anyone_lets_in(one: Candidate, queued: Bool, free_since: I64, servers: I64) -> bool:
    """Whether it varies which call's end lets which one start; in a fixed order of code it is always the same one."""
    kind = one.place  # of operation and what it followed
    place = _place_among_equals(one)
    by = same_one_lets_in(one.begins, queued, free_since, one.end, place, kind)
    whom = (kind << 20) + place
    known = by >= 0
    pairs, counts = np.unique(np.stack([whom[known], by[known]], axis=1), axis=0, return_counts=True)
    _, of = np.unique(pairs[:, 0], return_inverse=True)
    most = np.zeros(of.max(initial=-1) + 1, np.int64)
    np.maximum.at(most, of, counts)
    return bool(most.sum() <= SAME_ONE * counts.sum())


def _place_among_equals(one: Candidate) -> I64:
    """The index of each hold of an instance among those of its kind."""
    instance = np.repeat(np.arange(len(one.begins) - 1), np.diff(one.begins))
    order = np.lexsort((one.start, one.place, instance))
    key_changes = np.append(
        True,
        (np.diff(instance[order]) != 0) | (np.diff(one.place[order]) != 0),
    )
    first = np.maximum.accumulate(np.where(key_changes, np.arange(len(order)), 0))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - first
    return place

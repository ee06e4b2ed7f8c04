"""Calls that wait for a lock or for a few slots during their self time (docs/reference/method.md, Lines)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from overbudget.analysis.whatif.candidates import LEAST_QUEUED
from overbudget.kernels.columns import I32, I64, Bool
from overbudget.kernels.replay import Shape
from overbudget.kernels.server_lines import by_number, how_many_overlap, levels, own_time_walk, spearman

LEAST_CALLS = 100
SLOTS = (1, 2, 3, 4, 5, 6, 8)
MOST_OVERTAKEN = 0.05
LEAST_SLOPE = 0.4  # ns that a call takes longer for each ns of wait; 0.7 to 1 in simulated lines, 0 without one
MOST_WITH_LOAD = (
    0.3  # rank correlation of the durations of calls that find a server free with the number of concurrent calls
)


@dataclass(frozen=True)
class OwnTime:
    """Leaf calls that hold one of `servers` from `grant` to their end; they work for `before_ns` before they ask for one."""

    node: I32
    servers: int
    grant: I64
    queued: Bool
    before_ns: int
    rank: I64
    longer_by_wait: float  # ns that a call takes longer for each ns that it waits


def waits_in_own_time(shape: Shape) -> Iterator[OwnTime]:
    """Leaf operations whose calls take longer by the remaining time of the call before, and are otherwise alike."""
    leaf = (shape.parent >= 0) & (shape.first[1:] == shape.first[:-1])
    leaves, calls = (np.bincount(shape.kind[some], minlength=shape.kinds) for some in (leaf, shape.parent >= 0))
    begins, nodes = by_number(shape.kind, shape.kinds)
    for kind in np.flatnonzero((leaves >= LEAST_CALLS) & (leaves >= 0.95 * calls)).tolist():
        node = nodes[begins[kind] : begins[kind + 1]]
        node = node[leaf[node]]
        start, end = shape.start[node], shape.end[node]
        by_start = np.argsort(start, kind="stable")
        if how_many_overlap(start[by_start], end[by_start]) < _least_queued(len(node)):
            continue  # no call can have waited
        by_end = by_start[np.argsort(end[by_start], kind="stable")]
        order, best = by_end, None
        for servers in SLOTS:
            if servers == SLOTS[1]:
                order = by_end[np.argsort(start[by_end], kind="stable")]
            found, more = _told(node, start, end, servers, order)
            if found is not None and (best is None or found.longer_by_wait > best.longer_by_wait):
                best = found
            elif best is not None or not more:
                break  # one server more or less than there are: waits tell less of what calls take
        if best is not None:
            yield best


def _least_queued(calls: int) -> float:
    return max(LEAST_QUEUED, 0.01 * calls)


def _told(node: I32, start: I64, end: I64, servers: int, order: I64) -> tuple[OwnTime | None, bool]:
    """The line with `servers` slots, if the calls show it, in `order`; and whether more slots are worth trying."""
    most_bad = int(0.01 * len(node))
    grant, bad = own_time_walk(order, start, end, servers, most_bad)
    if bad > most_bad:
        return None, True
    queued = grant > start
    waited, free = int(queued.sum()), int((~queued).sum())
    if waited < _least_queued(len(node)):
        return None, False
    if free < LEAST_QUEUED or bad > 0.01 * waited:
        return None, True
    hold, took = (end - grant).astype(np.float64), (end - start).astype(np.float64)
    if servers == 1 and _overtaken(order, start, grant, queued) > MOST_OVERTAKEN:
        return None, True
    (low_q, mid_q, high_q), (low_f, mid_f, high_f) = (
        np.quantile(hold[some], (0.05, 0.5, 0.95)) for some in (queued, ~queued)
    )
    alike = low_q >= 0.5 * low_f and 0.5 * mid_f <= mid_q <= 1.5 * mid_f and high_q <= 1.5 * high_f
    if not alike or np.median(took[queued]) < 1.25 * np.median(took[~queued]):
        return None, True
    if spearman(levels(start, end, start), hold.astype(np.int64), ~queued) >= MOST_WITH_LOAD:
        return None, True  # slower with each concurrent call, a server free or not: shared capacity, not a line
    longer = _slope_by_waits(order, start, end, grant)
    if longer < LEAST_SLOPE:
        return None, True
    rank = np.empty(len(node), np.int64)
    rank[order] = np.arange(len(node))
    return OwnTime(node, servers, grant, queued, max(0, int(mid_f - mid_q)), rank, longer), True


def _slope_by_waits(order: I64, start: I64, end: I64, grant: I64) -> float:
    """How much longer a call takes per ns that its wait exceeds that of the last call but one: about 1 where calls do wait, about 0
    where all calls of that time are slow for another reason. The last call is left out, because its duration is part of both."""
    took, wait = (end - start)[order].astype(np.float64), (grant - start)[order].astype(np.float64)
    both = (wait[2:] > 0) & (wait[:-2] > 0)
    longer, waited = (took[2:] - took[:-2])[both], (wait[2:] - wait[:-2])[both]
    varies = float(waited @ waited)
    return float(longer @ waited) / varies if varies else 0.0


def _overtaken(order: I64, start: I64, grant: I64, queued: Bool) -> float:
    """Of those that waited, the share that started well after one that came later."""
    latest = np.maximum.accumulate(start[order])
    by = np.empty(len(start), np.int64)
    by[order] = latest - start[order]
    return float((by[queued] > 0.1 * (grant - start)[queued] + 1_000_000).mean())

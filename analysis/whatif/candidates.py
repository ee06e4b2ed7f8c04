"""Where there may be a limited number of servers: sets of calls that may share them (docs/reference/method.md, Lines)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from overbudget.kernels.columns import I32, I64, Bool
from overbudget.kernels.replay import Graph, Shape
from overbudget.kernels.server_lines import after_others, by_number, grouped, mostly, overlaps_a_sibling

LEAST_CALLS = 50
LEAST_QUEUED = 20
LEAST_SHARE = 0.005
WITHIN = "within one request"  # the servers of a candidate are those of one parent


@dataclass(frozen=True)
class Callers:
    """Every span by node: what may wait in line, and what distinguishes the servers (codes, -1 for unknown)."""

    shape: Shape
    base: I64  # when everything that the span waits for had happened
    follows: I32  # operation of the call it followed
    service: I32
    pod: I32
    peer: I32
    model: I32
    at_once: Bool  # of an operation whose calls mostly overlap a sibling

    @cached_property
    def by_kind(self) -> tuple[I64, I32]:
        """The spans of each operation in order: those of k are `nodes[begins[k]:begins[k + 1]]`."""
        begins, nodes = by_number(self.shape.kind, self.shape.kinds)
        return begins, nodes

    def called(self, kind: int) -> I32:
        """The spans of an operation that have a parent."""
        begins, nodes = self.by_kind
        node = nodes[begins[kind] : begins[kind + 1]]
        return node[self.shape.parent[node] >= 0]


@dataclass(frozen=True)
class Candidate:
    """Calls that may share servers: by instance (`begins`), then start. `node` takes a server, the end of `last` releases it."""

    per: str  # "", "pod", "peer", "model", "caller", "rate" or WITHIN
    node: I32
    last: I32
    begins: I64
    start: I64
    end: I64
    base: I64
    place: I64  # a number for the call's operation and what it followed
    period_ns: int = 0


def callers_of(shape: Shape, graph: Graph, codes: tuple[I32, I32, I32, I32], at_once: Bool | None = None) -> Callers:
    """`codes` are service, pod, peer and model of each node; `at_once` is the result of `mostly_at_once`, if computed already."""
    follows = np.where(graph.follows >= 0, shape.kind[np.maximum(graph.follows, 0)], -1).astype(np.int32)
    at_once = mostly_at_once(shape) if at_once is None else at_once
    return Callers(shape, shape.start - graph.lag[0::2], follows, *codes, at_once)


def mostly_at_once(shape: Shape) -> Bool:
    """The spans of operations whose calls mostly overlap a sibling, under parents of one operation."""
    overlaps = overlaps_a_sibling(shape.first, shape.by_start, shape.start, shape.end)
    return np.asarray(mostly(shape.parent, shape.kind, shape.kinds, overlaps))


def candidates(callers: Callers) -> Iterator[Candidate]:
    """All sets of calls that may share servers, of which some begin later than they could."""
    shape = callers.shape
    late = _kinds_that_begin_late(callers)
    may = (shape.parent >= 0) & late[shape.kind]
    alone = []
    for kind in np.flatnonzero(late).tolist():
        node = callers.called(kind)
        alone.append(_candidate(callers, "", node, np.zeros(len(node), np.int64)))
        yield alone[-1]
        for per, codes in (("pod", callers.pod), ("peer", callers.peer), ("model", callers.model)):
            instance = codes[node]
            if instance.min() < instance.max():
                yield _candidate(callers, per, node, instance.astype(np.int64))
    for per, codes in (("peer", callers.peer), ("model", callers.model)):
        for code in np.unique(codes[may & (codes >= 0)]).tolist():
            node = np.flatnonzero((codes == code) & (shape.parent >= 0)).astype(np.int32)
            if len(np.unique(shape.kind[node])) > 1:
                yield _candidate(callers, per, node, np.zeros(len(node), np.int64))
    yield from _connections(callers, may)
    yield from _within_requests(callers)
    yield from _rates(alone)


def _kinds_that_begin_late(callers: Callers) -> Bool:
    """Operations of which enough calls begin later than the earliest ones do."""
    shape = callers.shape
    gap, late = shape.start - callers.base, np.zeros(shape.kinds, bool)
    for one in range(shape.kinds):
        gaps = gap[callers.called(one)]
        if len(gaps) >= LEAST_CALLS:
            soon = np.partition(gaps, len(gaps) // 100)[len(gaps) // 100]
            begins_late = np.count_nonzero(gaps >= 2 * max(soon, 0) + 100_000)
            late[one] = begins_late >= max(LEAST_QUEUED, LEAST_SHARE * len(gaps))
    return late


def _candidate(
    callers: Callers, per: str, node: I32, instance: I64, last: I32 | None = None, base: I64 | None = None
) -> Candidate:
    order, begins = grouped(node, instance, callers.shape.start[node])
    last = node if last is None else last
    base = callers.base[node] if base is None else base
    node, last = node[order], last[order]
    place = callers.shape.kind[node].astype(np.int64) * (callers.shape.kinds + 1) + callers.follows[node] + 1
    return Candidate(per, node, last, begins, callers.shape.start[node], callers.shape.end[last], base[order], place)


def _connections(callers: Callers, may: Bool) -> Iterator[Candidate]:
    """What one pod of a service shares to reach a peer: held for each call, or from a parent's first call to its last."""
    shape = callers.shape
    calls = (callers.peer >= 0) & (shape.parent >= 0)
    for service in np.unique(callers.service[calls & may]).tolist():
        node = np.flatnonzero(calls & (callers.service == service)).astype(np.int32)
        instance = (callers.pod[node].astype(np.int64) + 1) << 32 | callers.peer[node]
        if len(np.unique(shape.kind[node])) > 1:
            yield _candidate(callers, "caller", node, instance)
        run = shape.parent[node].astype(np.int64) << 32 | np.unique(instance, return_inverse=True)[1]
        order = np.lexsort((node, shape.start[node], run))
        first = np.flatnonzero(np.append(True, run[order][1:] != run[order][:-1]))
        if len(first) == len(node):
            continue
        ends = shape.end[node[order]]
        latest = np.maximum.reduceat(ends, first)
        lengths = np.diff(np.append(first, len(node)))
        is_last = ends == np.repeat(latest, lengths)
        last = np.maximum.reduceat(np.where(is_last, np.arange(len(node)), -1), first)
        opens = node[order][first]
        yield _candidate(callers, "caller", opens, instance[order][first], node[order][last])


def _within_requests(callers: Callers) -> Iterator[Candidate]:
    """Siblings that overlap, but never more than some number: a limit within each parent."""
    shape = callers.shape
    at_once = callers.at_once
    member = np.flatnonzero(at_once).astype(np.int32)
    up = shape.kind[shape.parent[member]]
    for kind in np.flatnonzero(np.bincount(up, minlength=shape.kinds)).tolist():
        node = member[up == kind]
        if len(node) >= LEAST_CALLS:
            base = after_others(shape.first, shape.by_start, shape.parent, shape.start, shape.end, node, at_once)
            yield _candidate(callers, WITHIN, node, shape.parent[node].astype(np.int64), base=base)


def _rates(alone: Sequence[Candidate]) -> Iterator[Candidate]:
    """Operations whose late calls begin at a constant interval: a rate limit."""
    for one in alone:
        gap = one.start - one.base
        late = gap > 3 * np.quantile(gap, 0.1) + 1_000_000
        late[0] = False
        apart = np.diff(one.start, prepend=one.start[0])
        if late.sum() < LEAST_QUEUED:
            continue
        period = int(np.median(apart[late]))
        near = np.abs(apart - period) <= max(0.02 * period, 1_000)
        if period > 0 and near[late].mean() >= 0.9 and (apart[1:] < 0.98 * period).mean() <= 0.01:
            period = int(np.quantile(apart[late & near], 0.01))
            yield Candidate(
                "rate", one.node, one.node, one.begins, one.start, one.start + period, one.base, one.place, period
            )

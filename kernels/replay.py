"""Replays: requests re-timed with some of their work changed (docs/reference/method.md, What-if).

Every span has two events, its start (2 * node) and its end (2 * node + 1). A start waits for the ends of the siblings it depends
on, or for its parent's start; an end waits for the ends of all that the span waits for. The pause after the last of them is
the parent's self time before a start, and the span's self time before its end. Only these self times change; everything
else follows. A start or an end may also have to wait in a queue (`Queues`), together with those of all other requests.
"""

import heapq
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overbudget.kernels.children import children_by
from overbudget.kernels.columns import I32, I64, Bool, Tree
from overbudget.kernels.dependence import depends, pairs_of_siblings, resolution_ns, waiters
from overbudget.kernels.hedges import lost_legs
from overbudget.kernels.jit import kernel
from overbudget.kernels.threads import together

F64 = npt.NDArray[np.float64]
MOST_LOOKED_AT = 2_000  # earlier siblings of a span that it may depend on
NEVER = -(2**62)


class Shape(NamedTuple):
    """What every replay needs to know of the trees. The children of node n are `by_start[first[n]:first[n + 1]]`; the spans
    it waits for are `awaited[begins[n]:begins[n + 1]]`, by end."""

    parent: I32  # -1 where the parent is not part of the request
    start: I64
    end: I64
    downwards: I32
    kind: I32  # of operation: service and name
    kinds: int
    first: I64
    by_start: I32
    waiter: I32  # the ancestor that waits for it, -1 for none
    begins: I64
    awaited: I32
    pair_keys: I64  # of operations of siblings, see pairs_of_siblings
    pairs: I32
    retry_of: I32  # the failed sibling it repeats, which alone it depends on; -1 for none
    lost: Bool  # calls of hedged pairs that nothing waits for, as the other one answered first
    tick: int  # the clock's resolution


class Graph(NamedTuple):
    """What follows each event: `after[first[e]:first[e + 1]]`. It happens `lag[e]` after the last of `waits[e]` events."""

    first: I64
    after: I32
    waits: I32
    lag: I64
    follows: I32  # of a start: the node whose end it followed; -1: its parent's start


class NodeChanges(NamedTuple):
    """The changes, per node."""

    factor: F64  # the span's self time is multiplied by this
    group: I32  # spans of one group start together; -1 for none
    groups: int
    at_once: Bool  # spans that begin without the pause before them
    gone: Bool  # spans that do not happen: they wait in no queue


class Queues(NamedTuple):
    """Queues for limited resources. `line[e]` is the queue that event e waits in, -1 for none."""

    line: I32
    servers: I64  # of each queue
    ready: I64  # from the last event that e waits for until e joins the queue
    delta: I64  # from getting a server until e happens
    rank: I64  # who goes first of those that join at the same time
    release: I32  # the event after which the server is released
    release_lag: I64  # how long after it


def no_change(nodes: int) -> NodeChanges:
    """Changes that change nothing."""
    none, nothing = np.full(nodes, -1, np.int32), np.zeros(nodes, np.bool_)
    return NodeChanges(np.ones(nodes), none, 0, nothing, nothing.copy())


def no_queues(nodes: int) -> Queues:
    """No queues."""
    nothing = np.zeros(0, np.int64)
    return Queues(np.full(2 * nodes, -1, np.int32), nothing, nothing, nothing, nothing, np.zeros(0, np.int32), nothing)


def shape_of(tree: Tree, request_of: I32, kind: I32, failed: Bool, retry_of: I32 | None = None) -> Shape:
    """Prepare the spans of `tree` that belong to requests (request_of >= 0) for replays.

    `kind` is a number for each node's service and name; `failed` says which ended in an error.
    """
    parent = tree.parent
    inside = (parent >= 0) & (request_of >= 0)
    inside[inside] = request_of[parent[inside]] == request_of[inside]
    parent = np.where(inside, parent, -1).astype(np.int32)
    kind, kinds = kind.astype(np.int32), int(kind.max(initial=0)) + 1
    tick = resolution_ns(tree.start, tree.end)
    (first, by_start), (_, by_end) = together(
        lambda: children_by(parent, tree.start, tree.end), lambda: children_by(parent, tree.end, tree.start)
    )

    def awaited_by() -> tuple[Bool, I32, I64, I32]:
        lost = lost_legs(parent, first, by_start, tree.start, tree.end, kind, kinds)
        waiter = waiters(parent, tree.end, kind, failed, lost, kinds, tick)
        return lost, waiter, *children_by(waiter, tree.end, tree.start)

    (keys, pairs), (lost, waiter, begins, awaited) = together(
        lambda: pairs_of_siblings(first, by_start, by_end, tree.start, tree.end, kind, kinds, tick), awaited_by
    )
    if retry_of is None:
        retry_of = np.full(len(parent), -1, np.int32)
    return Shape(
        parent, tree.start, tree.end, tree.downwards, kind, kinds, first, by_start, waiter, begins, awaited, keys,
        pairs, retry_of, lost, tick,
    )  # fmt: skip


@kernel
def _sibling(parent, node, up):
    """The child of `up` that is `node` or has `node` below it."""
    while parent[node] != up:
        node = parent[node]
    return node


@kernel
def _followed(shape, b, group, apart, line, found):
    """Fill `found` with what the start of `b` directly waits for; returns how many there are. Left out are those that one of
    them waited for itself, and the members of the group `apart` and of the same `line`."""
    parent, start, end, kind = shape.parent, shape.start, shape.end, shape.kind
    up, count, looked = parent[b], 0, 0
    low, high = shape.begins[up], shape.begins[up + 1]
    while low < high:  # the first that ended too late
        middle = (low + high) // 2
        if end[shape.awaited[middle]] <= start[b] + shape.tick:
            low = middle + 1
        else:
            high = middle
    for i in range(low - 1, shape.begins[up] - 1, -1):
        c = shape.awaited[i]
        a = _sibling(parent, c, up)
        looked += 1
        if looked > MOST_LOOKED_AT:
            break
        if a == b or start[a] > start[b] or (start[a] == start[b] and (end[a], a) > (end[b], b)):
            continue
        if (apart >= 0 and group[a] == apart) or (line[b] >= 0 and line[a] == line[b]):
            continue
        covered = False
        for k in range(count):
            d = _sibling(parent, found[k], up)
            plain = d != a and shape.retry_of[d] < 0 and group[d] < 0 and (line[d] < 0 or line[a] != line[d])
            if plain and end[c] <= start[d] and start[a] < start[d]:
                covered = depends(shape.pair_keys, shape.pairs, kind[up], kind[a], kind[d], shape.kinds)
            if covered:
                break
        if covered or not depends(shape.pair_keys, shape.pairs, kind[up], kind[a], kind[b], shape.kinds):
            continue
        if count < found.size:
            found[count] = c
            count += 1
    return count


@kernel
def _edges(shape, group, groups, line):
    """All pairs of events of which the second waits for the first, the lag of each event, and what each start followed."""
    parent, start, end = shape.parent, shape.start, shape.end
    n = parent.size
    room = 4 * n + 16
    before, later = np.empty(room, np.int32), np.empty(room, np.int32)
    lag, follows = np.zeros(2 * n, np.int64), np.full(n, -1, np.int32)
    found = np.empty(MOST_LOOKED_AT, np.int32)
    opener = np.full(groups, -1, np.int32)  # the first of each group to start
    count = 0
    for up in range(n):
        for i in range(shape.first[up], shape.first[up + 1]):
            b = shape.by_start[i]
            if shape.retry_of[b] >= 0:
                found[0] = shape.retry_of[b]
                held = 1
            else:
                held = _followed(shape, b, group, -1, line, found)
            base = start[up]
            for k in range(held):
                base = max(base, end[found[k]])
                if end[found[k]] == base:
                    follows[b] = found[k]
            lag[2 * b] = start[b] - base
            if group[b] >= 0 and shape.retry_of[b] < 0:
                if opener[group[b]] < 0:
                    opener[group[b]] = b
                held = _followed(shape, opener[group[b]], group, group[b], line, found)
            if count + held + 1 > before.size:
                before, later = np.append(before, np.empty_like(before)), np.append(later, np.empty_like(later))
            for k in range(held):
                before[count], later[count] = 2 * found[k] + 1, 2 * b
                count += 1
            if held == 0:
                before[count], later[count] = 2 * up, 2 * b
                count += 1
        low, high = shape.begins[up], shape.begins[up + 1]
        base = start[up]
        if count + high - low + 1 > before.size:
            more = max(before.size, high - low + 1)
            before, later = np.append(before, np.empty(more, np.int32)), np.append(later, np.empty(more, np.int32))
        for i in range(low, high):
            base = max(base, end[shape.awaited[i]])
            before[count], later[count] = 2 * shape.awaited[i] + 1, 2 * up + 1
            count += 1
        before[count], later[count] = 2 * up, 2 * up + 1
        count += 1
        lag[2 * up + 1] = end[up] - base
    return before[:count], later[:count], lag, follows


@kernel
def _by_first(before, later, events):
    first, waits = np.zeros(events + 1, np.int64), np.zeros(events, np.int32)
    for i in range(before.size):
        first[before[i] + 1] += 1
        waits[later[i]] += 1
    first = np.cumsum(first)
    fill, after = first.copy(), np.empty(before.size, np.int32)
    for i in range(before.size):
        after[fill[before[i]]] = later[i]
        fill[before[i]] += 1
    return first, after, waits


def graph_of(shape: Shape, group: I32 | None = None, groups: int = 0, line_of: I32 | None = None) -> Graph:
    """What happens after what. The members of a group do not wait for one another, but for what the first of them waits for;
    siblings with the same number in `line_of` wait for a server, not for one another."""
    none = np.full(len(shape.parent), -1, np.int32)
    group, line_of = none if group is None else group, none if line_of is None else line_of
    before, later, lag, follows = _edges(shape, group, groups, line_of)
    first, after, waits = _by_first(before, later, 2 * len(shape.parent))
    return Graph(first, after, waits, lag, follows)


@kernel
def _scaled(ns, factor):
    return ns if factor == 1.0 else np.int64(np.round(ns * factor))


@kernel
def _changed(parent, ns, factor, at_once):
    """The changed self times before events: before a start the parent's, before an end the span's."""
    out = ns.copy()
    for node in range(parent.size):
        if parent[node] >= 0:
            out[2 * node] = 0 if at_once[node] else _scaled(ns[2 * node], factor[parent[node]])
        out[2 * node + 1] = _scaled(ns[2 * node + 1], factor[node])
    return out


@kernel
def _happen(graph, lag, parent, start, queues, servers):
    """When every event happens. Queues are first come, first served: a heap holds the next requests and releases of servers."""
    line, ready, delta = queues.line, queues.ready, queues.delta
    events = graph.waits.size
    waits, at = graph.waits.copy(), np.full(events, NEVER, np.int64)
    stack, top = np.empty(events, np.int32), 0
    for node in range(parent.size):
        if parent[node] < 0:
            at[2 * node] = start[node]
            stack[top] = 2 * node
            top += 1
    queued = servers.size > 0
    returns, also = np.full(events if queued else 0, -1, np.int32), np.full(events if queued else 0, -1, np.int32)
    if queued:
        for e in range(events):
            if line[e] >= 0:  # those that release at the same event, as a chain
                also[e] = returns[queues.release[e]]
                returns[queues.release[e]] = e
    free = servers.copy()
    coming = [(np.int64(0), np.int64(0), np.int64(0), np.int64(0))]
    coming.pop()
    standing = [[(np.int64(0), np.int64(0), np.int64(0))] for _ in range(max(servers.size, 1))]
    for one in standing:
        one.pop()
    while True:
        while top > 0:
            top -= 1
            e = stack[top]
            if queued:
                back = returns[e]
                while back >= 0:
                    heapq.heappush(coming, (at[e] + queues.release_lag[back], np.int64(0), np.int64(0), np.int64(back)))
                    back = also[back]
            for i in range(graph.first[e], graph.first[e + 1]):
                x = graph.after[i]
                at[x] = max(at[x], at[e])
                waits[x] -= 1
                if waits[x] == 0:
                    if queued and line[x] >= 0:
                        heapq.heappush(coming, (at[x] + ready[x], np.int64(1), queues.rank[x], np.int64(x)))
                    else:
                        at[x] += lag[x]
                        stack[top] = x
                        top += 1
        if len(coming) == 0:
            return at
        now, asks, rank, x = heapq.heappop(coming)
        r = line[x]
        if asks:
            heapq.heappush(standing[r], (now, rank, x))
        else:
            free[r] += 1
        while free[r] > 0 and len(standing[r]) > 0:
            _, _, x = heapq.heappop(standing[r])
            free[r] -= 1
            at[x] = now + delta[x]
            stack[top] = x
            top += 1


@kernel
def spread(parent, downwards, factor):
    """Pass each factor other than 1 on to all spans below its span; below it, no other factor counts."""
    out = factor.copy()
    for k in range(downwards.size):
        node = downwards[k]
        up = parent[node]
        if up >= 0 and out[up] != 1.0:
            out[node] = out[up]
    return out


def replay(shape: Shape, graph: Graph, change: NodeChanges, queues: Queues | None = None) -> I64:
    """int64[2 * nodes]: when each span starts and ends (2 * node, 2 * node + 1). Without queues and changes it is as recorded,
    to the nanosecond. `graph` must be made with the change's groups."""
    lag = _changed(shape.parent, graph.lag, change.factor, change.at_once)
    if queues is None or not len(queues.servers):
        queues = no_queues(len(shape.parent))
    else:
        out = np.repeat(change.gone, 2) & (queues.line >= 0)
        lag[out] = 0  # what passed before was the wait
        delta = queues.delta.copy()
        delta[1::2] = np.round(delta[1::2] * change.factor)  # the end of a call that waits during its self time
        ready = _changed(shape.parent, queues.ready, change.factor, change.at_once)
        queues = queues._replace(line=np.where(out, np.int32(-1), queues.line), ready=ready, delta=delta)
    return np.asarray(_happen(graph, lag, shape.parent, shape.start, queues, queues.servers))


def warm_up() -> None:
    """Load the machine code of replays, so that it is ready when the spans are."""
    parent, at = np.array([-1, 0], np.int32), np.array([0, 0], np.int64)
    nothing = np.zeros(0, np.int64)
    tree = Tree(
        row=parent, trace=parent, parent=parent, start=at, end=at, skew=nothing, operation=parent,
        span_id=nothing.astype(np.uint64), problem=np.zeros(2, np.uint8), downwards=np.arange(2, dtype=np.int32),
    )  # fmt: skip
    shape = shape_of(tree, np.zeros(2, np.int32), parent + 1, np.zeros(2, bool))
    replay(shape, graph_of(shape), no_change(2))


def lengths(events: I64) -> I64:
    """int64[nodes]: the duration of each span, from the result of `replay`."""
    return events[1::2] - events[0::2]

"""Queues for a limited number of servers: which calls waited, when each got a server, how many servers there are.

A hold is the time for which a server is taken. Holds are given per instance of the resource (`begins`), each by start. There are
as many servers as were ever taken at once; a hold that starts takes the server that has been free for the longest.
"""

import heapq

import numpy as np
import numpy.typing as npt

from overbudget.kernels.columns import I32, I64, Bool
from overbudget.kernels.jit import kernel
from overbudget.kernels.tally import FREE, grown, slot_of, tally

LEAST_TOLERANCE_NS = 100_000
NEVER = -(2**62)


@kernel
def most_at_once(start, freed):
    """The greatest number of holds of one instance at one time: starts and ends in order, ends first at ties."""
    gone, most = 0, 0
    for i in range(start.size):
        while gone < i and freed[gone] <= start[i]:
            gone += 1
        most = max(most, i + 1 - gone)
    return most


@kernel
def walk(begins, start, end, base):
    """Per instance: the servers, and the ends in order. Per hold: when its server had become free, whether it queued for it,
    and since when all had been taken."""
    n = start.size
    servers = np.zeros(begins.size - 1, np.int64)
    freed, free_since = np.empty(n, np.int64), np.full(n, NEVER, np.int64)
    queued, full_since = np.zeros(n, np.bool_), np.full(n, NEVER, np.int64)
    for k in range(begins.size - 1):
        low, high = begins[k], begins[k + 1]
        if low == high:
            continue
        freed[low:high] = np.sort(end[low:high])
        c = most_at_once(start[low:high], freed[low:high])
        servers[k] = c
        hold = np.median((end[low:high] - start[low:high]).astype(np.float64))
        between = (freed[high - 1] - start[low]) / (high - low)
        tolerance = max(float(LEAST_TOLERANCE_NS), min(0.1 * between, 0.1 * hold))
        gone, full = low, np.int64(NEVER)
        for i in range(low, high):
            while gone < i and freed[gone] <= start[i]:
                gone += 1
            if i - c >= low:
                free_since[i] = freed[i - c]
                queued[i] = free_since[i] > base[i] and start[i] - free_since[i] <= tolerance
            if not queued[i] and i + 1 - gone >= c:
                full = start[i]
            full_since[i] = full
    return servers, freed, free_since, queued, full_since


@kernel
def all_taken(begins, start, end, freed, servers, wanted):
    """Whether all servers were taken by others when each hold was `wanted`."""
    due = np.zeros(start.size, np.bool_)
    for k in range(begins.size - 1):
        low, high = begins[k], begins[k + 1]
        for i in range(low, high):
            begun = np.searchsorted(start[low:high], wanted[i], side="right")
            over = np.searchsorted(freed[low:high], wanted[i], side="right")
            itself = 1 if start[i] <= wanted[i] < end[i] else 0
            due[i] = begun - over - itself >= servers[k]
    return due


@kernel
def ready_times(begins, start, grant, queued, wanted, full_since, slack):
    """When each hold joined the queue, its place in the order of grants, and how many of those that queued were overtaken.

    A hold is overtaken where one that joined more than `slack` later got a server before it.
    """
    ready, rank, overtaken = start.copy(), np.zeros(start.size, np.int64), 0
    for k in range(begins.size - 1):
        low, high = begins[k], begins[k + 1]
        order = low + np.argsort(grant[low:high], kind="mergesort")
        latest = np.int64(NEVER)
        for place in range(order.size):
            i = order[place]
            rank[i] = place
            if queued[i]:
                own = min(max(wanted[i], full_since[i]), grant[i])
                ready[i] = max(own, latest)
                overtaken += ready[i] - own > slack[i]
            latest = max(latest, ready[i])
    return ready, rank, overtaken


@kernel
def own_time_walk(order, start, end, servers, most_bad):
    """For calls that may wait during their self time: when each got its server, in `order`. The result does not count where more
    than `most_bad` of them would have held it for no time. Returns (grants, bad)."""
    grant, bad = start.copy(), 0
    free = [np.int64(NEVER) for _ in range(servers)]
    for i in order:
        since = heapq.heappop(free)
        grant[i] = max(start[i], since)
        bad += end[i] <= grant[i] and since > start[i]
        if bad > most_bad:
            break
        heapq.heappush(free, max(end[i], since))
    return grant, bad


@kernel
def by_number(number, numbers):
    """The positions of each number: those of k are `places[begins[k]:begins[k + 1]]`, in order."""
    begins = np.zeros(numbers + 1, np.int64)
    for i in range(number.size):
        begins[number[i] + 1] += 1
    begins = np.cumsum(begins)
    fill, places = begins.copy(), np.empty(number.size, np.int32)
    for i in range(number.size):
        places[fill[number[i]]] = i
        fill[number[i]] += 1
    return begins, places


@kernel
def how_many_overlap(start, end):
    """How many of the calls, in order of their starts, run at the same time as another one."""
    count, latest, counted = 0, np.int64(NEVER), False
    for i in range(start.size):
        overlaps = start[i] < latest and end[i] > start[i]
        if overlaps:
            count += 1 if counted else 2
            counted = True
        if end[i] > latest:
            latest, counted = end[i], overlaps
    return count


@kernel
def mostly(parent, kind, kinds, marked):
    """Which spans are of an operation, below a parent's operation, of which more than half are `marked`."""
    keys, counts = tally(2)
    used, found = 0, np.zeros(parent.size, np.bool_)
    for x in range(parent.size):
        if parent[x] < 0:
            continue
        if 2 * used > keys.size:
            keys, counts = grown(keys, counts)
        at = slot_of(keys, np.int64(kind[parent[x]]) * kinds + kind[x])
        if keys[at] == FREE:
            keys[at] = np.int64(kind[parent[x]]) * kinds + kind[x]
            used += 1
        counts[at, 0] += 1
        counts[at, 1] += marked[x]
    for x in range(parent.size):
        if parent[x] >= 0:
            at = slot_of(keys, np.int64(kind[parent[x]]) * kinds + kind[x])
            found[x] = 2 * counts[at, 1] > counts[at, 0]
    return found


@kernel
def overlaps_a_sibling(first, by_start, start, end):
    """Which spans run at the same time as a sibling."""
    found = np.zeros(start.size, np.bool_)
    for up in range(first.size - 1):
        latest, who = np.int64(NEVER), -1
        for i in range(first[up], first[up + 1]):
            x = by_start[i]
            if who >= 0 and start[x] < latest and end[x] > start[x]:
                found[x] = True
                found[who] = True
            if end[x] > latest:
                latest, who = end[x], x
    return found


@kernel
def after_others(first, by_start, parent, start, end, nodes, members):
    """For each of `nodes`: the latest end of its siblings that are no members and end before it, or its parent's start."""
    base = np.empty(nodes.size, np.int64)
    for k in range(nodes.size):
        node = nodes[k]
        base[k] = start[parent[node]]
        for i in range(first[parent[node]], first[parent[node] + 1]):
            x = by_start[i]
            if start[x] > start[node]:
                break
            if not members[x] and end[x] <= start[node]:
                base[k] = max(base[k], end[x])
    return base


@kernel
def same_one_lets_in(begins, queued, free_since, end, place, kind):
    """For each hold of one instance that queued: a number for its operation and place, and one for the hold whose end let it
    in; -1 where it did not queue."""
    let_in = np.full(queued.size, -1, np.int64)
    for k in range(begins.size - 1):
        for i in range(begins[k], begins[k + 1]):
            if not queued[i]:
                continue
            for j in range(begins[k], begins[k + 1]):
                if end[j] == free_since[i]:
                    let_in[i] = (np.int64(kind[j]) << 20) + place[j]
                    break
    return let_in


def levels(begun: I64, over: I64, at: I64) -> I64:
    """How many were running at each time: begun at or before it, not over yet."""
    run = np.searchsorted(np.sort(begun), at, side="right") - np.searchsorted(np.sort(over), at, side="right")
    return np.asarray(run, np.int64)


def grouped(nodes: I32, instance: I64, start: I64) -> tuple[I32, I64]:
    """`nodes` by instance, then start (of each), and where each instance begins."""
    if len(instance) and (instance == instance[0]).all() and (nodes[1:] > nodes[:-1]).all():
        order = np.argsort(start, kind="stable")
    else:
        order = np.lexsort((nodes, start, instance))
    of = instance[order]
    first = np.flatnonzero(np.append(True, of[1:] != of[:-1])) if len(of) else np.zeros(0, np.int64)
    return order.astype(np.int32), np.append(first, len(of)).astype(np.int64)


def spearman(a: I64, b: I64, chosen: Bool | None = None) -> float:
    """Rank correlation; ties share their mean rank. 0 where either does not vary."""
    x, y = (_ranks(one if chosen is None else one[chosen]) for one in (a, b))
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size else 0.0


def _ranks(values: I64) -> npt.NDArray[np.float64]:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place])

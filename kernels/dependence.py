"""Which calls wait for which, judged over all traces together (docs/reference/method.md, What waits for what).

One trace shows only that a call began after another had ended. Whether it waited for it shows in how often the two overlap
elsewhere, and in how soon one begins after the other has ended.
"""

import numpy as np

from overbudget.kernels.jit import kernel
from overbudget.kernels.tally import FREE, grown, slot_of, tally

LEAST_CASES = 20  # fewer show nothing
RARELY = 50  # "rarely" is at most one in so many
AT_ONCE_NS = 2_000_000  # a call that begins this soon after another ended was waiting for it
LEVELS = 8  # ancestors that are counted separately
MOST_KINDS = 256  # of children under one parent, beyond which its pairs are not counted
NEVER = np.int64(-(2**62))  # before all times
N, OVERLAP, AFTER, SOON = range(4)  # counters of a pair of operations under a parent


@kernel
def resolution_ns(start, end):
    """The clock's tick: 1 ms or 1 us where every start and end is a multiple of it, else 0."""
    for tick in (1_000_000, 1_000):
        even = start.size > 0
        for i in range(start.size):
            if start[i] % tick or end[i] % tick:
                even = False
                break
        if even:
            return tick
    return 0


@kernel
def waiters(parent, end, kind, failed, lost, kinds, tick):
    """int32[nodes]: the ancestor that waits for each span, -1 for none.

    It is the nearest one within which the span ends. Where spans of this operation often outlive the ancestor so many levels up,
    that ancestor waits for none of them. Parents that failed do not count: they gave up. Nothing waits for the `lost` calls of
    hedged pairs, and they are no evidence about the others.
    """
    keys, counts = tally(2 * LEVELS)
    used, n = 0, parent.size
    for x in range(n):
        up = parent[x]
        if up < 0 or lost[x]:
            continue
        if 2 * used > keys.size:
            keys, counts = grown(keys, counts)
        at = slot_of(keys, np.int64(kind[x]) * kinds + kind[up])
        if keys[at] == FREE:
            keys[at] = np.int64(kind[x]) * kinds + kind[up]
            used += 1
        counts[at, 0] += 1
        if end[x] > end[up] + tick and not failed[up]:
            counts[at, 1] += 1
    for x in range(n):
        if parent[x] < 0 or lost[x]:
            continue
        at = slot_of(keys, np.int64(kind[x]) * kinds + kind[parent[x]])
        up, level = parent[parent[x]], 1
        while counts[at, 1] and up >= 0 and level < LEVELS:
            counts[at, 2 * level] += 1
            if end[x] > end[up] + tick and not failed[up]:
                counts[at, 2 * level + 1] += 1
            up, level = parent[up], level + 1
    waiter = np.full(n, -1, np.int32)
    for x in range(n):
        if parent[x] < 0 or lost[x]:
            continue
        at = slot_of(keys, np.int64(kind[x]) * kinds + kind[parent[x]])
        up, level = parent[x], 0
        while up >= 0:
            cases = counts[at, 2 * level] if level < LEVELS else 0
            outlives = cases >= LEAST_CASES and counts[at, 2 * level + 1] * RARELY > cases
            if end[x] <= end[up] + tick and not outlives:
                waiter[x] = up
                break
            up, level = parent[up], level + 1
    return waiter


@kernel
def pairs_of_siblings(first, by_start, by_end, start, end, kind, kinds, tick):
    """A table from (operation of the parent, of A, of B) to: parents that have both, those where the two overlap by more than
    the clock's tick, B's that began after an A had ended, those that began at once then."""
    keys, counts = tally(4)
    used = 0
    local, stamp = np.zeros(kinds, np.int32), np.full(kinds, -1, np.int32)
    names, place = np.empty(MOST_KINDS, np.int32), np.empty(start.size, np.int32)
    for up in range(first.size - 1):
        low, high = first[up], first[up + 1]
        if high - low < 2:
            continue
        m = _number_kinds(up, low, high, by_start, kind, local, stamp, names, place)
        if m > MOST_KINDS:
            continue
        seen = _seen_below(low, high, by_start, by_end, start, end, kind, local, place, m, tick)
        for a in range(m):
            for b in range(m):
                if seen[a, b, N] == 0:
                    continue
                if 2 * used > keys.size:
                    keys, counts = grown(keys, counts)
                key = (np.int64(kind[up]) * kinds + names[a]) * kinds + names[b]
                at = slot_of(keys, key)
                if keys[at] == FREE:
                    keys[at] = key
                    used += 1
                for c in range(4):
                    counts[at, c] += seen[a, b, c]
    return keys, counts


@kernel(inner=True)
def _number_kinds(up, low, high, by_start, kind, local, stamp, names, place):
    """Number the operations among the children of `up` in the order of their first starts; returns how many there are, or
    MOST_KINDS + 1 where there are too many. `place` is the index of each child in `by_start`."""
    m = 0
    for i in range(low, high):
        place[by_start[i]] = i
        k = kind[by_start[i]]
        if stamp[k] != up:
            if m == MOST_KINDS:
                return MOST_KINDS + 1
            stamp[k], local[k], names[m] = up, m, k
            m += 1
    return m


@kernel(inner=True)
def _seen_below(low, high, by_start, by_end, start, end, kind, local, place, m, tick):
    """The counters of each pair of the `m` operations among one parent's children."""
    seen, members = np.zeros((m, m, 4), np.int32), np.zeros(m, np.int32)
    running, since = np.full(m, NEVER), np.zeros(m, np.int64)
    ended, at_once, j = np.full(m, NEVER), max(AT_ONCE_NS, 2 * tick), low
    for i in range(low, high):
        y = by_start[i]
        b = local[kind[y]]
        while j < high and end[by_end[j]] <= start[y] + tick and place[by_end[j]] < i:
            a = local[kind[by_end[j]]]
            ended[a] = max(ended[a], end[by_end[j]])
            j += 1
        for a in range(m):
            if running[a] > start[y] + tick and end[y] > since[a] + tick:
                seen[a, b, OVERLAP], seen[b, a, OVERLAP] = 1, 1
            if ended[a] > NEVER:
                seen[a, b, AFTER] += 1
                seen[a, b, SOON] += start[y] - ended[a] <= at_once
        if end[y] > running[b]:
            running[b], since[b] = end[y], start[y]
        members[b] += 1
    for a in range(m):
        for b in range(m):
            seen[a, b, N] = a != b or members[a] > 1
    return seen


@kernel
def depends(keys, counts, up, a, b, kinds):
    """Whether an operation `b` that begins after an `a` under an `up` waits for it."""
    at = slot_of(keys, (np.int64(up) * kinds + a) * kinds + b)
    if keys[at] == FREE or counts[at, N] < LEAST_CASES:
        return True
    if counts[at, OVERLAP] * RARELY <= counts[at, N]:
        return True
    return counts[at, AFTER] >= LEAST_CASES and counts[at, SOON] * 10 >= counts[at, AFTER] * 9

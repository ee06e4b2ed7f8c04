"""Hedged calls: a second call is sent when the first has no answer after a fixed time, and the first answer counts.

Recognised over all calls of an operation (docs/reference/method.md, Hedged calls): one pair shows only that two calls overlap.
The term is from J. Dean and L. A. Barroso, "The Tail at Scale", CACM 56 (2013).
"""

import numpy as np

from overbudget.kernels.columns import I32, I64, Bool
from overbudget.kernels.jit import kernel

LEAST_CASES = 20  # pairs, and calls that needed no second call
MOST_SPREAD = 0.1  # greatest coefficient of variation of the delay
MOST_UNLIKE = 0.05  # share of calls that were not hedged though they took longer, or of which more than two overlap
ALONE, OTHER = -1, -2


@kernel
def second_legs(first, by_start, start, end, kind, kinds):
    """For each call, the later sibling of the same operation that overlaps it; ALONE where none overlaps, OTHER for the later
    call itself. And per operation, how many calls overlap more than one other."""
    mate, crowded = np.full(start.size, ALONE, np.int32), np.zeros(kinds, np.int64)
    last, stamp = np.zeros(kinds, np.int32), np.full(kinds, -1, np.int32)
    for up in range(first.size - 1):
        if first[up + 1] - first[up] < 2:
            continue
        for i in range(first[up], first[up + 1]):
            y = by_start[i]
            k = kind[y]
            if stamp[k] == up and start[y] < end[last[k]]:
                x = last[k]
                mate[y] = OTHER
                if mate[x] == ALONE:
                    mate[x] = y
                else:
                    crowded[k] += 1
            stamp[k] = up
            if mate[y] == ALONE or end[y] > end[last[k]]:
                last[k] = y
    return mate, crowded


def lost_legs(parent: I32, first: I64, by_start: I32, start: I64, end: I64, kind: I32, kinds: int) -> Bool:
    """bool[nodes]: the calls of hedged pairs whose answer came second: nothing waits for them.

    Calls of an operation are hedged where second calls begin after a delay that hardly varies, and those without a second call
    took no longer than that delay.
    """
    mate, crowded = second_legs(first, by_start, start, end, kind, kinds)
    lost = np.zeros(len(parent), bool)
    heads = np.flatnonzero(mate >= 0)
    for k in np.unique(kind[heads]).tolist():
        one = heads[kind[heads] == k]
        delay = start[mate[one]] - start[one]
        if len(one) < LEAST_CASES or crowded[k] > MOST_UNLIKE * len(one):
            continue
        if delay.min() <= 0 or delay.std() >= MOST_SPREAD * delay.mean():
            continue
        alone = np.flatnonzero((kind == k) & (mate == ALONE) & (parent >= 0))
        longer = np.count_nonzero(end[alone] - start[alone] > delay.max())
        if len(alone) < LEAST_CASES or longer > MOST_UNLIKE * len(alone):
            continue
        second = mate[one]
        lost[np.where(end[second] < end[one], one, second)] = True
    return lost

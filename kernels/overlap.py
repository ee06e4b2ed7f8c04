"""Which intervals overlap which other intervals of the same group."""

import numpy as np

from overbudget.kernels.columns import I32, I64
from overbudget.kernels.jit import READ_I64, kernel


@kernel(signature=f"Tuple((int32[:], int32[:]))({', '.join([READ_I64] * 6)})")
def _overlapping(group, start, end, other_group, other_start, other_end):
    reach = other_end.copy()  # the latest end among each other interval and those before it in the group
    for j in range(1, reach.size):
        if other_group[j] == other_group[j - 1]:
            reach[j] = max(reach[j], reach[j - 1])
    one, other, count = np.empty(group.size + 1, np.int32), np.empty(group.size + 1, np.int32), 0
    for i in range(group.size):
        a, b = 0, other_group.size
        while a < b:
            middle = (a + b) // 2
            here = other_group[middle]
            if here < group[i] or (here == group[i] and other_start[middle] < end[i]):
                a = middle + 1
            else:
                b = middle
        j = a - 1
        while j >= 0 and other_group[j] == group[i] and reach[j] > start[i]:
            if other_end[j] > start[i]:
                if count == one.size:
                    one, other = np.append(one, one), np.append(other, other)
                one[count], other[count] = i, j
                count += 1
            j -= 1
    return one[:count], other[:count]


def overlapping(
    group: I64, start: I64, end: I64, other_group: I64, other_start: I64, other_end: I64
) -> tuple[I32, I32]:
    """Pairs of an interval and another one of its group that share an instant inside: the row of each.

    The others must be sorted by group, then start. An interval of no length is inside whatever runs around it.
    """
    one, other = _overlapping(group, start, end, other_group, other_start, other_end)
    return np.asarray(one), np.asarray(other)

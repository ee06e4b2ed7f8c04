"""Calls that were made again after they had failed."""

import numpy as np

from overbudget.kernels.columns import I32, I64, Bool


def retries(parent: I32, start: I64, end: I64, kind: I32, failed: Bool) -> I32:
    """int32[nodes]: the failed call that each one repeats, -1 for none.

    A call repeats the one of the same service and name (`kind`) under the same parent that started before it, if that one
    failed and had ended. Calls that overlap, and calls that follow a success, repeat nothing. A parent below 0 is none.
    """
    retry_of = np.full(len(parent), -1, np.int32)
    above = parent >= 0
    has_failed = np.zeros(len(parent), bool)
    has_failed[parent[failed & above]] = True
    calls = np.flatnonzero(above)
    calls = calls[has_failed[parent[calls]]]
    calls = calls[np.lexsort((calls, end[calls], start[calls], kind[calls], parent[calls]))]
    a, b = calls[:-1], calls[1:]
    again = (parent[a] == parent[b]) & (kind[a] == kind[b]) & failed[a] & (end[a] <= start[b])
    retry_of[b[again]] = a[again]
    return retry_of

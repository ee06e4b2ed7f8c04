"""Retries: calls that repeat one that failed."""

import numpy as np

from overbudget.kernels.columns import I32, I64, Bool


def retries(parent: I32, start: I64, end: I64, kind: I32, failed: Bool) -> I32:
    """int32[nodes]: the failed call that each call retries, -1 for none.

    A call retries the previous one of the same service and name (`kind`) under the same parent, if that one failed and
    had ended. Calls that overlap, and calls that follow a success, are no retries. A parent below 0 means no parent.
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

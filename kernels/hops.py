"""Time that passes between services (docs/reference/method.md, "Hops")."""

import numpy as np

from overbudget.kernels.columns import CLIENT, I8, I32, I64, PRODUCER, Tree
from overbudget.kernels.jit import kernel


@kernel
def remote_children(parent, start, service):  # type: ignore[no-untyped-def]
    """Children in another service than their parent's: those of span s are `child[first[s]:first[s + 1]]`, by start."""
    n = parent.size
    first = np.zeros(n + 1, np.int64)
    for node in range(n):
        if parent[node] >= 0 and service[node] != service[parent[node]]:
            first[parent[node] + 1] += 1
    first = np.cumsum(first)
    fill, child = first.copy(), np.empty(first[n], np.int32)
    for node in range(n):
        up = parent[node]
        if up >= 0 and service[node] != service[up]:
            child[fill[up]] = node
            fill[up] += 1
    for span in range(n):
        low, high = first[span], first[span + 1]
        for i in range(low + 1, high):
            if start[child[i]] < start[child[i - 1]]:  # nodes stand by start, but a clock was adjusted
                some = child[low:high].copy()
                child[low:high] = some[np.argsort(start[some], kind="mergesort")]
                break
    return first, child


@kernel
def _last_ended(first, child, end):  # type: ignore[no-untyped-def]
    """Of each remote child and those before it under the same span, the one that ended last."""
    last = child.copy()
    for span in range(first.size - 1):
        for i in range(first[span] + 1, first[span + 1]):
            if end[last[i - 1]] > end[child[i]]:
                last[i] = last[i - 1]
    return last


@kernel(allocates=False)
def _nearest(children, last, seg_start, seg_end, start, end):  # type: ignore[no-untyped-def]
    """The child nearest in time to a segment; of two as near, the one that is called next."""
    a, b = 0, children.size
    while a < b:
        middle = (a + b) // 2
        if start[children[middle]] >= seg_end:
            b = middle
        else:
            a = middle + 1
    if a == 0:
        return children[0]
    before = last[a - 1]
    if a < children.size and start[children[a]] - seg_end <= max(seg_start - end[before], 0):
        return children[a]
    return before


@kernel
def _hops(node, seg_start, seg_end, first, child, last, start, end, service, kind, peer):  # type: ignore[no-untyped-def]
    hop = np.full(node.size, -1, np.int32)
    for i in range(node.size):
        span = node[i]
        low, high = first[span], first[span + 1]
        if high > low:
            hop[i] = service[_nearest(child[low:high], last[low:high], seg_start[i], seg_end[i], start, end)]
        elif (kind[span] == CLIENT or kind[span] == PRODUCER) and peer[span] >= 0:
            hop[i] = peer[span]
    return hop


def hops(node: I32, seg_start: I64, seg_end: I64, tree: Tree, service: I32, kind: I8, peer: I32) -> I32:
    """int32[segments]: where each segment was passing to, or -1 where its time is the span's own.

    That is the service of the nearest remote child of the segment's span `node`; for a call span without any, its
    `peer`. `service`, `kind` and `peer` are per span of `tree`.
    """
    first, child = remote_children(tree.parent, tree.start, service)
    last = _last_ended(first, child, tree.end)
    found = _hops(node, seg_start, seg_end, first, child, last, tree.start, tree.end, service, kind, peer)
    return np.asarray(found)

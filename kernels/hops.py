"""Time that passes between services (docs/reference/method.md, "Hops")."""

import numpy as np

from overbudget.kernels.columns import CLIENT, I8, I32, I64, PRODUCER, Tree
from overbudget.kernels.jit import kernel


def remote_children(parent: I32, start: I64, service: I32) -> tuple[I64, I32]:
    """Children in another service than their parent: those of span s are `child[first[s]:first[s + 1]]`, by start."""
    child = np.flatnonzero(parent >= 0).astype(np.int32)
    child = child[service[child] != service[parent[child]]]
    first = np.zeros(len(parent) + 1, np.int64)
    np.cumsum(np.bincount(parent[child], minlength=len(parent)), out=first[1:])
    child = child[np.lexsort((start[child], parent[child]))]
    return first, child


@kernel(allocates=False)
def _last_ended(first, child, end, last):
    """Set `last` for each remote child: which of it and those before it under the same span ended last."""
    for span in range(first.size - 1):
        for i in range(first[span] + 1, first[span + 1]):
            if end[last[i - 1]] > end[child[i]]:
                last[i] = last[i - 1]


@kernel(allocates=False, inner=True)
def _nearest(children, last, seg_start, seg_end, start, end):
    """The child nearest in time to a segment; of two equally near, the one that is called next."""
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


@kernel(allocates=False)
def _hops(node, seg_start, seg_end, first, child, last, start, end, service, kind, peer, hop):
    for i in range(node.size):
        span = node[i]
        low, high = first[span], first[span + 1]
        if high > low:
            hop[i] = service[_nearest(child[low:high], last[low:high], seg_start[i], seg_end[i], start, end)]
        elif (kind[span] == CLIENT or kind[span] == PRODUCER) and peer[span] >= 0:
            hop[i] = peer[span]


def hops(node: I32, seg_start: I64, seg_end: I64, tree: Tree, service: I32, kind: I8, peer: I32) -> I32:
    """int32[segments]: where each segment was passing to, or -1 where its time is the span's own.

    That is the service of the nearest remote child of the segment's span `node`; for a call span without any, its
    `peer`. `service`, `kind` and `peer` are per span of `tree`.
    """
    first, child = remote_children(tree.parent, tree.start, service)
    last, found = child.copy(), np.full(len(node), -1, np.int32)
    _last_ended(first, child, tree.end, last)
    _hops(node, seg_start, seg_end, first, child, last, tree.start, tree.end, service, kind, peer, found)
    return found

"""The children of every span, in order."""

import numpy as np

from overbudget.kernels.jit import kernel

FEW = 48  # up to so many are sorted by insertion, as they are nearly in order


@kernel
def _earlier(a, b, key, tie):
    if key[a] != key[b]:
        return key[a] < key[b]
    return tie[a] < tie[b] if tie[a] != tie[b] else a < b


@kernel
def sort_nodes(nodes, key, tie):
    """Sort `nodes` in place by key, then tie, then node."""
    if nodes.size > FEW:
        kids = np.sort(nodes)
        kids = kids[np.argsort(tie[kids], kind="mergesort")]
        nodes[:] = kids[np.argsort(key[kids], kind="mergesort")]
        return
    for i in range(1, nodes.size):
        node, j = nodes[i], i
        while j > 0 and _earlier(node, nodes[j - 1], key, tie):
            nodes[j] = nodes[j - 1]
            j -= 1
        nodes[j] = node


@kernel
def children_by(parent, key, tie):
    """The children of node n are `kids[first[n]:first[n + 1]]`, by (key, tie, node). A parent of -1 is none."""
    n = parent.size
    first = np.zeros(n + 1, np.int64)
    for node in range(n):
        if parent[node] >= 0:
            first[parent[node] + 1] += 1
    first = np.cumsum(first)
    fill, kids = first.copy(), np.empty(first[n], np.int32)
    for node in range(n):
        if parent[node] >= 0:
            kids[fill[parent[node]]] = node
            fill[parent[node]] += 1
    for up in range(n):
        if first[up + 1] - first[up] > 1:
            sort_nodes(kids[first[up] : first[up + 1]], key, tie)
    return first, kids

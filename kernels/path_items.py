"""What a span may have waited for: its children, and spans handed up because they run past a descendant's end.

Method: docs/reference/method.md, "Critical path".
"""

from typing import NamedTuple

import numpy as np

from overbudget.kernels.columns import I8, I32, I64, PRODUCER, Bool, Tree
from overbudget.kernels.jit import kernel

ITEM = np.dtype(
    [("node", np.int32), ("detached", np.bool_), ("begin", np.int64), ("end", np.int64), ("span_id", np.uint64)],
    align=True,
)


class Items(NamedTuple):
    """Items by the span they belong to: those of span s are `item[first[s]:first[s + 1]]`.

    An item is the part of the span `node` from `begin` to `end` (ns), the end of that span. Nothing waits for a
    `detached` one to end: a PRODUCER span between it and s only sent it off.
    """

    first: I64
    item: np.ndarray  # of ITEM


@kernel
def outliving_ancestor(parent, end, downwards, request_of):
    """int32[n]: the nearest ancestor within the request that ends later than the span itself; -1 for none."""
    later = np.full(parent.size, -1, np.int32)
    for i in range(downwards.size):
        node = downwards[i]
        up = parent[node]
        if up < 0 or request_of[up] != request_of[node]:
            continue
        while up >= 0 and end[up] <= end[node]:
            up = later[up]
        later[node] = up
    return later


@kernel
def sending_ancestor(parent, downwards, kind):
    """int32[n]: the nearest PRODUCER span above each span; -1 for none."""
    sender = np.full(parent.size, -1, np.int32)
    for i in range(downwards.size):
        node = downwards[i]
        up = parent[node]
        if up >= 0:
            sender[node] = up if kind[up] == PRODUCER else sender[up]
    return sender


@kernel(allocates=False)
def _handed_up(parent, start, end, request_of, later, owner, node_of, begin_of):
    """Write every item (the span it belongs to, node, begin) by node, as many as fit; returns how many there are.

    A child is an item of its parent. A span that runs past the end of an ancestor is also an item of the next ancestor
    that is still running then, and begins there.
    """
    count = 0
    for node in range(parent.size):
        up, begin = parent[node], start[node]
        if up < 0 or request_of[node] < 0 or request_of[up] != request_of[node]:
            continue
        while up >= 0 and begin < end[node]:
            if begin < end[up]:
                if count < owner.size:
                    owner[count], node_of[count], begin_of[count] = up, node, begin
                count += 1
                begin = end[up]
            up = later[up]
    return count


def _owned(tree: Tree, request_of: I32) -> tuple[I32, I32, I64]:
    """For every item: the span it belongs to, its node, and where it begins."""
    later = outliving_ancestor(tree.parent, tree.end, tree.downwards, request_of)
    room = len(tree.parent) + 1
    while True:
        owner, node, begin = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int64)
        count = _handed_up(tree.parent, tree.start, tree.end, request_of, later, owner, node, begin)
        if count <= room:
            return owner[:count], node[:count], begin[:count]
        room = count


@kernel(allocates=False)
def _by_owner(owner, node, begin, end, span_id, sender, fill, items):
    """Write items span by span, each span's up to its `fill`, later nodes first: sequential calls are then in the order
    of their ends."""
    for i in range(owner.size):
        up = owner[i]
        fill[up] -= 1
        one = items[fill[up]]
        one["node"], one["begin"], one["end"], one["span_id"] = node[i], begin[i], end[node[i]], span_id[node[i]]
        one["detached"] = sender[node[i]] != sender[up]


def path_items(tree: Tree, kind: I8, request_of: I32) -> Items:
    """The items of every span. `kind` and `request_of` are per span; spans outside requests (-1) are no span's items."""
    owner, node, begin = _owned(tree, request_of)
    sender = sending_ancestor(tree.parent, tree.downwards, kind)
    first, items = np.zeros(len(tree.parent) + 1, np.int64), np.empty(len(owner), ITEM)
    np.cumsum(np.bincount(owner, minlength=len(tree.parent)), out=first[1:])
    _by_owner(owner, node, begin, tree.end, tree.span_id, sender, first[1:].copy(), items)
    return Items(first, items)


@kernel
def _above(parent, downwards, background):
    above = parent.copy()
    for i in range(downwards.size):
        node = downwards[i]
        up = parent[node]
        if up >= 0 and background[up]:
            above[node] = above[up]
    return above


def without_background(tree: Tree, request_of: I32, entry: I32, background: Bool) -> tuple[Tree, I32]:
    """The tree and the request of each span, with `background` spans (bool[n]) in no request and their children handed up.

    Entry spans (`entry`) keep their request: a request is never in its own background.
    """
    background = background.copy()
    background[entry] = False
    if not background.any():
        return tree, request_of
    above = _above(tree.parent, tree.downwards, background)
    return tree._replace(parent=above), np.where(background, np.int32(-1), request_of).astype(np.int32)

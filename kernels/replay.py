"""Requests timed anew with some of their work changed (docs/reference/method.md, What-if).

What happened before what is inferred from the trace: a span started because the siblings that had ended by then had ended,
or because its parent had started, and the pause before it is its parent's own time; so is the time after the last child.
These own times and the spans without children are all there is to change; everything else follows. A child that runs on
after its parent is not awaited by it, but by the ancestor within which it ends.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from overbudget.kernels.columns import I32, I64, Tree

F64 = npt.NDArray[np.float64]


class Shape(NamedTuple):
    """What a replay needs to know of the trees, whatever is changed. The children of node n are
    `by_start[first[n]:first[n + 1]]`, and by the time at which they are done with `by_end[...]`."""

    parent: I32  # -1 where the parent is not part of the request
    start: I64
    end: I64
    downwards: I32
    first: I64
    by_start: I32
    by_end: I32
    reach: I64  # when a span and all that runs on after it have ended
    done: I64  # when it has ended for its parent: `reach` where that is within the parent, else `end`


class NodeChanges(NamedTuple):
    """What is changed, per node."""

    factor: F64  # what the span's own time is multiplied by
    group: I32  # spans of one group start together; -1 for none
    groups: int
    retry_of: I32  # the failed sibling it repeats, which alone it depends on; -1 for none
    dropped: npt.NDArray[np.bool_]  # failed calls that do not occur: their repeat takes their place


def no_change(nodes: int) -> NodeChanges:
    """A change of nothing."""
    return NodeChanges(
        np.ones(nodes), np.full(nodes, -1, np.int32), 0, np.full(nodes, -1, np.int32), np.zeros(nodes, np.bool_)
    )


@numba.njit(cache=True, nogil=True)
def _reach(parent, end, downwards):  # type: ignore[no-untyped-def]
    reach, done = end.copy(), end.copy()
    for k in range(downwards.size - 1, -1, -1):
        node = downwards[k]
        up = parent[node]
        if up >= 0:
            if reach[node] > end[up]:
                reach[up] = max(reach[up], reach[node])
            else:
                done[node] = reach[node]
    return reach, done


@numba.njit(cache=True, nogil=True)
def _children(parent, start, end, done):  # type: ignore[no-untyped-def]
    """Children of each node: by (start, end, node), and by (done, start, end, node)."""
    n = parent.size
    first = np.zeros(n + 1, np.int64)
    for node in range(n):
        if parent[node] >= 0:
            first[parent[node] + 1] += 1
    first = np.cumsum(first)
    fill = first.copy()
    by_start = np.empty(first[n], np.int32)
    for node in range(n):
        if parent[node] >= 0:
            by_start[fill[parent[node]]] = node
            fill[parent[node]] += 1
    by_end = by_start.copy()
    for up in range(n):
        low, high = first[up], first[up + 1]
        if high - low < 2:
            continue
        kids = by_start[low:high].copy()
        # sorts are stable: the last key first
        kids = kids[np.argsort(end[kids], kind="mergesort")]
        kids = kids[np.argsort(start[kids], kind="mergesort")]
        by_start[low:high] = kids
        by_end[low:high] = kids[np.argsort(done[kids], kind="mergesort")]
    return first, by_start, by_end


def shape_of(tree: Tree, request_of: I32) -> Shape:
    """Prepare the spans of `tree` that belong to requests (request_of >= 0) for replays."""
    parent = tree.parent
    inside = (parent >= 0) & (request_of >= 0)
    inside[inside] = request_of[parent[inside]] == request_of[inside]
    parent = np.where(inside, parent, -1).astype(np.int32)
    reach, done = _reach(parent, tree.end, tree.downwards)
    first, by_start, by_end = _children(parent, tree.start, tree.end, done)
    return Shape(parent, tree.start, tree.end, tree.downwards, first, by_start, by_end, reach, done)


@numba.njit(cache=True, nogil=True)
def _scaled(ns, factor):  # type: ignore[no-untyped-def]
    return ns if factor == 1.0 else np.int64(np.round(ns * factor))


@numba.njit(cache=True, nogil=True)
def _replay(
    parent, start, end, downwards, first, by_start, by_end, reach, done, factor, group, groups, retry_of, dropped
):  # type: ignore[no-untyped-def]
    n = parent.size
    length = np.empty(n, np.int64)  # the new duration of each span
    far = np.empty(n, np.int64)  # and of it with all that runs on after it
    begin = np.zeros(n, np.int64)  # its new start, counted from its parent's
    over = np.zeros(n, np.int64)  # when it is done for its parent, counted from its parent's start
    together = np.full(groups, -1, np.int64)
    place = np.empty(n, np.int32)
    for k in range(downwards.size - 1, -1, -1):
        span = downwards[k]
        low, high = first[span], first[span + 1]
        for i in range(low, high):
            place[by_start[i]] = i
        ended = low  # how many children were done, in the order of their ends, when the one at hand started
        old, new = start[span], np.int64(0)  # when the last of them was done, before and now
        for i in range(low, high):
            child = by_start[i]
            while ended < high and done[by_end[ended]] <= start[child] and place[by_end[ended]] < i:
                before = by_end[ended]
                old = max(old, done[before])
                new = max(new, over[before])
                ended += 1
            failed, g = retry_of[child], group[child]
            if failed >= 0 and dropped[failed]:
                begin[child] = begin[failed]
            elif failed >= 0:
                begin[child] = over[failed] + _scaled(start[child] - done[failed], factor[span])
            else:
                base = new
                if g >= 0:
                    if together[g] < 0:
                        together[g] = new
                    base = together[g]
                begin[child] = base + _scaled(start[child] - old, factor[span])
            over[child] = begin[child] + (far[child] if done[child] == reach[child] else length[child])
        old, new, furthest = start[span], np.int64(0), np.int64(0)
        for i in range(low, high):
            child = by_start[i]
            if done[child] <= end[span]:
                old = max(old, done[child])
                new = max(new, over[child])
            if reach[child] > end[span]:
                furthest = max(furthest, begin[child] + far[child])
        length[span] = new + _scaled(end[span] - old, factor[span])
        far[span] = max(length[span], furthest)
    return length


@numba.njit(cache=True, nogil=True)
def spread(parent, downwards, factor):  # type: ignore[no-untyped-def]
    """A factor other than 1 for all spans below its span too; below such a span no other factor counts."""
    out = factor.copy()
    for k in range(downwards.size):
        node = downwards[k]
        up = parent[node]
        if up >= 0 and out[up] != 1.0:
            out[node] = out[up]
    return out


def replay(shape: Shape, change: NodeChanges) -> I64:
    """int64[nodes]: the new duration of every span. With no change, the old ones, to the nanosecond."""
    return _replay(*shape, *change)

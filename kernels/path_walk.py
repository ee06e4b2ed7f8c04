"""The walk through one span, from its end to its start: what was it waiting for, at every instant?

A walk looks at the span's items, never into them, and every span has exactly one walk, whichever span gets a part of
it. Method: docs/reference/method.md, "Critical path".
"""

import numpy as np

from overbudget.kernels.jit import kernel

OWN, AWAITED, OFFERED, RAN = range(4)  # the kinds of pieces of a walk: see `walk_span`
PIECE = np.dtype([("node", np.int32), ("how", np.int8), ("high", np.int64)], align=True)
MOST_PIECES = 3  # of a walk per item, and one more: each piece ends where an item ends or begins


@kernel(allocates=False, inner=True)
def _ended_later(a, b):
    """Whether item a is waited for before item b: the later end, then the later begin, then the greater span id."""
    if a["end"] != b["end"]:
        return a["end"] > b["end"]
    if a["begin"] != b["begin"]:
        return a["begin"] > b["begin"]
    return a["span_id"] > b["span_id"]


@kernel(allocates=False, inner=True)
def _insertion_sort(order, low, high, items):
    for i in range(low + 1, high):
        item, j = order[i], i
        while j > low and _ended_later(items[item], items[order[j - 1]]):
            order[j] = order[j - 1]
            j -= 1
        order[j] = item


@kernel(allocates=False)
def sort_by_end(order, n, spare, items):
    """Sort the first n item numbers in `order` in place, the latest end first. `spare` has room for as many."""
    width = 8
    for low in range(0, n, width):
        _insertion_sort(order, low, min(low + width, n), items)
    while width < n:
        for low in range(0, n, 2 * width):
            middle, high = min(low + width, n), min(low + 2 * width, n)
            i, j = low, middle
            for k in range(low, high):
                if i < middle and (j >= high or not _ended_later(items[order[j]], items[order[i]])):
                    spare[k] = order[i]
                    i += 1
                else:
                    spare[k] = order[j]
                    j += 1
        for k in range(n):
            order[k] = spare[k]
        width *= 2


@kernel(allocates=False, inner=True)
def _offered_first(a, b, request_end):
    """Whether time is offered to item a rather than to item b, both running then.

    What ends within the request comes first, then the later begin, then the greater span id.
    """
    if (a["end"] <= request_end) != (b["end"] <= request_end):
        return a["end"] <= request_end
    if a["begin"] != b["begin"]:
        return a["begin"] > b["begin"]
    return a["span_id"] > b["span_id"]


@kernel(allocates=False)
def push_running(heap, size, item, items, request_end):
    """Add an item to the heap of running items; returns the new size. The first in `heap` is offered time first."""
    at = size
    while at > 0:
        above = (at - 1) // 2
        if not _offered_first(items[item], items[heap[above]], request_end):
            break
        heap[at] = heap[above]
        at = above
    heap[at] = item
    return size + 1


@kernel(allocates=False)
def pop_running(heap, size, items, request_end):
    """Take the first item out of the heap of running items; returns the new size."""
    item, size, at = heap[size - 1], size - 1, 0
    while 2 * at + 1 < size:
        below = 2 * at + 1
        if below + 1 < size and _offered_first(items[heap[below + 1]], items[heap[below]], request_end):
            below += 1
        if not _offered_first(items[heap[below]], items[item], request_end):
            break
        heap[at] = heap[below]
        at = below
    heap[at] = item
    return size


@kernel(allocates=False)
def walk_span(span, start, end, request_end, items, low, high, order, heap, pieces, at):
    """Write the pieces of one span, latest first, to `pieces` from row `at` on; returns how many there are.

    A piece reaches from its `high` down to the next piece's `high`, the last one down to the span's `start`. It is OWN
    time of the span; AWAITED or OFFERED, part of the span `node`; or RAN, own time while `node` ran, which ends after
    the request. The span's items are `items[low:high]`; `order` and `heap` have room for as many.
    """
    n = high - low
    for i in range(n):
        order[i] = low + i
    sort_by_end(order, n, heap, items)
    t, k, running, count = end, 0, 0, 0
    while t > start:
        while k < n and items[order[k]]["end"] > t:
            item = items[order[k]]
            if item["begin"] < t and not item["detached"]:
                running = push_running(heap, running, order[k], items, request_end)
            k += 1
        piece = pieces[at + count]
        piece["high"] = t
        count += 1
        until = max(items[order[k]]["end"], start) if k < n else start
        if k < n and until == t:
            item = items[order[k]]
            piece["node"], piece["how"] = item["node"], AWAITED
            t = max(item["begin"], start)
            k += 1
            continue
        while running and items[heap[0]]["begin"] >= t:
            running = pop_running(heap, running, items, request_end)
        if running:
            item = items[heap[0]]
            piece["node"], piece["how"] = item["node"], OFFERED if item["end"] <= request_end else RAN
            t = max(item["begin"], until)
        else:
            piece["node"], piece["how"] = span, OWN
            t = until
    return count

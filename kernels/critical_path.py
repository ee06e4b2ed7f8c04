"""The critical path of every request: who it was waiting for, at every instant (docs/reference/method.md, Critical path and Hops).

The walk goes backwards from the end of the entry span. An *item* of a span is something it may have waited for: a
child, or what runs past the end of a child further down and was handed up. Within the part of a span that the walk is
in, items that end in it are awaited; items that run on past it are offered the time that no awaited item explains.
"""

import numpy as np

from overbudget.kernels.columns import I32, OperationColumns, Requests, Segments, Tree
from overbudget.kernels.jit import kernel


@kernel
def _items(parent, start, end, request_of):  # type: ignore[no-untyped-def]
    """Items by the span they are offered to: (first[n + 1], node, start, end).

    A child is an item of its parent. What runs past the end of an ancestor is handed to the next one as an item that
    starts there, up to the entry span.
    """
    n = parent.size
    count = np.zeros(n + 1, np.int64)
    for node in range(n):
        up, reach = parent[node], start[node]
        while up >= 0 and request_of[up] == request_of[node] and request_of[node] >= 0:
            if end[node] > max(reach, start[node]) and reach < end[node]:
                count[up + 1] += 1
            if end[node] <= end[up]:
                break
            reach = max(reach, end[up])
            up = parent[up]
    first = np.cumsum(count)
    fill = first.copy()
    total = first[-1]
    item, begin, finish = np.empty(total, np.int32), np.empty(total, np.int64), np.empty(total, np.int64)
    for node in range(n):
        up, reach = parent[node], start[node]
        while up >= 0 and request_of[up] == request_of[node] and request_of[node] >= 0:
            if end[node] > max(reach, start[node]) and reach < end[node]:
                k = fill[up]
                item[k], begin[k], finish[k] = node, reach, end[node]
                fill[up] += 1
            if end[node] <= end[up]:
                break
            reach = max(reach, end[up])
            up = parent[up]
    return first, item, begin, finish


@kernel
def _later(a, b, key, tie, node, span_id):  # type: ignore[no-untyped-def]
    """Whether item a comes before item b: greater key, then greater tie, then greater span id."""
    if key[a] != key[b]:
        return key[a] > key[b]
    if tie[a] != tie[b]:
        return tie[a] > tie[b]
    return span_id[node[a]] > span_id[node[b]]


@kernel
def _sorted_items(first, node, key, tie, span_id):  # type: ignore[no-untyped-def]
    """Per span its items by (key, tie, span id), greatest first."""
    order = np.arange(node.size).astype(np.int32)
    spare = np.empty(node.size, np.int32)
    for span in range(first.size - 1):
        low, high = first[span], first[span + 1]
        if high - low < 2:
            continue
        for at in range(low, high, 8):
            for i in range(at + 1, min(at + 8, high)):
                x, j = order[i], i
                while j > at and _later(x, order[j - 1], key, tie, node, span_id):
                    order[j] = order[j - 1]
                    j -= 1
                order[j] = x
        width = 8
        while width < high - low:
            for at in range(low, high, 2 * width):
                middle, stop = min(at + width, high), min(at + 2 * width, high)
                i, j = at, middle
                for k in range(at, stop):
                    if i < middle and (j >= stop or not _later(order[j], order[i], key, tie, node, span_id)):
                        spare[k] = order[i]
                        i += 1
                    else:
                        spare[k] = order[j]
                        j += 1
            order[low:high] = spare[low:high]
            width *= 2
    return order


@kernel
def _grown(array):  # type: ignore[no-untyped-def]
    larger = np.empty(2 * array.size, array.dtype)
    larger[: array.size] = array
    return larger


@kernel
def _walk(entry, start, end, first, item, begin, finish, by_end, by_begin):  # type: ignore[no-untyped-def]
    """Segments of all requests, each request's in time order: (request, node, start, end)."""
    size = 2 * item.size + entry.size + 16
    o_request, o_node = np.empty(size, np.int32), np.empty(size, np.int32)
    o_start, o_end = np.empty(size, np.int64), np.empty(size, np.int64)
    count = 0
    depth_size = 64
    # One frame per span the walk is inside of: the part [low, high] of the span, the time t reached, how far into
    # its items by end and by begin, and (owed > t) an awaited item still to be walked once the gap before it is filled.
    f_node, f_low = np.empty(depth_size, np.int32), np.empty(depth_size, np.int64)
    f_high, f_time = np.empty(depth_size, np.int64), np.empty(depth_size, np.int64)
    f_end, f_begin = np.empty(depth_size, np.int64), np.empty(depth_size, np.int64)
    for request in range(entry.size):
        at = count
        f_node[0], f_low[0], f_high[0], f_time[0] = (
            entry[request],
            start[entry[request]],
            end[entry[request]],
            end[entry[request]],
        )
        f_end[0], f_begin[0] = first[entry[request]], first[entry[request]]
        depth = 0
        while depth >= 0:
            span, low, high, t = f_node[depth], f_low[depth], f_high[depth], f_time[depth]
            if t <= low:
                depth -= 1
                continue
            stop = first[span + 1]
            # The awaited item that ended last at or before t.
            k = f_end[depth]
            if k == first[span] and stop - k > 8:  # a late part of a span with many items: find the place
                a, b = k, stop
                while a < b:
                    middle = (a + b) // 2
                    if finish[by_end[middle]] > t:
                        a = middle + 1
                    else:
                        b = middle
                k = a
            while k < stop and finish[by_end[k]] > t:
                k += 1
            f_end[depth] = k
            awaited = -1
            until = low
            if k < stop and finish[by_end[k]] > low:
                awaited = by_end[k]
                until = finish[awaited]
            if until == t:
                f_end[depth] = k + 1
                child, from_ = item[awaited], max(begin[awaited], low)
                f_time[depth] = from_
            else:
                # Nothing awaited explains (until, t): offer it to what runs on past this part.
                q = f_begin[depth]
                while q < stop and (begin[by_begin[q]] >= t or finish[by_begin[q]] <= high):
                    q += 1
                f_begin[depth] = q
                if q == stop:
                    if count == o_node.size:
                        o_request, o_node, o_start, o_end = (
                            _grown(o_request),
                            _grown(o_node),
                            _grown(o_start),
                            _grown(o_end),
                        )
                    o_request[count], o_node[count], o_start[count], o_end[count] = request, span, until, t
                    count += 1
                    f_time[depth] = until
                    continue
                child, from_ = item[by_begin[q]], max(begin[by_begin[q]], until)
                f_time[depth] = from_
            depth += 1
            if depth == f_node.size:
                f_node, f_low, f_high = _grown(f_node), _grown(f_low), _grown(f_high)
                f_time, f_end, f_begin = _grown(f_time), _grown(f_end), _grown(f_begin)
            f_node[depth], f_low[depth], f_high[depth], f_time[depth] = child, from_, t, t
            f_end[depth], f_begin[depth] = first[child], first[child]
        # Backwards becomes forwards; touching pieces of one span become one segment.
        i, j = at, count - 1
        while i < j:
            o_node[i], o_node[j] = o_node[j], o_node[i]
            o_start[i], o_start[j] = o_start[j], o_start[i]
            o_end[i], o_end[j] = o_end[j], o_end[i]
            i, j = i + 1, j - 1
        kept = at
        for i in range(at, count):
            if kept > at and o_node[kept - 1] == o_node[i]:
                o_end[kept - 1] = o_end[i]
            else:
                o_request[kept], o_node[kept], o_start[kept], o_end[kept] = request, o_node[i], o_start[i], o_end[i]
                kept += 1
        count = kept
    return o_request[:count], o_node[:count], o_start[:count], o_end[:count]


@kernel
def _hops(node, seg_start, seg_end, parent, start, end, service, kind, peer):  # type: ignore[no-untyped-def]
    """Where each segment was passing to: the nearest remote child's service, a call's peer, or -1."""
    n = parent.size
    last, previous = np.full(n, -1, np.int32), np.full(n, -1, np.int32)  # remote children per span, latest start first
    for child in range(n):
        up = parent[child]
        if up >= 0 and service[child] != service[up]:
            previous[child] = last[up]
            last[up] = child
    hop = np.full(node.size, -1, np.int32)
    for i in range(node.size):
        span = node[i]
        child = last[span]
        if child < 0:
            if (kind[span] == 3 or kind[span] == 4) and peer[span] >= 0:
                hop[i] = peer[span]
            continue
        best, nearest = child, np.int64(2**62)
        looked = 0
        while child >= 0 and looked < 64:
            distance = max(start[child] - seg_end[i], seg_start[i] - end[child], np.int64(0))
            if distance < nearest:
                nearest, best = distance, child
            child = previous[child]
            looked += 1
        hop[i] = service[best]
    return hop


def critical_path(tree: Tree, requests: Requests, operations: OperationColumns, request_of: I32) -> Segments:
    """The critical path of every request, hops marked. `sum(end - start)` of a request is its duration, to the ns."""
    first, item, begin, finish = _items(tree.parent, tree.start, tree.end, request_of)
    by_end = _sorted_items(first, item, finish, begin, tree.span_id)
    by_begin = _sorted_items(first, item, begin, begin, tree.span_id)
    request, node, start, end = _walk(
        requests.entry, tree.start, tree.end, first, item, begin, finish, by_end, by_begin
    )
    service = operations.service[tree.operation]
    kind, peer = operations.kind[tree.operation], operations.peer[tree.operation]
    hop = _hops(node, start, end, tree.parent, tree.start, tree.end, service, kind, peer)
    return Segments(request, node, start, end, hop)

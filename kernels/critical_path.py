"""The critical path of every request: what it was waiting for, at every instant.

Each span is walked once, by itself (kernels.path_walk). The path of a request is the walk of its entry span, with every
piece that belongs to another span replaced by that part of the other span's own path.
Method: docs/reference/method.md, "Critical path".
"""

import numpy as np

from overbudget.kernels.columns import I32, OperationColumns, Requests, Segments, Tree
from overbudget.kernels.hops import hops
from overbudget.kernels.jit import is_compiled, kernel
from overbudget.kernels.path_items import Items, path_items
from overbudget.kernels.path_walk import AWAITED, MOST_PIECES, OWN, PIECE, RAN, walk_span

SEGMENT = np.dtype(
    [
        ("request", np.int32),
        ("node", np.int32),
        ("start", np.int64),
        ("end", np.int64),
        ("while_running", np.int32),
        ("awaited", np.bool_),
    ],
    align=True,
)
# a part of a span that the path is inside of, and the next piece of its walk to write
FRAME = np.dtype(
    [("span", np.int64), ("piece", np.int64), ("low", np.int64), ("high", np.int64), ("awaited", np.bool_)], align=True
)
# Who owns all of a span's path between two instants: where parts of a span are asked for again and again, as in a chain of
# spans of which each outlives the one above, the way down is not gone anew for each part.
OWNER = np.dtype(
    [("node", np.int32), ("while_running", np.int32), ("low", np.int64), ("high", np.int64), ("awaited", np.bool_)],
    align=True,
)


@kernel(allocates=False, inner=True)
def _first_row(first, span):
    """The row where the pieces of a span begin: every span has room for as many as its items can make."""
    return MOST_PIECES * first[span] + span


@kernel(allocates=False)
def earliest_piece(pieces, at, count, low):
    """Of `count` pieces from row `at` on, latest first, the earliest that ends after `low`."""
    a, b = at, at + count - 1
    while a < b:
        middle = (a + b + 1) // 2
        if pieces[middle]["high"] > low:
            a = middle
        else:
            b = middle - 1
    return a


@kernel(allocates=False)
def add_segment(segments, count, request, node, start, end, awaited, while_running):
    """Append a segment after the first `count`, or extend the last one if only time differs; returns the new count."""
    if count > 0:
        last = segments[count - 1]
        if (
            last["request"] == request
            and last["node"] == node
            and last["awaited"] == awaited
            and last["while_running"] == while_running
        ):
            last["end"] = end
            return count
    one = segments[count]
    one["request"], one["node"], one["start"], one["end"] = request, node, start, end
    one["awaited"], one["while_running"] = awaited, while_running
    return count + 1


@kernel(allocates=False, inner=True)
def _enter(frame, span, low, high, awaited, first, counts, pieces):
    """Make `frame` the part from `low` to `high` of a walked span, at its earliest piece."""
    frame["span"], frame["low"], frame["high"], frame["awaited"] = span, low, high, awaited
    row = _first_row(first, span)
    frame["piece"] = earliest_piece(pieces, row, counts[span], low) if counts[span] else row - 1


@kernel(allocates=False, inner=True)
def _bottom(span, at, start, first, counts, pieces):
    """Where the piece in row `at` of a walked span begins."""
    return start[span] if at == _first_row(first, span) + counts[span] - 1 else pieces[at + 1]["high"]


@kernel(allocates=False, inner=True)
def _remember(
    frames, depth, start, first, counts, pieces, owners, part_low, part_high, low, high, node, while_running, awaited
):
    """Note for the spans on the way to a segment, from the last frame up, that `node` owns their path between `low` and `high`,
    as far as that holds for each: as long as the segment, from `part_low` to `part_high`, is all of a frame's part."""
    while depth >= 0 and frames[depth]["low"] == part_low and frames[depth]["high"] == part_high:
        span, at = frames[depth]["span"], frames[depth]["piece"] + 1
        low, high = max(low, _bottom(span, at, start, first, counts, pieces)), min(high, pieces[at]["high"])
        awaited = awaited and (pieces[at]["how"] == AWAITED or pieces[at]["how"] == OWN)
        owner = owners[span]
        owner["node"], owner["while_running"], owner["awaited"] = node, while_running, awaited
        owner["low"], owner["high"] = low, high
        depth -= 1


@kernel(allocates=False, inner=True)
def _tile(request, entry, start, end, first, items, counts, pieces, owners, order, heap, frames, segments, count):
    """Write the segments of one request in time order from row `count` of `segments` on; returns the row after them."""
    child, low, high, awaited, depth = entry, start[entry], end[entry], True, -1
    while True:
        if child >= 0:
            if counts[child] == 0:
                counts[child] = walk_span(
                    child, start[child], end[child], end[entry], items, first[child], first[child + 1],
                    order, heap, pieces, _first_row(first, child),
                )  # fmt: skip
            depth += 1
            _enter(frames[depth], child, low, high, awaited, first, counts, pieces)
        frame = frames[depth]
        span, row = frame["span"], _first_row(first, frame["span"])
        at = frame["piece"]
        bottom = _bottom(span, at, start, first, counts, pieces)
        child = -1
        if at < row or bottom >= frame["high"]:
            depth -= 1
            if depth < 0:
                return count
            continue
        frame["piece"] -= 1
        piece = pieces[at]
        low, high = max(frame["low"], bottom), min(frame["high"], piece["high"])
        awaited = frame["awaited"] and (piece["how"] == AWAITED or piece["how"] == OWN)
        node, running, waited, since, until = piece["node"], -1, True, bottom, piece["high"]
        if piece["how"] == RAN:
            node, running, waited = span, piece["node"], False
        elif piece["how"] != OWN and first[node] < first[node + 1]:
            known = owners[node]
            if low < known["low"] or known["high"] < high:
                child = node
                continue
            node, running, waited = known["node"], known["while_running"], known["awaited"]
            since, until = known["low"], known["high"]
        count = add_segment(segments, count, request, node, low, high, awaited and waited, running)
        _remember(frames, depth, start, first, counts, pieces, owners, low, high, since, until, node, running, waited)


@kernel(allocates=False)
def _tile_all(entry, start, end, first, items, counts, pieces, owners, order, heap, frames, segments):
    """Write the segments of all requests, request by request in time order; returns how many there are."""
    count = 0
    for r in range(entry.size):
        count = _tile(
            r, entry[r], start, end, first, items, counts, pieces, owners, order, heap, frames, segments, count
        )
    return count


def compiled_before() -> bool:
    """Whether the machine code of the walk is loaded or cached."""
    return is_compiled(_tile_all)


def _tiled(tree: Tree, requests: Requests, items: Items) -> np.ndarray:
    """The segments of all requests, written to memory for as many as there can be: each ends where a piece ends."""
    spans, most = len(tree.start), MOST_PIECES * len(items.item)
    counts, pieces, owners = np.zeros(spans, np.int32), np.empty(most + spans, PIECE), np.zeros(spans, OWNER)
    widest, deepest = int(np.diff(items.first).max(initial=0)), int(requests.span_count.max(initial=1))
    order, heap, frames = np.empty(widest, np.int64), np.empty(widest, np.int64), np.empty(deepest + 1, FRAME)
    segments = np.empty(most + len(requests.entry), SEGMENT)
    count = _tile_all(
        requests.entry,
        tree.start,
        tree.end,
        items.first,
        items.item,
        counts,
        pieces,
        owners,
        order,
        heap,
        frames,
        segments,
    )
    return segments[:count]


def critical_path(tree: Tree, requests: Requests, operations: OperationColumns, request_of: I32) -> Segments:
    """The critical path of every request, hops marked. `sum(end - start)` of a request is its duration, to the ns.

    `request_of` gives each node's request; spans that are part of none (-1) own nothing. Time offered to a span that runs
    past the request's end stays with the span that offered it: see `Segments.while_running`.
    """
    kind, peer = operations.kind[tree.operation], operations.peer[tree.operation]
    found = _tiled(tree, requests, path_items(tree, kind, request_of))
    node, start, end, running = (
        np.ascontiguousarray(found[name]) for name in ("node", "start", "end", "while_running")
    )
    hop = hops(node, start, end, tree, operations.service[tree.operation], kind, peer)
    hop[running >= 0] = -1
    awaited = np.ascontiguousarray(found["awaited"])
    return Segments(np.ascontiguousarray(found["request"]), node, start, end, hop, awaited, running)

"""Spans in any order become trees: whole traces together, parents as positions, times cleaned and on one clock."""

import numpy as np

from overbudget.kernels.columns import (
    CONSUMER,
    I32,
    I64,
    LONGEST,
    NO_END,
    PRODUCER,
    SERVER,
    TOO_LATE,
    Bool,
    Duplicates,
    OperationColumns,
    Requests,
    SpanColumns,
    Tree,
)
from overbudget.kernels.jit import kernel
from overbudget.kernels.mix import mix


@kernel(inner=True)
def _table(n):
    size = 16
    while size < 2 * n:
        size *= 2
    return np.full(size, -1, np.int32)


@kernel
def _number_traces(hi, lo):
    """Which trace each row belongs to, numbered by first appearance, and how many there are."""
    table, trace = _table(hi.size), np.empty(hi.size, np.int32)
    mask, count = np.uint64(table.size - 1), 0
    for i in range(hi.size):
        slot = mix(hi[i] ^ mix(lo[i])) & mask
        while True:
            j = table[slot]
            if j < 0:
                table[slot], trace[i] = i, count
                count += 1
                break
            if hi[j] == hi[i] and lo[j] == lo[i]:
                trace[i] = trace[j]
                break
            slot = (slot + np.uint64(1)) & mask
    return trace, count


@kernel(allocates=False)
def _slot_of(table, trace, span_id, t, s):
    """Where (trace t, span s) is in the table, or the free slot where it belongs."""
    mask = np.uint64(table.size - 1)
    slot = mix(s + mix(np.uint64(t))) & mask
    while table[slot] >= 0 and (trace[table[slot]] != t or span_id[table[slot]] != s):
        slot = (slot + np.uint64(1)) & mask
    return slot


@kernel
def _index(trace, span_id, end):
    """A table from (trace, span id) to the row that is kept: the one that ended last, of several the first."""
    table = _table(span_id.size)
    lost = 0
    for i in range(span_id.size):
        slot = _slot_of(table, trace, span_id, trace[i], span_id[i])
        j = table[slot]
        if j >= 0:
            lost += 1
        if j < 0 or end[i] > end[j]:
            table[slot] = i
    return table, lost


@kernel(allocates=False, inner=True)
def _before(a, b, start, end, span_id):
    if start[a] != start[b]:
        return start[a] < start[b]
    if end[a] != end[b]:
        return end[a] > end[b]
    return span_id[a] < span_id[b]


@kernel(allocates=False, inner=True)
def _sort_rows(rows, spare, start, end, span_id):
    """Merge sort of `rows` in place (insertion sort where they are few)."""
    n, width = rows.size, 8
    for low in range(0, n, width):
        for i in range(low + 1, min(low + width, n)):
            row, j = rows[i], i
            while j > low and _before(row, rows[j - 1], start, end, span_id):
                rows[j] = rows[j - 1]
                j -= 1
            rows[j] = row
    while width < n:
        for low in range(0, n, 2 * width):
            middle, high = min(low + width, n), min(low + 2 * width, n)
            i, j = low, middle
            for k in range(low, high):
                if i < middle and (j >= high or not _before(rows[j], rows[i], start, end, span_id)):
                    spare[k] = rows[i]
                    i += 1
                else:
                    spare[k] = rows[j]
                    j += 1
        for k in range(n):
            rows[k] = spare[k]
        width *= 2


@kernel(allocates=False)
def _arrange(offsets, table, trace, span_id, parent_id, start, end, kept, rows, spare, node_of, parent):
    """Write rows in node order to `rows`, those of trace t from `offsets[t]` on; each row's node and each node's parent.

    `offsets` is used up: each becomes the next.
    """
    for i in range(trace.size):
        if kept[i]:
            rows[offsets[trace[i]]] = i
            offsets[trace[i]] += 1
    low = 0
    for t in range(offsets.size):
        _sort_rows(rows[low : offsets[t]], spare, start, end, span_id)
        low = offsets[t]
    for node in range(rows.size):
        node_of[rows[node]] = node
    for node in range(rows.size):
        row = rows[node]
        if parent_id[row] == 0:
            parent[node] = -1
        else:
            found = table[_slot_of(table, trace, span_id, trace[row], parent_id[row])]
            parent[node] = node_of[found] if found >= 0 else -2


def _arranged(spans: SpanColumns, table: I32, trace: I32, traces: int, kept: Bool) -> tuple[I32, I32]:
    """Rows in node order (by trace, then start, later end, span id), and each node's parent."""
    size = np.bincount(trace[kept], minlength=traces)
    offsets, count = np.cumsum(size) - size, int(size.sum())
    rows, parent, spare = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
    # copies, as a kernel is compiled once for read-only arrays (Arrow columns) and again for writable ones
    start, end = np.array(spans.start_ns), np.array(spans.end_ns)
    node_of = np.full(len(trace), -1, np.int32)
    _arrange(offsets, table, trace, spans.span_id, spans.parent_id, start, end, kept, rows, spare, node_of, parent)
    return rows, parent


@kernel
def _cut_cycles(parent, problem):
    """Spans that are their own ancestors: the earliest of each cycle becomes an orphan, and is flagged."""
    seen = np.full(parent.size, -1, np.int32)  # the span from which each was first reached on the way up
    for first in range(parent.size):
        node = first
        while node >= 0 and seen[node] < 0:
            seen[node] = first
            node = parent[node]
        if node >= 0 and seen[node] == first:  # reached again on the same way up
            earliest, other = node, parent[node]
            while other != node:
                earliest = min(earliest, other)
                other = parent[other]
            parent[earliest] = -2
            problem[earliest] |= 4


@kernel
def _downwards(parent):
    """All nodes, parents before their children."""
    n = parent.size
    first, sibling = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    order, count = np.empty(n, np.int32), 0
    for node in range(n - 1, -1, -1):
        if parent[node] >= 0:
            sibling[node] = first[parent[node]]
            first[parent[node]] = node
    for top in range(n):
        if parent[top] < 0:
            done = count
            order[count] = top
            count += 1
            while done < count:
                child = first[order[done]]
                while child >= 0:
                    order[count] = child
                    count += 1
                    child = sibling[child]
                done += 1
    return order


@kernel
def clean(parent, downwards, start, end, problem):
    """Make times usable, and flag where they were not, before anything is computed from them.

    - No end: the latest end in the subtree, or the start where there is none.    a [==?      a [=======]
                                                                                   b  .[====]   b .[====]
      A year after the start is no such end: that clock is wrong.
    - End before start: of no length, at its start.
    """
    for i in range(downwards.size - 1, -1, -1):
        node = downwards[i]
        if end[node] == NO_END:
            problem[node] |= 1
            end[node] = start[node]
        elif end[node] < start[node]:
            problem[node] |= 2
            end[node] = start[node]
    latest = end.copy()
    for i in range(downwards.size - 1, -1, -1):
        node = downwards[i]
        if problem[node] & 1 and latest[node] - start[node] <= LONGEST:
            end[node] = max(end[node], latest[node])
        latest[node] = max(latest[node], end[node])
        if parent[node] >= 0:
            latest[parent[node]] = max(latest[parent[node]], latest[node])


@kernel(allocates=False)
def adjust_skew(parent, downwards, start, end, skew, service, kind, problem, enabled):
    """Put every span on the clock of its parent, top down (the method of Jaeger's clock-skew adjuster).

    A span of the parent's service shares its clock, and so its shift. A span of another service that starts before
    its (shifted) parent or ends after it is shifted: to the middle of the parent where it fits in, because the time
    there and the time back cannot be told apart; else only as far as its start needs. Consumers, and what producers
    start, may end after their parent: only their start counts. A shift beyond the range of timestamps is not made.
    What still starts before its parent is clipped and flagged.
    """
    for i in range(downwards.size):
        node = downwards[i]
        up = parent[node]
        if up < 0:
            continue
        if enabled:
            if service[node] == service[up]:
                skew[node] = skew[up]
            elif start[node] < start[up] or end[node] > end[up]:
                detached = kind[node] == CONSUMER or kind[up] == PRODUCER
                slack = (end[up] - start[up]) - (end[node] - start[node])
                if slack >= 0 and not detached:
                    skew[node] = start[up] + slack // 2 - start[node]
                elif start[node] < start[up]:
                    skew[node] = start[up] - start[node]
            if skew[node] > TOO_LATE - max(start[node], end[node]):
                skew[node] = 0
            start[node] += skew[node]
            end[node] += skew[node]
        if start[node] < start[up]:
            start[node] = start[up]
            end[node] = max(end[node], start[node])
            problem[node] |= 8


def build_tree(spans: SpanColumns, operations: OperationColumns, skew: bool = True) -> tuple[Tree, Duplicates]:
    """The trees of whole traces. Spans with the same ids are kept once: the one that ended last, else the first row.

    A span whose parent is missing is an orphan; one that is its own ancestor becomes an orphan and is flagged; times are
    cleaned (see `clean`) and, unless `skew` is off, put on one clock (see `adjust_skew`).
    """
    n = len(spans.span_id)
    trace, traces = _number_traces(spans.trace_hi, spans.trace_lo)
    table, lost = _index(trace, spans.span_id, np.array(spans.end_ns))
    kept = np.ones(n, bool)
    duplicates = Duplicates(np.zeros(0, np.int32), np.zeros(0, np.int32))
    if lost:
        kept[:] = False
        kept[table[table >= 0]] = True
        rows = np.flatnonzero(~kept).astype(np.int32)
        winner = np.array(
            [table[_slot_of(table, trace, spans.span_id, trace[row], spans.span_id[row])] for row in rows], np.int32
        )
        duplicates = Duplicates(rows, winner)
    row, parent = _arranged(spans, table, trace, traces, kept)
    problem, shift = np.zeros(len(row), np.uint8), np.zeros(len(row), np.int64)
    start, end, operation = spans.start_ns[row], spans.end_ns[row], spans.operation[row]
    _cut_cycles(parent, problem)
    downwards = _downwards(parent)
    clean(parent, downwards, start, end, problem)
    service, kind = operations.service[operation], operations.kind[operation]
    adjust_skew(parent, downwards, start, end, shift, service, kind, problem, skew)
    tree = Tree(row, trace[row], parent, start, end, shift, operation, spans.span_id[row], problem, downwards)
    return tree, duplicates


@kernel(allocates=False)
def _find_entries(
    trace, parent, downwards, kind, problem, setup, wanted, use_wanted, roots, servers, is_entry, entry_of, broken
):
    """Mark entry spans and broken traces, and set each span's entry. `roots` and `servers` count, per trace, from 0."""
    for node in range(trace.size):
        if parent[node] == -1 and not setup[node]:
            roots[trace[node]] += 1
        elif parent[node] == -2 and (kind[node] == SERVER or kind[node] == CONSUMER):
            servers[trace[node]] += 1
    for i in range(downwards.size):
        node = downwards[i]
        up, t = parent[node], trace[node]
        top_entry = False
        if up == -1:
            top_entry = not setup[node]
        elif up == -2:
            if roots[t] == 0:
                top_entry = servers[t] == 0 or kind[node] == SERVER or kind[node] == CONSUMER
            if not top_entry:
                broken[t] = True
        if problem[node] & 5:
            broken[t] = True
        above = entry_of[up] if up >= 0 else -1
        if above < 0 and (wanted[node] if use_wanted else top_entry):
            is_entry[node] = True
            above = node
        entry_of[node] = above


def find_requests(
    tree: Tree, operations: OperationColumns, entry: Bool | None = None, setup: Bool | None = None
) -> tuple[Requests, I32]:
    """The requests, and for each node its request (-1 where it is part of none).

    Entry spans are the roots that `setup` does not mark; in a trace without any of those its topmost SERVER and CONSUMER
    spans, or else all of its topmost spans; or, where `entry` marks spans, each outermost marked span
    (docs/reference/method.md, From spans to requests).
    """
    kind = operations.kind[tree.operation]
    unmarked = np.zeros(len(tree.row), bool)
    wanted, preparing = unmarked if entry is None else entry, unmarked if setup is None else setup
    traces = int(tree.trace[-1]) + 1 if len(tree.trace) else 0
    roots, servers, broken = np.zeros(traces, np.int32), np.zeros(traces, np.int32), np.zeros(traces, bool)
    is_entry, entry_of = np.zeros(len(tree.row), bool), np.full(len(tree.row), -1, np.int32)
    _find_entries(
        tree.trace, tree.parent, tree.downwards, kind, tree.problem, preparing, wanted, entry is not None,
        roots, servers, is_entry, entry_of, broken,
    )  # fmt: skip
    nodes = np.flatnonzero(is_entry).astype(np.int32)
    nodes = nodes[np.lexsort((tree.span_id[nodes], tree.end[nodes], tree.start[nodes]))]
    number = np.full(len(tree.row) + 1, -1, np.int32)
    number[nodes] = np.arange(len(nodes), dtype=np.int32)
    request_of = number[entry_of]
    span_count = np.bincount(request_of[request_of >= 0], minlength=len(nodes)).astype(np.int32)
    trace = tree.trace[nodes]
    starts, ends = tree.start[nodes], tree.end[nodes]
    return Requests(nodes, trace, ~broken[trace], span_count, in_flight(starts, ends)), request_of


def in_flight(starts: I64, ends: I64) -> I32:
    """int32[r]: how many other requests were running when each arrived (started before or with it, not yet ended)."""
    begun = np.searchsorted(np.sort(starts), starts, side="right")
    over = np.searchsorted(np.sort(ends), starts, side="right")
    instant = (ends <= starts).astype(
        np.int64
    )  # a request of no length is counted as ended already; it is not one of the others
    return (begun - over - (1 - instant)).astype(np.int32)

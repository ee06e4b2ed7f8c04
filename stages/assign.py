"""The stage of each span, and of each nanosecond of a request (docs/reference/method.md, Operations and stages)"""

import numpy as np

from overbudget.kernels.columns import I16, I32, I64, Bool, OperationColumns, Requests, Segments, Tree
from overbudget.kernels.jit import kernel
from overbudget.stages.names import DEFAULT_STAGES
from overbudget.stages.server_queue import QUEUE, stage_segments

ORCHESTRATION = DEFAULT_STAGES.index("orchestration")

# Values of OperationColumns.under for rules that count only where no classified span is below: a recorded model means a model
# call, unless spans below record the calls.
NOTHING_BELOW = -2
NOTHING_BELOW_OR_TRANSPARENT = -3  # otherwise the span is orchestration
NOTHING_ELSE_BELOW = -4  # than spans of the same stage and orchestration; otherwise the span is orchestration


@kernel(allocates=False)
def _settle(parent, downwards, stage, weak, under, transparent, below):
    """Set the stage of spans whose rule depends on the spans below; `below` has a bit per stage, at first none."""
    for i in range(downwards.size - 1, -1, -1):
        node = downwards[i]
        s = stage[node]
        if s >= 0 and under[node] < -1:
            inside = below[node]
            if under[node] == NOTHING_ELSE_BELOW:
                inside &= ~((np.uint64(1) << np.uint64(s)) | (np.uint64(1) << np.uint64(transparent)))
            if inside != 0:
                s = -1 if under[node] == NOTHING_BELOW else transparent
                stage[node] = s
        up = parent[node]
        if up >= 0:
            below[up] |= below[node]
            if s >= 0 and not weak[node]:
                below[up] |= np.uint64(1) << np.uint64(min(s, 63))


def own_stages(tree: Tree, operations: OperationColumns, transparent: int = ORCHESTRATION) -> I16:
    """int16[m]: the stage that each node's own rule gives it, -1 for none, after looking at the spans below."""
    stage, under = operations.stage[tree.operation], operations.under[tree.operation]
    if (under < -1).any():
        below = np.zeros(len(stage), np.uint64)
        weak = operations.weak[tree.operation]
        _settle(tree.parent, tree.downwards, stage, weak, under, transparent, below)
    return stage


@kernel(allocates=False)
def _stage_of(parent, downwards, stage, weak, under, transparent, out, blocked, strong):
    """Set each span's stage in `out`; `blocked` where this span or one above is classified, other than as orchestration; `strong`
    where a strong rule gave the stage."""
    for i in range(downwards.size):
        node = downwards[i]
        up = parent[node]
        if up >= 0:
            out[node], blocked[node] = out[up], blocked[up]
            strong[node] = strong[up] and out[up] != transparent
        s = stage[node]
        if s < 0:
            continue
        if weak[node]:
            counts = out[node] == under[node] if under[node] >= 0 else not blocked[node]
            if not counts:
                continue
        out[node] = s
        strong[node] = not weak[node]
        blocked[node] = blocked[node] or s != transparent


def stage_of_nodes(
    tree: Tree, operations: OperationColumns, unattributed: int, transparent: int = ORCHESTRATION
) -> I16:
    """int16[m]: the stage of the innermost classified span at or above each node; `unattributed` where there is none.

    A weak rule counts only where no classified span is above. Orchestration is transparent: an agent around a query does
    not make the query orchestration, so it does not block weak rules either.
    """
    return _decided(tree, operations, unattributed, transparent)[0]


def under_strong_rule(tree: Tree, operations: OperationColumns, transparent: int = ORCHESTRATION) -> Bool:
    """bool[m]: whether a strong rule gave each node its stage; orchestration around a span does not count."""
    return _decided(tree, operations, -1, transparent)[1]


def _decided(tree: Tree, operations: OperationColumns, unattributed: int, transparent: int) -> tuple[I16, Bool]:
    o = tree.operation
    stage, weak, under = own_stages(tree, operations, transparent), operations.weak[o], operations.under[o]
    found = np.full(len(tree.parent), unattributed, np.int16)
    blocked, strong = np.zeros(len(tree.parent), bool), np.zeros(len(tree.parent), bool)
    _stage_of(tree.parent, tree.downwards, stage, weak, under, transparent, found, blocked, strong)
    return found, strong


@kernel(allocates=False)
def _stage_times(
    order, request_of, stage_of, start, end, entry, seg_request, seg_stage, seg_ns, stage_ns, busy_ns, spans, reach
):
    """Add to the tables [request, stage], all zero; `reach` is the latest end of the spans so far."""
    for i in range(seg_request.size):
        stage_ns[seg_request[i], seg_stage[i]] += seg_ns[i]
    for i in range(order.size):
        node = order[i]
        request = request_of[node]
        if request < 0:
            continue
        s = stage_of[node]
        if spans[request, s] == 0:
            reach[request, s] = start[entry[request]]
        spans[request, s] += 1
        until = min(end[node], end[entry[request]])
        since = max(start[node], reach[request, s])
        if until > since:
            busy_ns[request, s] += until - since
            reach[request, s] = until


def stage_times(
    tree: Tree,
    requests: Requests,
    request_of: I32,
    segments: Segments,
    stage_of: I16,
    stages: int,
    waits: I64 | None = None,
) -> tuple[I64, I64, I32]:
    """Per request and stage: stage time (ns on the critical path), busy time (ns, union of its spans), spans.

    Three arrays [requests, stages]; `stages` counts unattributed. Stage times of a request sum to its duration. `waits`
    is the time at the start of each span in its server's queue (see stages.server_queue), which counts as a span of queue.
    """  # fmt: skip
    trace, start, end, staged = tree.trace, tree.start, tree.end, stage_of
    seg_stage = stage_of[segments.node]
    if waits is not None and waits.any():
        segments, seg_stage = stage_segments(segments, tree, stage_of, waits)
        waiting = np.flatnonzero(waits)
        trace, request_of = np.append(trace, trace[waiting]), np.append(request_of, request_of[waiting])
        end = np.append(end, (start + waits)[waiting])
        start = np.append(start + waits, start[waiting])
        staged = np.append(stage_of, np.full(len(waiting), QUEUE, np.int16))
    order = np.arange(len(start), dtype=np.int32)
    in_order = np.diff(start) >= 0
    if not np.all(in_order | (np.diff(trace) != 0)):  # clock adjustment or clipping moved a span past another
        order = np.lexsort((start, trace)).astype(np.int32)
    stage_ns, busy_ns, reach = (np.zeros((len(requests.entry), stages), np.int64) for _ in range(3))
    spans = np.zeros((len(requests.entry), stages), np.int32)
    _stage_times(
        order, request_of, staged, start, end, requests.entry, segments.request, seg_stage,
        segments.end - segments.start, stage_ns, busy_ns, spans, reach,
    )  # fmt: skip
    return stage_ns, busy_ns, spans

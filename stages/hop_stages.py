"""The stage of time between services (docs/reference/method.md, "Hops")

A plain HTTP call to a retriever is retrieval, though nothing on the call's own span says so: the callee's work decides,
once per calling operation and called service, over all requests of a dataset.
"""

from collections.abc import Mapping

import numpy as np

from overbudget.kernels.columns import I16, I32, I64, Bool, OperationColumns, Segments, Tree
from overbudget.kernels.jit import kernel
from overbudget.stages.assign import under_strong_rule
from overbudget.stages.waits_for_person import USER

Call = tuple[int, int]  # the calling operation, and the number of the called service
MOST_OF_CLASSIFIED = (9, 10)
MUCH_OF_ALL = (1, 2)


@kernel(allocates=False)
def _called_by_others(parent, downwards, service, called_at, called, above):
    """Number the nodes that another service calls, above before below: `called`, and which of them stands `above` each (-1:
    none); `called_at` is the number of the nearest one at or above each node, at first -1. How many they are."""
    count = 0
    for i in range(parent.size):
        one = downwards[i]
        up = parent[one]
        if up < 0:
            continue
        if service[one] == service[up]:
            called_at[one] = called_at[up]
            continue
        called[count], above[count], called_at[one] = one, called_at[up], count
        count += 1
    return count


@kernel(allocates=False)
def _add_below(called_at, above, node, stage, ns, times):
    """Add the segments' time to `times` [called node, stage], all zero, then that of each called node to the one above it."""
    for i in range(node.size):
        if called_at[node[i]] >= 0:
            times[called_at[node[i]], stage[i]] += ns[i]
    for i in range(times.shape[0] - 1, -1, -1):
        if above[i] >= 0:
            for s in range(times.shape[1]):
                times[above[i], s] += times[i, s]


def _times_below(tree: Tree, service: I32, segments: Segments, stage: I16, stages: int) -> tuple[I32, I64]:
    """Path time (ns) by stage at and below each node that another service calls: those nodes, and int64[nodes, stages]."""
    n = len(tree.parent)
    called_at, called, above = np.full(n, -1, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    count = _called_by_others(tree.parent, tree.downwards, service, called_at, called, above)
    times = np.zeros((count, stages), np.int64)
    _add_below(called_at, above, segments.node, stage, segments.end - segments.start, times)
    return called[:count], times


def callee_times(
    tree: Tree, operations: OperationColumns, segments: Segments, stage: I16, stages: int
) -> dict[Call, I64]:
    """Path time (ns, int64[stages]) of the callees of each call, including everything they call.

    `stage` is that of each segment, before any hop has the stage of its callee; the last of `stages` is unattributed.
    Calls that a strong rule classifies, and callees without time on a path, are left out.
    """
    service = operations.service[tree.operation]
    node, times = _times_below(tree, service, segments, stage, stages)
    caller = tree.operation[tree.parent[node]]
    strong = (operations.stage >= 0) & ~operations.weak
    told = times.any(axis=1) & ~strong[caller]
    node, times, caller = node[told], times[told], caller[told]
    places = int(max(operations.service.max(initial=0), operations.peer.max(initial=0))) + 1
    calls, which = np.unique(caller.astype(np.int64) * places + service[node], return_inverse=True)
    sums = np.zeros((len(calls), stages), np.int64)
    np.add.at(sums, which, times)
    return {(int(call) // places, int(call) % places): row for call, row in zip(calls, sums, strict=True)}


def stage_of_calls(times: Mapping[Call, I64]) -> dict[Call, int]:
    """The stage of each call whose callee decides it.

    It is the stage with at least nine tenths of the callee's classified time, if that is at least half of all its time. A hop to
    a service that asks a person is not itself a wait for that person.
    """
    decided = {}
    for call, ns in times.items():
        stage, whole = int(np.argmax(ns[:-1])), [int(one) for one in ns]
        most, classified = whole[stage], sum(whole[:-1])
        if (
            most > 0
            and stage != USER
            and most * MOST_OF_CLASSIFIED[1] >= classified * MOST_OF_CLASSIFIED[0]
            and most * MUCH_OF_ALL[1] >= sum(whole) * MUCH_OF_ALL[0]
        ):
            decided[call] = stage
    return decided


def open_hops(tree: Tree, operations: OperationColumns, segments: Segments, stage: I16, stage_of: I16) -> Bool:
    """bool[segments]: hops whose stage the callee may decide, because no strong rule gave their call span one.

    `stage` is that of each segment and `stage_of` that of each node: a reported wait in a server's queue stays one.
    """
    strong = under_strong_rule(tree, operations)
    return np.asarray((segments.hop >= 0) & (stage == stage_of[segments.node]) & ~strong[segments.node])


def with_callees_stage(
    tree: Tree, operations: OperationColumns, segments: Segments, stage: I16, stage_of: I16, stages: int
) -> I16:
    """The stage of each segment of a whole dataset, hops as their callees decide; arguments as in `open_hops`."""
    still_open = np.flatnonzero(open_hops(tree, operations, segments, stage, stage_of))
    if not len(still_open):
        return stage
    decided = stage_of_calls(callee_times(tree, operations, segments, stage, stages))
    operation, hop = tree.operation[segments.node[still_open]], segments.hop[still_open]
    stage = stage.copy()
    for (caller, place), said in decided.items():
        stage[still_open[(operation == caller) & (hop == place)]] = said
    return stage


def add_times(totals: dict[Call, I64], more: Mapping[Call, I64]) -> None:
    """Add the times of some traces to those of others, in place."""
    for call, ns in more.items():
        totals[call] = totals[call] + ns if call in totals else ns

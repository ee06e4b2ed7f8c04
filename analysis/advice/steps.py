"""Advice on how often something is called: many calls in a row, loops that run more often in slow requests."""

from collections.abc import Iterator

import numpy as np

from overbudget.analysis.advice.needs import needs_of
from overbudget.analysis.advice.proposal import LEAST_REQUESTS, Proposal, with_services
from overbudget.analysis.whatif.changes import Drop, Parallel
from overbudget.analysis.whatif.factors import Nodes
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.kernels.columns import I32, I64

IN_A_ROW = 5  # calls of one operation under one parent
DENSE = 0.8  # of the siblings from the first of them to the last
BATCHED_STAGES = ("tools", "retrieval", "database", "context")
MORE_OFTEN = 1.5  # times as often in slow requests as in typical ones
MORE_CALLS = 2  # and at least so many more
AS_LONG = 1.25  # each call no longer than this times the typical one


def many_calls_in_a_row(bench: Workbench) -> Iterator[Proposal]:
    """An operation that is called many times under one parent, one call after the other."""
    nodes, shape, stages = bench.nodes, bench.nodes.replay_input.shape, bench.table.stages
    batched = [place for place, stage in enumerate(stages) if stage in BATCHED_STAGES]
    may = (nodes.request >= 0) & (shape.parent >= 0) & np.isin(nodes.replay_input.stage, batched) & (shape.retry_of < 0)
    place = np.empty(len(shape.parent), np.int64)
    place[shape.by_start] = np.arange(len(shape.by_start))
    for kind in np.unique(shape.kind[may]).tolist():
        calls = np.flatnonzero(may & (shape.kind == kind)).astype(np.int32)
        calls = calls[np.lexsort((shape.start[calls], shape.parent[calls]))]
        first = np.flatnonzero(np.diff(shape.parent[calls], prepend=-1))
        counts = np.diff(np.append(first, len(calls)))
        siblings = place[calls[first + counts - 1]] - place[calls[first]] + 1  # from the first call to the last
        several = (counts >= IN_A_ROW) & (counts >= DENSE * siblings)
        if several.sum() < LEAST_REQUESTS:
            continue
        if _overlapping(nodes, calls) > 0.05:
            continue
        compared, needed = needs_of(bench, calls)
        if needed > 0.5 * compared:
            continue
        name = nodes.replay_input.kinds[kind][1]
        evidence = [
            f"`{name}` is called {int(np.median(counts[several])):,} times in a row at the median, up to {int(counts.max()):,} "
            f"times, under {int(several.sum()):,} parents",
            "the effect is for one combined call, which takes as long as the longest of them",
        ]
        against = ["where each call needs the result of the one before (pages, cursors), they cannot be combined"]
        if compared:
            evidence.append(
                f"the output of one is part of the input of a later one in {needed:,} of {compared:,} cases"
            )
        else:
            against.append("no inputs and outputs are recorded that could show whether one needs another")
        operations = (nodes.replay_input.kinds[kind],)
        yield Proposal("batch_calls", operations, (Parallel((name,)),), tuple(evidence), tuple(against), "plausible")


def _overlapping(nodes: Nodes, calls: I32) -> float:
    """The share of calls, by parent and start, that begin before the one before has ended."""
    shape = nodes.replay_input.shape
    a, b = calls[:-1], calls[1:]
    same = shape.parent[a] == shape.parent[b]
    return float((shape.start[b][same] < shape.end[a][same]).mean()) if same.any() else 0.0


def loops_that_run_more_often(bench: Workbench) -> Iterator[Proposal]:
    """Operations that slow requests call more often than typical ones, each call as long as in typical requests."""
    table, nodes = bench.table, bench.nodes
    if len(table) < 2 * LEAST_REQUESTS:
        return
    low, high, slow_from = np.quantile(table.latency_ns, (0.4, 0.6, 0.9))
    slow = table.latency_ns >= slow_from
    typical = (table.latency_ns >= low) & (table.latency_ns <= high)
    inside = np.flatnonzero((nodes.request >= 0) & (nodes.replay_input.shape.parent >= 0)).astype(np.int32)
    if min(slow.sum(), typical.sum()) < LEAST_REQUESTS // 2 or not len(inside):
        return
    loops = _loops(nodes, inside, slow, typical)
    if "inference" not in table.stages:
        return
    inference = table.stages.index("inference")
    driving = [
        one for one in loops if (nodes.replay_input.stage[nodes.replay_input.operation == one[0]] == inference).any()
    ]
    if not driving:
        return
    operation, in_slow, in_typical, most = driving[0]
    name = nodes.replay_input.names[operation]
    changes = tuple(Drop(nodes.replay_input.names[one], after=keep) for one, _, _, keep in loops)
    evidence = (
        f"`{name}` runs {in_slow:.1f} times in slow requests (the slowest tenth) instead of {in_typical:.1f} in typical ones, each "
        "call as long as there",
        f"the effect is for loops that end as in typical requests, after {most:,} calls",
    )
    against = ("the later steps may be what makes an answer good: compare the share of good answers",)
    operations = with_services(bench, [one for one, *_ in loops])
    yield Proposal("fewer_steps", operations, changes, evidence, against, "plausible")


def _loops(
    nodes: Nodes,
    inside: I32,
    slow: np.ndarray,
    typical: np.ndarray,
) -> list[tuple[int, float, float, int]]:
    """Operations (the most calls first) with calls per slow and per typical request, and the number in typical ones."""
    replay_input, requests = nodes.replay_input, len(slow)
    leaf = inside[replay_input.shape.first[inside + 1] == replay_input.shape.first[inside]]
    found = []
    for operation in np.unique(replay_input.operation[leaf]).tolist():
        calls = leaf[replay_input.operation[leaf] == operation]
        count: I64 = np.bincount(nodes.request[calls], minlength=requests)
        in_slow, in_typical = float(count[slow].mean()), float(count[typical].mean())
        if in_slow < MORE_OFTEN * max(in_typical, 0.5) or in_slow < in_typical + MORE_CALLS:
            continue
        took = (replay_input.shape.end - replay_input.shape.start)[calls]
        of_slow, of_typical = took[slow[nodes.request[calls]]], took[typical[nodes.request[calls]]]
        if not len(of_typical) or np.median(of_slow) > AS_LONG * np.median(of_typical):
            continue
        found.append((operation, in_slow, in_typical, max(1, round(float(np.median(count[typical]))))))
    return sorted(found, key=lambda one: -one[1])

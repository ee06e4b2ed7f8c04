"""What waits for what is told from all traces: one that always comes later waits, one that overlaps elsewhere does not."""

import numpy as np
import pytest

from overbudget.kernels.columns import Tree
from overbudget.kernels.dependence import resolution_ns
from overbudget.kernels.replay import graph_of, lengths, no_change, replay, shape_of

MS = 1_000_000
ODD = 7  # ns, so that no clock is coarse


def tree_of(traces: list[list[tuple[int, int, int, int]]]) -> Tree:
    """Traces of (parent in the trace, operation, start ms, end ms), parents first."""
    rows = [
        (t, p + sum(map(len, traces[:t])) if p >= 0 else -1, *r) for t, trace in enumerate(traces) for p, *r in trace
    ]
    trace, parent, operation, start, end = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    nothing = np.zeros(len(rows), np.int64)
    return Tree(
        np.arange(len(rows), dtype=np.int32), trace.astype(np.int32), parent.astype(np.int32), start * MS + ODD,
        end * MS + ODD, nothing, operation.astype(np.int32), nothing.astype(np.uint64), nothing.astype(np.uint8),
        np.arange(len(rows), dtype=np.int32),
    )  # fmt: skip


def after(tree: Tree, operation: int, factor: float) -> list[int]:
    """How long each entry takes in ms, where an operation takes `factor` times as long."""
    n = len(tree.row)
    shape = shape_of(tree, tree.trace, tree.operation, np.zeros(n, bool))
    change = no_change(n)
    change.factor[tree.operation == operation] = factor
    took = lengths(replay(shape, graph_of(shape), change))
    return [int(ns) // MS for ns in took[tree.parent < 0]]


def background(end: int, then: int) -> list[tuple[int, int, int, int]]:
    """A request that starts something which ends at `end`, and a step that begins at `then`."""
    return [(-1, 0, 0, 100), (0, 1, 0, end), (0, 2, then, 90)]


def test_what_overlaps_elsewhere_is_not_waited_for() -> None:
    usual = [background(60, 20 + i % 3) for i in range(40)]
    early = background(10, 20)  # by chance it ended before
    assert after(tree_of([*usual, early]), 1, 1.9)[-1] == 100


def test_what_hardly_ever_overlaps_is_waited_for() -> None:
    usual = [background(10, 20) for i in range(99)]
    traces = [*usual, background(60, 20)]  # one in a hundred
    assert after(tree_of(traces), 1, 0.0)[0] == 90


@pytest.mark.parametrize(("cases", "waits"), [(19, True), (20, False)])
def test_fewer_than_twenty_cases_tell_nothing(cases: int, waits: bool) -> None:
    overlapping = [background(60, 20) for _ in range(cases - 1)]
    found = after(tree_of([*overlapping, background(10, 20)]), 1, 0.0)[-1]
    assert found == (90 if waits else 100)


def test_what_begins_at_once_when_the_other_ends_waits_for_it_although_the_two_overlap_at_times() -> None:
    """A flag decides whether the step needs the other one; where it does, it begins as soon as that has ended."""
    needs, needs_not = background(40, 41), background(60, 20)
    found = after(tree_of([needs, needs_not] * 30), 1, 0.5)
    assert found[0] == 100 - 20
    assert found[1] == 100


def test_what_outlives_its_parent_delays_neither_parent_nor_siblings() -> None:
    outlives = [(-1, 0, 0, 100), (0, 1, 0, 150), (0, 2, 50, 90)]
    within = [(-1, 0, 0, 100), (0, 1, 0, 49), (0, 2, 50, 90)]
    traces = [*[outlives] * 39, within]
    assert after(tree_of(traces), 1, 2.0) == [100] * 40


def test_the_clock_ticks_as_coarsely_as_all_times_allow() -> None:
    whole = np.array([0, 5 * MS, 7 * MS])
    assert resolution_ns(whole, whole) == MS
    assert resolution_ns(whole, whole + 1_000) == 1_000
    assert resolution_ns(whole, whole + 1) == 0


@pytest.mark.parametrize("seed", range(8))
def test_nothing_changed_moves_nothing_whatever_depends_on_what(seed: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = seed % 2
    traces = []
    for _ in range(200):
        trace = [(-1, 0, 0, 100)]
        for _ in range(int(rng.integers(0, 12))):
            up = int(rng.integers(0, len(trace)))
            start = int(rng.integers(trace[up][2], trace[up][3] + 1))
            trace.append((up, int(rng.integers(1, 5)), start, start + int(rng.integers(0, 40))))
        traces.append(trace)
    tree = tree_of(traces)
    if coarse:
        tree = tree._replace(start=tree.start - ODD, end=tree.end - ODD)
    shape = shape_of(tree, tree.trace, tree.operation, rng.random(len(tree.row)) < 0.1)
    events = replay(shape, graph_of(shape), no_change(len(tree.row)))
    assert (events[0::2] == tree.start).all()
    assert (events[1::2] == tree.end).all()

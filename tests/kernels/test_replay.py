"""Requests timed anew: a change of nothing moves nothing, and everything else follows from what happened before what."""

import numpy as np
import pytest

from overbudget.kernels.columns import I64, Tree
from overbudget.kernels.replay import NodeChanges, Shape, graph_of, no_change, replay, shape_of
from overbudget.kernels.replay import lengths as lengths_of
from tests.kernels.test_against_reference import random_traces, run
from tests.trace_picture import MS, Drawn, draw


def shape(tree: Tree, request_of: np.ndarray, retry_of: np.ndarray | None = None) -> Shape:  # type: ignore[type-arg]
    return shape_of(tree, request_of, tree.operation, np.zeros(len(tree.row), bool), retry_of)


def replayed(one: Shape, change: NodeChanges) -> I64:
    return lengths_of(replay(one, graph_of(one, change.group, change.groups), change))


def lengths(drawn: Drawn, change: NodeChanges, retry_of: np.ndarray | None = None) -> dict[str, int]:  # type: ignore[type-arg]
    """The new duration of each span in ms."""
    found = replayed(shape(drawn.tree, drawn.request_of, retry_of), change)
    return {drawn.name(node): int(ns) // MS for node, ns in enumerate(found)}


def changed(drawn: Drawn, factor: dict[str, float] | None = None, together: tuple[str, ...] = ()) -> NodeChanges:
    change = no_change(len(drawn.tree.row))
    for node in range(len(drawn.tree.row)):
        change.factor[node] = (factor or {}).get(drawn.name(node), 1.0)
        if drawn.name(node) in together:
            change.group[node] = 0
    return change._replace(groups=1 if together else 0)


@pytest.mark.parametrize("seed", range(10))
def test_a_change_of_nothing_moves_nothing(seed: int) -> None:
    spans = random_traces(np.random.default_rng(seed), traces=300, most=25, span=30, outlive=0.4)
    tree, _, request_of, _ = run(spans)
    found = replayed(shape(tree, request_of), no_change(len(tree.row)))
    assert (found == tree.end - tree.start).all()


@pytest.mark.parametrize("seed", range(5))
def test_work_that_takes_no_time_makes_no_request_longer(seed: int) -> None:
    random = np.random.default_rng(seed)
    tree, requests, request_of, _ = run(random_traces(random, traces=300, most=25, span=30, outlive=0.2))
    change = no_change(len(tree.row))
    change.factor[random.random(len(tree.row)) < 0.3] = 0.0
    found = replayed(shape(tree, request_of), change)
    assert (found[requests.entry] <= (tree.end - tree.start)[requests.entry]).all()


def test_what_comes_after_follows() -> None:
    drawn = draw("""
        request  [==================]
          query  ..[======]
          chat   ............[===]
    """)
    assert lengths(drawn, changed(drawn, {"query": 0.5})) == {"request": 16, "query": 4, "chat": 5}


def test_what_nobody_waited_for_saves_nothing() -> None:
    drawn = draw("""
        request  [==================]
          slow   .[===============]
          quick  .[=====]
    """)
    assert lengths(drawn, changed(drawn, {"quick": 0.0}))["request"] == 20


def test_of_two_that_were_waited_for_the_slower_one_counts() -> None:
    drawn = draw("""
        request  [==================]
          a      .[========]
          b      .[======]
          after  .............[===]
    """)
    assert lengths(drawn, changed(drawn, {"a": 0.1}))["request"] == 18


def test_own_time_is_scaled_between_and_after_children() -> None:
    drawn = draw("""
        request  [==================]
          query  ....[======]
    """)
    assert lengths(drawn, changed(drawn, {"request": 0.5}))["request"] == 8 + 6


def test_a_group_starts_together() -> None:
    drawn = draw("""
        request  [========================]
          a      .[====]
          b      ........[=======]
          c      ..................[==]
          after  .......................[]
    """)
    found = lengths(drawn, changed(drawn, together=("a", "b", "c")))
    assert found["request"] == 1 + 9 + 1 + 2 + 1  # each pauses 1 ms and b is the longest; then the rest as it was


def test_an_answer_that_outlives_its_function_still_ends_the_request() -> None:
    drawn = draw("""
        request   [==================]
          ask     .[====]
            stream  ...[==========]
    """)
    found = lengths(drawn, changed(drawn, {"stream": 0.5}))
    assert found["ask"] == 6
    assert found["request"] == 1 + 2 + 6 + 5


def test_siblings_after_a_child_that_ran_on_wait_for_all_of_it() -> None:
    drawn = draw("""
        request   [====================]
          ask     [====]
            stream  ..[=======]
          store   .............[=====]
    """)
    assert lengths(drawn, changed(drawn, {"stream": 0.0}))["request"] < 22 - 3


def repeating(drawn: Drawn, change: NodeChanges, again: str, failed: str, drop: bool = False) -> dict[str, int]:
    """The new durations with `change`, where the call `again` repeats `failed`."""
    node = {drawn.name(node): node for node in range(len(drawn.tree.row))}
    retry_of = np.full(len(node), -1, np.int32)
    retry_of[node[again]] = node[failed]
    at_once = change.at_once.copy()
    at_once[node[again]] = drop
    return lengths(drawn, change._replace(at_once=at_once), retry_of)


REPEATED = """
    request  [==================]
      first  [===]
      again  ..........[====]
      other  [======]
"""


def test_a_repeated_call_takes_the_place_of_the_failed_one_whatever_else_runs_meanwhile() -> None:
    drawn = draw(REPEATED)
    assert repeating(drawn, changed(drawn, {"first": 0.0}), "again", "first", drop=True)["request"] == 20 - 16 + 8


def test_a_repeated_call_waits_for_the_failed_one_alone() -> None:
    drawn = draw(REPEATED)
    assert repeating(drawn, no_change(len(drawn.tree.row)), "again", "first")["request"] == 20
    assert repeating(drawn, changed(drawn, {"other": 0.0}), "again", "first")["request"] == 20
    assert repeating(drawn, changed(drawn, {"first": 0.0}), "again", "first")["request"] == 15

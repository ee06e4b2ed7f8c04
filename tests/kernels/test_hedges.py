"""Hedged calls: told from a second leg at a constant delay; the leg that answered second is waited for by nobody."""

import numpy as np
import pytest

from overbudget.kernels.children import children_by
from overbudget.kernels.hedges import LEAST_CASES, lost_legs
from tests.kernels.test_dependence import after, tree_of

DELAY = 100
Trace = list[tuple[int, int, int, int]]


def hedged(first: int, second: int, delay: int = DELAY) -> Trace:
    """A request that ends with the first of two answers; the other leg goes on."""
    end = min(first, delay + second)
    return [(-1, 0, 0, end), (0, 1, 0, first), (0, 1, delay, delay + second)]


def alone(took: int) -> Trace:
    return [(-1, 0, 0, took), (0, 1, 0, took)]


def lost(traces: list[Trace]) -> list[tuple[int, int]]:
    """(trace, place in it) of the legs that were lost."""
    tree = tree_of(traces)
    first, by_start = children_by(tree.parent, tree.start, tree.end)
    found = lost_legs(tree.parent, first, by_start, tree.start, tree.end, tree.operation, 3)
    begins = np.cumsum([0, *map(len, traces)])
    return [(int(tree.trace[x]), int(x - begins[tree.trace[x]])) for x in np.flatnonzero(found)]


PAIRS = [hedged(400 + i, 50) for i in range(LEAST_CASES // 2)] + [hedged(150 + i, 200) for i in range(LEAST_CASES // 2)]
SINGLES = [alone(40 + 2 * i) for i in range(LEAST_CASES)]


def test_the_leg_that_answers_second_is_lost_be_it_the_first_or_the_second_one():
    half = LEAST_CASES // 2
    assert lost(PAIRS + SINGLES) == [(t, 1 if t < half else 2) for t in range(LEAST_CASES)]


@pytest.mark.parametrize(("pairs", "singles"), [(PAIRS[1:], SINGLES), (PAIRS, SINGLES[1:])])
def test_one_case_too_few_tells_nothing(pairs, singles):
    assert lost(pairs + singles) == []


def test_calls_that_overlap_after_any_delay_are_a_fan_out():
    pairs = [hedged(400, 50, delay=20 + 10 * i) for i in range(LEAST_CASES)]
    assert lost(pairs + [alone(15)] * LEAST_CASES) == []


def test_calls_that_stay_alone_though_they_take_longer_show_that_nobody_hedges():
    unlike = [alone(DELAY + 1)] * 2
    assert lost(PAIRS + SINGLES[1:] + unlike[:1]) != []
    assert lost(PAIRS + SINGLES + unlike) == []


def test_pairs_that_start_together_are_no_hedges():
    assert lost([hedged(400, 50, delay=0)] * LEAST_CASES + SINGLES) == []


def test_three_at_once_are_a_fan_out():
    traces = [[*hedged(400 + i, 50), (0, 1, 200, 500)] for i in range(LEAST_CASES)]
    assert lost(traces + SINGLES) == []


def test_a_request_waits_for_the_leg_that_answers_first_so_faster_legs_make_it_faster():
    traces = PAIRS + SINGLES
    took = after(tree_of(traces), 1, 0.5)
    assert took[0] == DELAY + 25
    assert took[-1] == (40 + 2 * (LEAST_CASES - 1)) // 2
    true = [min(first // 2, DELAY + second // 2) for (_, (_, _, _, first), (_, _, s, e)) in PAIRS for second in [e - s]]
    assert all(told >= one for told, one in zip(took, true, strict=False))  # at most this long

"""Holds of servers one by one: who waits, who lets whom in, and what runs at the same time."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from overbudget.kernels.server_lines import (
    after_others,
    all_taken,
    levels,
    mostly,
    overlaps_a_sibling,
    own_time_walk,
    ready_times,
    same_one_lets_in,
    spearman,
)


def column(*values: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, np.int64)


def own_time(start: list[int], end: list[int], servers: int = 1, most_bad: int = 0) -> tuple[list[int], int]:
    grant, bad = own_time_walk(np.arange(len(start)), column(*start), column(*end), servers, most_bad)
    return grant.tolist(), int(bad)


def test_a_call_gets_the_server_that_was_freed_first() -> None:
    assert own_time([0, 5, 20], [10, 18, 30]) == ([0, 10, 20], 0)
    assert own_time([0, 1, 2, 3], [10, 6, 12, 14], servers=2) == ([0, 1, 6, 10], 0)


def test_a_call_that_ends_before_it_has_a_server_is_bad_and_holds_it_for_no_time() -> None:
    assert own_time([0, 5, 9], [10, 8, 15], most_bad=1) == ([0, 10, 10], 1)
    assert own_time([0, 5], [10, 10], most_bad=1) == ([0, 10], 1)
    assert own_time([0, 10], [10, 10]) == ([0, 10], 0)  # it did not wait
    assert own_time([0, 5, 6], [10, 8, 7], most_bad=0)[1] == 1  # enough is known


@pytest.mark.parametrize(("wanted", "taken"), [(-1, False), (0, True), (5, True), (7, True), (8, False)])
def test_all_servers_are_taken_by_others_or_not(wanted: int, taken: bool) -> None:
    """Two servers: one taken from 0 to 10, the other from 0 to 8 and, by the one that asks, from 5 to 20."""
    start, end, freed = column(0, 0, 5, 100), column(10, 8, 20, 110), column(8, 10, 20, 110)
    due = all_taken(column(0, 3, 4), start, end, freed, column(2, 1), column(0, 0, wanted, 100))
    assert due.tolist() == [False, False, taken, False]


def test_a_hold_joins_when_it_is_wanted_and_all_are_taken_and_not_before_those_that_are_served_first() -> None:
    start, queued = column(0, 10, 12, 30), np.array([False, True, True, True])
    wanted, full = column(0, 4, 3, 35), column(0, 2, 2, 2)
    ready, rank, overtaken = ready_times(column(0, 4), start, start, queued, wanted, full, np.full(4, 1.0))
    assert (ready.tolist(), rank.tolist(), overtaken) == ([0, 4, 4, 30], [0, 1, 2, 3], 0)
    assert ready_times(column(0, 4), start, start, queued, wanted, full, np.full(4, 0.5))[2] == 1
    assert ready_times(column(0, 4), start, start, queued, wanted, column(0, 6, 6, 6), np.full(4, 0.5))[0][1] == 6
    other = ready_times(column(0, 3, 4), start, start, queued, column(0, 9, 3, 1), column(0, 2, 2, 2), np.full(4, 9.0))
    assert (other[0].tolist(), other[1].tolist()) == ([0, 9, 9, 2], [0, 1, 2, 0])  # the last is of another instance


def test_who_lets_a_hold_in_is_of_its_own_instance() -> None:
    queued = np.array([False, True, False, True])
    found = same_one_lets_in(
        column(0, 3, 4), queued, column(0, 10, 10, 10), column(10, 20, 30, 40), column(5, 6, 7, 8), column(1, 2, 3, 4)
    )
    assert found.tolist() == [-1, (1 << 20) + 5, -1, -1]


@pytest.mark.parametrize(
    ("node", "members", "base"), [(1, (), 0), (2, (), 4), (4, (), 8), (4, (3,), 6), (4, (1, 2, 3), 0)]
)
def test_a_call_follows_the_latest_end_of_its_other_siblings(node: int, members: tuple[int, ...], base: int) -> None:
    parent, start, end = np.array([-1, 0, 0, 0, 0]), column(0, 1, 5, 6, 8), column(100, 4, 6, 8, 9)
    member = np.isin(np.arange(5), members)
    first, by_start = column(0, 4, 4, 4, 4, 4), np.array([1, 2, 3, 4])
    assert after_others(first, by_start, parent, start, end, np.array([node]), member).tolist() == [base]


def test_spans_overlap_a_sibling_where_both_run_for_a_time() -> None:
    first, by_start = column(0, 4, 6, 6, 6, 6, 6, 6), np.arange(1, 7)
    start, end = column(0, 0, 5, 7, 10, 0, 9), column(99, 10, 7, 7, 12, 9, 12)  # 5 and 6 are below 1
    assert overlaps_a_sibling(first, by_start, start, end).tolist() == [False, True, True, *[False] * 4]


def test_operations_are_counted_however_many_there_are() -> None:
    kinds = 1500
    parent = np.concatenate([[-1], np.zeros(2 * kinds, np.int32)]).astype(np.int32)
    kind = np.concatenate([[0], np.arange(kinds), np.arange(kinds)]).astype(np.int32)
    marked = np.concatenate([[True], np.arange(kinds) % 3 > 0, np.arange(kinds) % 3 == 1])
    found = mostly(parent, kind, kinds, marked)
    assert found.tolist() == [False, *(np.tile(np.arange(kinds) % 3 == 1, 2))]


def test_what_runs_at_a_time_has_begun_by_then_and_is_not_over() -> None:
    assert levels(column(5, 0, 5), column(10, 5, 20), column(4, 5, 10, 20)).tolist() == [1, 2, 1, 0]


def test_rank_correlation_is_spearmans_with_ties() -> None:
    a, b = column(3, 1, 4, 1, 5, 9, 2, 6), column(2, 7, 1, 8, 2, 8, 1, 8)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    chosen = np.arange(8) != 5
    assert spearman(a, b, chosen) == pytest.approx(spearmanr(a[chosen], b[chosen]).statistic)
    assert spearman(a, np.full(8, 3)) == 0

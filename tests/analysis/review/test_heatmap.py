"""Requests counted by time and latency: every one in a cell, and a cell's requests are those that were counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbudget.analysis.review.heatmap import COLUMNS, ROWS, grid_of, in_cell

requests = st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**10)), min_size=1, max_size=60)


@given(requests)
def test_a_cell_holds_the_requests_that_it_counts_and_every_request_is_in_one(pairs: list[tuple[int, int]]) -> None:
    start, latency = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    grid = grid_of(start, latency)
    assert grid.counts.shape == (ROWS, COLUMNS)
    assert (len(grid.latencies_ns), len(grid.starts_ns)) == (ROWS + 1, COLUMNS + 1)
    assert grid.counts.sum() == len(pairs)
    found: list[int] = []
    for row, column in np.argwhere(grid.counts):
        places = in_cell(grid, start, latency, row, column, limit=len(pairs))
        assert len(places) == grid.counts[row, column]
        assert (np.diff(latency[places]) <= 0).all()
        found += places.tolist()
    assert sorted(found) == list(range(len(pairs)))


def test_of_many_requests_in_a_cell_the_twenty_slowest_are_given() -> None:
    start, latency = np.zeros(30, np.int64), np.arange(1_000_000, 1_000_030)
    grid = grid_of(np.append(start, 10**9), np.append(latency, 10**9))
    row, column = np.argwhere(grid.counts == 30)[0]
    assert in_cell(grid, start, latency, row, column).tolist() == list(range(29, 9, -1))
    assert in_cell(grid, start, latency, row, column, 1).tolist() == [29]


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (0, -1), (ROWS, 0), (0, COLUMNS)])
def test_there_is_no_cell_beyond_the_edge(row: int, column: int) -> None:
    one = np.array([1_000_000], np.int64)
    assert in_cell(grid_of(one, one), one, one, row, column).tolist() == []


def test_without_requests_there_are_no_cells() -> None:
    nothing = np.zeros(0, np.int64)
    assert grid_of(nothing, nothing).counts.shape == (0, 0)
    assert in_cell(grid_of(nothing, nothing), nothing, nothing, 0, 0).tolist() == []


def test_latencies_below_a_microsecond_count_as_one() -> None:
    start, latency = np.array([0, 0]), np.array([0, 999])
    assert grid_of(start, latency).counts.max() == 2

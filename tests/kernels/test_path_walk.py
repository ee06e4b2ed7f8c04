"""The walk through one span, piece by piece, and its parts: the order of what ended, and the heap of what runs on."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbudget.kernels.critical_path import SEGMENT, add_segment, earliest_piece
from overbudget.kernels.path_items import ITEM
from overbudget.kernels.path_walk import (
    AWAITED,
    MOST_PIECES,
    OFFERED,
    OWN,
    PIECE,
    RAN,
    pop_running,
    push_running,
    sort_by_end,
    walk_span,
)

SPAN = 99


def items_of(*rows: tuple[int, int], detached: tuple[int, ...] = ()) -> np.ndarray:  # type: ignore[type-arg]
    """Items (begin, end) whose node and span id are their number."""
    items = np.zeros(len(rows), ITEM)
    for i, (begin, end) in enumerate(rows):
        items[i] = (i, i in detached, begin, end, i)
    return items


def walk(start: int, end: int, items: np.ndarray, request_end: int = 1_000) -> list[tuple[int, int, int]]:  # type: ignore[type-arg]
    """Pieces (high, node, how), latest first."""
    n = len(items)
    pieces = np.zeros(MOST_PIECES * n + 1, PIECE)
    scratch = np.zeros(n, np.int64), np.zeros(n, np.int64)
    count = walk_span(SPAN, start, end, request_end, items, 0, n, *scratch, pieces, 0)
    return [(int(p["high"]), int(p["node"]), int(p["how"])) for p in pieces[:count]]


def test_without_items_a_span_is_one_piece_of_its_own() -> None:
    assert walk(5, 9, items_of()) == [(9, SPAN, OWN)]


def test_a_span_of_no_length_has_no_piece() -> None:
    assert walk(5, 5, items_of()) == []


def test_awaited_items_and_own_time_in_turn() -> None:
    assert walk(0, 10, items_of((1, 3), (4, 9))) == [
        (10, SPAN, OWN),
        (9, 1, AWAITED),
        (4, SPAN, OWN),
        (3, 0, AWAITED),
        (1, SPAN, OWN),
    ]


def test_an_item_that_ends_when_the_next_begins_is_awaited_and_one_that_ends_later_is_offered() -> None:
    assert walk(0, 8, items_of((0, 4), (4, 8))) == [(8, 1, AWAITED), (4, 0, AWAITED)]
    assert walk(0, 8, items_of((0, 5), (4, 8))) == [(8, 1, AWAITED), (4, 0, OFFERED)]


def test_an_item_that_ends_with_the_request_is_offered_and_one_that_ends_later_only_ran() -> None:
    assert walk(0, 8, items_of((2, 10)), request_end=10) == [(8, 0, OFFERED), (2, SPAN, OWN)]
    assert walk(0, 8, items_of((2, 11)), request_end=10) == [(8, 0, RAN), (2, SPAN, OWN)]


def test_a_detached_item_is_awaited_but_never_offered() -> None:
    assert walk(0, 8, items_of((2, 10), detached=(0,))) == [(8, SPAN, OWN)]
    assert walk(0, 8, items_of((2, 8), detached=(0,))) == [(8, 0, AWAITED), (2, SPAN, OWN)]


intervals = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9)).map(lambda t: (t[0], t[0] + t[1])), max_size=40)


@given(intervals)
def test_what_ended_last_comes_first_then_the_later_begin_then_the_greater_span_id(rows: list[tuple[int, int]]) -> None:
    items = items_of(*rows)
    order, spare = np.arange(len(rows), dtype=np.int64), np.zeros(len(rows), np.int64)
    sort_by_end(order, len(rows), spare, items)
    expected = sorted(range(len(rows)), key=lambda i: (rows[i][1], rows[i][0], i), reverse=True)
    assert order.tolist() == expected


@given(intervals, st.integers(0, 20))
def test_the_heap_gives_what_ends_within_the_request_first_then_the_latest_begun(
    rows: list[tuple[int, int]], request_end: int
) -> None:
    items, heap, size = items_of(*rows), np.zeros(len(rows), np.int64), 0
    for i in range(len(rows)):
        size = push_running(heap, size, i, items, request_end)
    found = []
    while size:
        found.append(int(heap[0]))
        size = pop_running(heap, size, items, request_end)
    expected = sorted(range(len(rows)), key=lambda i: (rows[i][1] <= request_end, rows[i][0], i), reverse=True)
    assert found == expected


@given(intervals, st.integers(0, 25), st.integers(1, 22))
def test_pieces_fit_their_room_and_reach_down_from_the_end_without_a_gap(
    rows: list[tuple[int, int]], request_end: int, end: int
) -> None:
    pieces = walk(0, end, items_of(*[row for row in rows if row[0] < end]), request_end)
    highs = [high for high, _, _ in pieces]
    assert highs[0] == end
    assert all(a > b > 0 for a, b in pairwise(highs))


@pytest.mark.parametrize(("low", "expected"), [(0, 3), (2, 3), (3, 2), (7, 1), (8, 0), (9, 0)])
def test_the_earliest_piece_is_the_one_that_ends_after_the_time(low: int, expected: int) -> None:
    pieces = np.zeros(4, PIECE)
    pieces["high"] = (10, 8, 7, 3)
    assert earliest_piece(pieces, 0, 4, low) == expected


def test_touching_segments_become_one_only_where_nothing_differs() -> None:
    segments, count = np.zeros(9, SEGMENT), 0
    for row in [
        (0, 1, 0, 2, True, -1),
        (0, 1, 2, 3, True, -1),
        (0, 1, 3, 4, False, -1),
        (0, 1, 4, 5, False, 7),
        (0, 2, 5, 6, False, 7),
        (1, 2, 6, 7, False, 7),
    ]:
        count = add_segment(segments, count, *row)
    told = [(int(s["request"]), int(s["node"]), int(s["start"]), int(s["end"])) for s in segments[:count]]
    assert told == [(0, 1, 0, 3), (0, 1, 3, 4), (0, 1, 4, 5), (0, 2, 5, 6), (1, 2, 6, 7)]

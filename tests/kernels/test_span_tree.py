"""Spans become trees; what is odd about them is cleaned and flagged; requests are found in them."""

import numpy as np
import pytest

from overbudget.kernels.columns import (
    CYCLE,
    NEGATIVE_DURATION,
    NO_END,
    NO_END_FLAG,
    ORPHAN,
    OperationColumns,
    SpanColumns,
)
from overbudget.kernels.span_tree import build_tree, find_requests, in_flight
from tests.trace_picture import draw

ONE = OperationColumns(*(np.zeros(1, kind) for kind in (np.int32, np.int8, np.int32, np.int16, bool, np.int16)))


def spans(*rows: tuple[int, int, int, int]) -> SpanColumns:
    """One trace of (span id, parent id, start, end)."""
    table = np.array(rows, np.int64)
    ones, n = np.ones(len(rows), np.uint64), len(rows)
    ids, parents = table[:, 0].astype(np.uint64), table[:, 1].astype(np.uint64)
    return SpanColumns(ones, ones, ids, parents, table[:, 2].copy(), table[:, 3].copy(), np.zeros(n, np.int32))


def test_of_spans_with_the_same_ids_the_one_that_ended_last_is_kept() -> None:
    tree, duplicates = build_tree(spans((1, 0, 10, 20), (1, 0, 10, 30), (1, 0, 10, 20)), ONE)
    assert tree.row.tolist() == [1]
    assert duplicates.row.tolist() == [0, 2]
    assert duplicates.kept.tolist() == [1, 1]


def test_of_copies_the_first_is_kept() -> None:
    tree, duplicates = build_tree(spans((1, 0, 10, 20), (1, 0, 10, 20)), ONE)
    assert (tree.row.tolist(), duplicates.row.tolist()) == ([0], [1])


def test_a_span_whose_parent_is_missing_is_an_orphan_and_its_request_incomplete() -> None:
    tree, _ = build_tree(spans((1, 0, 10, 20), (2, 9, 12, 15)), ONE)
    requests, request_of = find_requests(tree, ONE)
    assert tree.parent.tolist() == [-1, ORPHAN]
    assert requests.complete.tolist() == [False]
    assert request_of.tolist() == [0, -1]


def test_spans_that_are_their_own_ancestors_are_cut_loose_and_flagged() -> None:
    tree, _ = build_tree(spans((1, 0, 5, 50), (2, 3, 10, 20), (3, 2, 11, 19), (4, 4, 12, 13)), ONE)
    assert tree.problem.tolist() == [0, CYCLE, 0, CYCLE]
    assert tree.parent.tolist() == [-1, ORPHAN, 1, ORPHAN]


def test_spans_of_a_trace_are_put_in_the_order_of_their_starts_however_many() -> None:
    n = 40
    tree, duplicates = build_tree(spans(*((n - k, 1 if k < n - 1 else 0, n - k, 99) for k in range(n))), ONE)
    assert tree.row.tolist() == list(range(n - 1, -1, -1))
    assert (duplicates.row.size, duplicates.kept.size) == (0, 0)


def test_a_cycle_through_the_first_span_is_cut_too() -> None:
    tree, _ = build_tree(spans((1, 2, 10, 20), (2, 1, 11, 19)), ONE)
    assert (tree.problem.tolist(), tree.parent.tolist()) == ([CYCLE, 0], [ORPHAN, 0])


def test_a_span_without_an_end_reaches_to_the_latest_end_below_it() -> None:
    drawn = draw(
        """
        request  [========  no end
          chat   .[====]
            io   ..[======]
    """.replace("[========  no end", "[=]  no end")
    )
    assert drawn.times()["request"] == (0, 10)
    assert drawn.tree.problem[0] == NO_END_FLAG
    assert drawn.requests.complete.tolist() == [False]


def test_a_span_that_ends_before_it_starts_has_no_length() -> None:
    tree, _ = build_tree(spans((1, 0, 10, 20), (2, 1, 15, 12)), ONE)
    assert (tree.start[1], tree.end[1], tree.problem[1]) == (15, 15, NEGATIVE_DURATION)


def test_roots_are_requests() -> None:
    tree, _ = build_tree(spans((1, 0, 10, 20), (2, 0, 30, 40), (3, 2, 31, 39)), ONE)
    requests, _ = find_requests(tree, ONE)
    assert requests.entry.tolist() == [0, 1]
    assert requests.span_count.tolist() == [1, 2]


def test_without_a_root_the_topmost_server_spans_are_requests() -> None:
    drawn = draw("""
        a        [====]          server orphan
        b        ......[====]    orphan
        c        ............[=] server orphan
    """)
    assert [drawn.name(entry) for entry in drawn.requests.entry] == ["a", "c"]
    assert not drawn.requests.complete.any()  # b has no place in either


def test_without_a_root_or_server_the_only_topmost_span_is_the_request() -> None:
    drawn = draw("""
        a        [====]  orphan
          b      .[==]
    """)
    assert [drawn.name(entry) for entry in drawn.requests.entry] == ["a"]
    assert drawn.requests.complete.all()


def test_each_outermost_marked_span_is_a_request() -> None:
    tree, _ = build_tree(spans((1, 0, 10, 90), (2, 1, 20, 50), (3, 2, 21, 40), (4, 1, 60, 80)), ONE)
    requests, request_of = find_requests(tree, ONE, np.array([False, True, True, True]))
    assert tree.span_id[requests.entry].tolist() == [2, 4]
    assert request_of.tolist() == [-1, 0, 0, 1]


def test_in_flight_counts_the_others_that_run_at_arrival() -> None:
    starts, ends = np.array([0, 5, 10, 10, 30]), np.array([20, 10, 12, 40, 31])
    assert in_flight(starts, ends).tolist() == [0, 1, 2, 2, 1]


@pytest.mark.parametrize("last", [NO_END, 5])
def test_one_span_alone_is_no_trouble(last: int) -> None:
    tree, _ = build_tree(spans((1, 0, 10, last)), ONE)
    assert find_requests(tree, ONE)[0].span_count.tolist() == [1]

"""Edges of trees, clocks, retries and lines: equal times, one nanosecond more, detached work."""

import numpy as np
import pytest

from overbudget.kernels.retries import retries
from overbudget.kernels.server_lines import most_at_once, walk
from overbudget.kernels.span_tree import in_flight
from tests.trace_picture import draw


def repeated(
    *calls: tuple[int, int, bool], parents: list[int] | None = None, kinds: list[int] | None = None
) -> list[int]:
    """Which call each of these repeats; the parent is node 0."""
    n = len(calls)
    return [
        int(found)
        for found in retries(
            np.array([-1, *(parents or [0] * n)], np.int32),
            np.array([0, *(start for start, _, _ in calls)], np.int64),
            np.array([99, *(end for _, end, _ in calls)], np.int64),
            np.array([9, *(kinds or [1] * n)], np.int32),
            np.array([False, *(failed for _, _, failed in calls)]),
        )
    ]


def test_a_call_that_begins_as_the_failed_one_ends_repeats_it() -> None:
    assert repeated((0, 10, True), (10, 20, False)) == [-1, -1, 1]


def test_calls_that_overlap_by_a_nanosecond_are_no_retries() -> None:
    assert repeated((0, 10, True), (9, 20, False)) == [-1, -1, -1]


def test_a_call_after_a_success_or_of_another_kind_or_parent_repeats_nothing() -> None:
    assert repeated((0, 10, False), (10, 20, True)) == [-1, -1, -1]
    assert repeated((0, 10, True), (10, 20, False), kinds=[1, 2]) == [-1, -1, -1]
    assert repeated((0, 10, True), (10, 20, False), parents=[0, 1]) == [-1, -1, -1]


def test_each_attempt_repeats_the_one_before() -> None:
    assert repeated((0, 10, True), (12, 20, True), (25, 30, False), (31, 40, False)) == [-1, -1, 1, 2, -1]


def test_a_child_on_another_clock_is_put_in_the_middle_of_its_call() -> None:
    drawn = draw(
        """
        request  [==================] @api
          call   ..[======]           client
            work ......[====]         @db server
        """,
        skew=True,
    )
    assert drawn.times()["work"] == (3, 9)


def test_what_a_producer_started_stays_where_it_is() -> None:
    drawn = draw(
        """
        request  [==================] @api
          send   ..[==]               producer
            work ...........[======]  @worker consumer
        """,
        skew=True,
    )
    assert drawn.times()["work"] == (11, 19)
    assert (drawn.tree.skew == 0).all()


@pytest.mark.parametrize(("parent", "child"), [("producer", "internal"), ("client", "consumer")])
def test_either_end_of_a_message_shows_that_nobody_waits(parent: str, child: str) -> None:
    drawn = draw(
        f"""
        request  [==================] @api
          send   ..[=======]          {parent}
            work .....[======]        @worker {child}
        """,
        skew=True,
    )
    assert drawn.times()["work"] == (5, 13)


def test_a_detached_child_that_begins_before_its_parent_begins_with_it() -> None:
    drawn = draw(
        """
        request  [==================] @api
          send   .....[==]            producer
            work ..[========]         @worker consumer
        """,
        skew=True,
    )
    assert drawn.times()["work"] == (5, 15)


def test_an_orphan_that_is_a_server_is_the_request_and_its_siblings_are_not() -> None:
    drawn = draw(
        """
        handle   [======]    server orphan
        cleanup  ...[======] orphan
        """
    )
    assert [drawn.name(node) for node in drawn.requests.entry] == ["handle"]
    assert drawn.request_of.tolist().count(-1) == 1


def test_requests_in_flight_count_those_that_have_not_ended_when_one_arrives() -> None:
    starts, ends = np.array([0, 5, 10, 10, 20]), np.array([10, 12, 15, 10, 25])
    assert in_flight(starts, ends).tolist() == [0, 1, 1, 2, 0]


def test_most_at_once_counts_a_hold_that_begins_as_another_ends_after_it() -> None:
    assert most_at_once(np.array([0, 10, 20]), np.array([10, 20, 30])) == 1
    assert most_at_once(np.array([0, 9, 20]), np.array([10, 20, 30])) == 2


def test_a_line_begins_where_every_server_is_taken() -> None:
    ms = 1_000_000
    start = np.array([0, 10, 20, 60]) * ms
    end = np.array([10, 20, 30, 70]) * ms
    base = np.array([0, 2, 4, 60]) * ms  # when each asked
    servers, freed, free_since, queued, full_since = walk(np.array([0, 4]), start, end, base)
    assert servers.tolist() == [1]
    assert freed.tolist() == end.tolist()
    assert free_since[1:].tolist() == end[:3].tolist()
    assert queued.tolist() == [False, True, True, False]
    assert full_since.tolist() == [0, 0, 0, 60 * ms]


def test_instances_without_holds_have_no_servers() -> None:
    nothing = np.zeros(0, np.int64)
    servers, *_ = walk(np.array([0, 0, 0]), nothing, nothing, nothing)
    assert servers.tolist() == [0, 0]


def test_ends_are_told_in_order_however_the_holds_overlap() -> None:
    _, freed, free_since, _, _ = walk(
        np.array([0, 3]), np.array([0, 1, 30]), np.array([50, 20, 60]), np.array([0, 1, 2])
    )
    assert freed.tolist() == [20, 50, 60]
    assert free_since[2] == 20

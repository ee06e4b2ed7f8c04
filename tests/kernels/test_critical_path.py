"""Who a request was waiting for: one drawn case per branch of docs/reference/method.md's definition. `#` is the critical path."""

import numpy as np
import pytest

from overbudget.kernels.columns import OperationColumns, SpanColumns
from overbudget.kernels.critical_path import critical_path
from overbudget.kernels.span_tree import build_tree, find_requests
from tests.trace_picture import check, draw


def test_a_span_without_children_owns_all_of_its_time() -> None:
    check("""
        request  ##########
    """)


def test_only_child_gets_its_full_duration() -> None:
    check("""
        request  ##====####
          chat   ..####
    """)


def test_children_in_a_row_all_count() -> None:
    check("""
        request  #=========##
          a      .####
          b      .....##
          c      .......###
    """)


def test_touching_siblings_are_both_counted() -> None:
    assert draw("""
        request  [========]
          a      [===]
          b      .....[===]
    """).own() == {"a": 5, "b": 5}


def test_of_children_side_by_side_the_one_that_ends_last_counts() -> None:
    check("""
        request  #=======##
          fast   .===
          slow   .#######
    """)


def test_a_child_that_ended_before_the_last_one_began_counts_too() -> None:
    check("""
        request  =======###
          a      ###
          b      ...####
          c      .====
    """)


def test_grandchildren_take_their_time_from_the_child() -> None:
    check("""
        request  #=======##
          chat   .##==###
            db   ...##
    """)


def test_equal_ends_go_to_the_later_start() -> None:
    assert draw("""
        request  [========]
          early  [========]
          late   ..[======]
    """).own() == {"late": 8, "request": 2}


def test_equal_intervals_go_to_the_greater_span_id() -> None:
    assert draw("""
        request  [========]
          one    [========]
          two    [========]
    """).own() == {"two": 10}


def test_a_child_of_no_length_owns_nothing() -> None:
    assert draw("""
        request  [========]
          point  .....|
    """).path() == [("request", 0, 10)]


def test_a_streamed_answer_keeps_its_time_after_the_function_that_started_it() -> None:
    assert draw("""
        request  [==============]
          answer [====]
            chat ..[==========]
    """).path() == [("answer", 0, 2), ("chat", 2, 14), ("request", 14, 16)]


def test_a_background_write_that_outlives_the_request_cannot_hide_what_it_waited_for() -> None:
    assert draw("""
        request  [========]
          chat   .[====]
          write  ..[=============]
    """).path() == [("request", 0, 1), ("chat", 1, 7), ("write", 7, 10)]


def test_what_runs_on_gets_only_the_time_that_no_awaited_child_explains() -> None:
    assert draw("""
        request  [============]
          on     [================]
          a      ..[==]
          b      ........[==]
    """).path() == [("on", 0, 2), ("a", 2, 6), ("on", 6, 8), ("b", 8, 12), ("on", 12, 14)]


def test_of_several_that_run_on_the_latest_started_comes_first() -> None:
    assert draw("""
        request  [========]
          first  .[=============]
          second ....[==========]
    """).path() == [("request", 0, 1), ("first", 1, 4), ("second", 4, 10)]


def test_what_is_handed_on_is_awaited_by_the_ancestor_it_ends_in() -> None:
    assert draw("""
        request  [==================]
          agent  [============]
            call [====]
              io ..[=========]
    """).path() == [("call", 0, 2), ("io", 2, 13), ("agent", 13, 14), ("request", 14, 20)]


def test_what_starts_after_its_parent_has_ended_is_handed_on() -> None:
    assert draw("""
        request  [==================]
          call   [====]
            late ........[=====]
    """).path() == [("call", 0, 6), ("request", 6, 8), ("late", 8, 15), ("request", 15, 20)]


def test_inside_a_part_of_a_span_its_own_running_child_keeps_the_time() -> None:
    assert draw("""
        request  [==================]
          call   [====]
            on   ..[===========]
              io ...[========]
    """).path() == [("call", 0, 2), ("on", 2, 3), ("io", 3, 13), ("on", 13, 15), ("request", 15, 20)]


def test_a_child_that_starts_before_its_parent_is_clipped() -> None:
    assert draw("""
        request  ..[======]
          early  [====]
    """).path() == [("early", 2, 6), ("request", 6, 10)]


def columns(start: list[int], end: list[int], parent: list[int]) -> SpanColumns:
    n = len(start)
    ones = np.ones(n, np.uint64)
    return SpanColumns(
        ones, ones, np.arange(1, n + 1, dtype=np.uint64), np.array(parent, np.uint64),
        np.array(start, np.int64), np.array(end, np.int64), np.zeros(n, np.int32),
    )  # fmt: skip


ONE = OperationColumns(*(np.zeros(1, kind) for kind in (np.int32, np.int8, np.int32, np.int16, bool, np.int16)))


@pytest.mark.parametrize("shape", ["deep", "wide", "outliving"])
def test_a_hundred_thousand_spans_in_one_trace_are_no_trouble(shape: str) -> None:
    n = 100_000
    if shape == "deep":
        spans = columns([1_000_000 + i for i in range(n)], [3_000_000 - i for i in range(n)], list(range(n)))
    elif shape == "wide":
        spans = columns([1, *list(range(2, n + 1))], [n + 10] + [i + 5 for i in range(2, n + 1)], [0] + [1] * (n - 1))
    else:
        spans = columns([1, *list(range(2, n + 1))], [n // 2] + [i + n for i in range(2, n + 1)], [0] + [1] * (n - 1))
    tree, _ = build_tree(spans, ONE)
    requests, request_of = find_requests(tree, ONE)
    segments = critical_path(tree, requests, ONE, request_of)
    assert (segments.end - segments.start).sum() == spans.end_ns[0] - spans.start_ns[0]

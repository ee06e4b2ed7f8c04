"""Who a request was waiting for: one drawn case per branch of docs/reference/method.md's definition. `#` is the critical path."""

import numpy as np
import pytest

from overbudget.kernels.columns import OperationColumns, SpanColumns
from overbudget.kernels.critical_path import critical_path
from overbudget.kernels.jit import AS_PYTHON
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


def test_equal_ends_go_to_the_later_start_and_what_began_before_it_is_offered_the_rest() -> None:
    assert draw("""
        request  [========]
          early  [========]
          late   ..[======]
    """).waits() == [("early", 0, 2, "offered"), ("late", 2, 10, "awaited")]


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


# Time that no awaited child explains is offered to what runs then.


def test_a_stage_of_a_pipeline_that_starts_first_and_runs_on_owns_the_time_before_the_last_one_starts() -> None:
    assert draw("""
        turn     [====================]
          stt    [===]
          llm    .....[=========]
          tts    .........[==========]
    """).waits() == [
        ("stt", 0, 5, "awaited"),
        ("llm", 5, 9, "offered"),
        ("tts", 9, 21, "awaited"),
        ("turn", 21, 22, "awaited"),
    ]


def test_of_calls_that_start_one_after_the_other_and_end_together_some_call_always_owns_the_time() -> None:
    assert draw("""
        request  [============]
          a      .[==========]
          b      ...[========]
          c      .....[======]
          d      .......[====]
    """).path() == [("request", 0, 1), ("a", 1, 3), ("b", 3, 5), ("c", 5, 7), ("d", 7, 13), ("request", 13, 14)]


def test_a_call_that_covers_all_but_the_end_owns_what_a_short_last_one_leaves() -> None:
    assert draw("""
        agent    [====================]
          model  .[=================]
          log    ..................[=]
    """).waits() == [
        ("agent", 0, 1, "awaited"),
        ("model", 1, 18, "offered"),
        ("log", 18, 21, "awaited"),
        ("agent", 21, 22, "awaited"),
    ]


def test_what_ran_below_an_offered_span_is_offered_too() -> None:
    assert draw("""
        turn     [==============]
          agent  [===========]
            tool .[==]
          speak  ........[=====]
    """).waits() == [
        ("agent", 0, 1, "offered"),
        ("tool", 1, 5, "offered"),
        ("agent", 5, 8, "offered"),
        ("speak", 8, 15, "awaited"),
        ("turn", 15, 16, "awaited"),
    ]


def test_of_several_that_run_the_latest_started_is_offered_the_time() -> None:
    assert draw("""
        request  [===============]
          first  .[===========]
          second ...[==========]
          last   ............[==]
    """).path() == [("request", 0, 1), ("first", 1, 3), ("second", 3, 12), ("last", 12, 16), ("request", 16, 17)]


def test_of_several_that_run_since_the_same_time_the_greater_span_id_is_offered_it() -> None:
    assert draw("""
        request  [==========]
          first  .[======]
          second .[=======]
          last   ........[=]
    """).path() == [("request", 0, 1), ("second", 1, 8), ("last", 8, 11), ("request", 11, 12)]


def test_what_ends_within_the_request_is_offered_time_before_what_runs_past_its_end() -> None:
    assert draw("""
        request  [===========]
          call   .[=======]
          write  ...[============]
          last   .........[=]
    """).waits() == [
        ("request", 0, 1, "awaited"),
        ("call", 1, 9, "offered"),
        ("last", 9, 12, "awaited"),
        ("request", 12, 13, "while write"),
    ]


def test_a_span_has_one_path_whatever_part_of_it_is_seen() -> None:
    """Of the agent's two tools the second is what it waited for, though the part before `speak` ends within the first."""
    assert draw("""
        turn     [================]
          agent  [=============]
            slow .[========]
            fast ......[=====]
          speak  ........[=======]
    """).path() == [("agent", 0, 1), ("slow", 1, 6), ("fast", 6, 8), ("speak", 8, 17), ("turn", 17, 18)]


def test_a_streamed_answer_keeps_its_time_after_the_function_that_started_it() -> None:
    assert draw("""
        request  [==============]
          answer [====]
            chat ..[==========]
    """).waits() == [
        ("answer", 0, 2, "awaited"),
        ("chat", 2, 6, "offered"),
        ("chat", 6, 14, "awaited"),
        ("request", 14, 16, "awaited"),
    ]


def test_what_is_handed_on_is_awaited_by_the_ancestor_it_ends_in() -> None:
    assert draw("""
        request  [==================]
          agent  [============]
            call [====]
              io ..[=========]
    """).waits() == [
        ("call", 0, 2, "awaited"),
        ("io", 2, 6, "offered"),
        ("io", 6, 13, "awaited"),
        ("agent", 13, 14, "awaited"),
        ("request", 14, 20, "awaited"),
    ]


# What runs past the request's end owns nothing: the time stays with the span that had it, and what ran is told.


def test_a_background_write_that_outlives_the_request_cannot_hide_what_it_waited_for() -> None:
    assert draw("""
        request  [========]
          chat   .[====]
          write  ..[=============]
    """).waits() == [("request", 0, 1, "awaited"), ("chat", 1, 7, "awaited"), ("request", 7, 10, "while write")]


def test_what_runs_past_the_request_ran_only_in_the_time_that_no_awaited_child_explains() -> None:
    assert draw("""
        request  [============]
          on     [================]
          a      ..[==]
          b      ........[==]
    """).waits() == [
        ("request", 0, 2, "while on"),
        ("a", 2, 6, "awaited"),
        ("request", 6, 8, "while on"),
        ("b", 8, 12, "awaited"),
        ("request", 12, 14, "while on"),
    ]


def test_time_of_a_step_during_which_something_ran_past_the_request_is_the_steps_own() -> None:
    assert draw("""
        request  [==========]
          step   .[=====]
            bg   ..[=============]
    """).waits() == [
        ("request", 0, 1, "awaited"),
        ("step", 1, 2, "awaited"),
        ("step", 2, 8, "while bg"),
        ("request", 8, 12, "while bg"),
    ]


def test_what_ends_with_the_request_is_awaited() -> None:
    assert draw("""
        request  [========]
          write  ..[======]
    """).waits() == [("request", 0, 2, "awaited"), ("write", 2, 10, "awaited")]


def test_what_a_producer_started_is_offered_nothing() -> None:
    assert draw("""
        request  [============]    @a
          send   [==]              @a producer
            work .[=======]        @b consumer
          chat   ........[==]      @a
    """).path() == [("send", 0, 4), ("request", 4, 8), ("chat", 8, 12), ("request", 12, 14)]


def test_what_a_producer_started_is_awaited_where_it_ended_before() -> None:
    assert draw("""
        request  [============]    @a
          send   [==]              @a producer
            work .....[==]         @b consumer
    """).path() == [("send", 0, 4), ("request", 4, 5), ("work", 5, 9), ("request", 9, 14)]


def test_below_the_consumer_what_it_runs_is_offered_its_time() -> None:
    assert draw("""
        request  [============]    @a
          send   [==]              @a producer
            work .....[=====]      @b consumer
              db .....[===]        @b
              io ........[==]      @b
    """).waits() == [
        ("send", 0, 4, "awaited"),
        ("request", 4, 5, "awaited"),
        ("db", 5, 8, "offered"),
        ("io", 8, 12, "awaited"),
        ("request", 12, 14, "awaited"),
    ]


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


def shaped(shape: str, n: int) -> SpanColumns:
    """A request of about n spans whose items a walk could go through again and again."""
    after = range(2, n + 1)
    top, below, all_below = [10 * n], [1] * (n - 1), [0] + [1] * (n - 1)
    match shape:
        case "deep":
            return columns([i + 1 for i in range(n)], [3 * n - i for i in range(n)], list(range(n)))
        case "each outlives the one above":
            return columns([i + 1 for i in range(n)], top + [2 * n + i for i in after], list(range(n)))
        case "in a row":
            return columns([1, *after], top + [i + 1 for i in after], [0, *below])
        case "side by side, the first to start the first to end":
            return columns([1, *after], top + [i + 2 * n for i in after], all_below)
        case "side by side, the first to start the last to end":
            return columns([1, *after], top + [9 * n - i for i in after], all_below)
        case "side by side past the end":
            return columns([1, *after], [n, *[i + n for i in after]], all_below)
        case _:  # a deep chain that runs all the time, seen between thousands of short calls
            half = n // 2
            calls = [4 * i + 3 for i in range(half)]
            chain = [1] + [2] * half + calls, [4 * n] + [4 * n + 9] * half + [c + 1 for c in calls]
            return columns(chain[0], chain[1], [0, *range(1, half + 1), *[1] * half])


SHAPES = [
    "deep",
    "each outlives the one above",
    "in a row",
    "side by side, the first to start the first to end",
    "side by side, the first to start the last to end",
    "side by side past the end",
    "a chain between calls",
]
SLOWER = ("each outlives the one above", "a chain between calls")  # every piece leads down the whole chain


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hundred_thousand_spans_in_one_trace_are_no_trouble(shape: str) -> None:
    most = 400 if AS_PYTHON else 100_000
    spans = shaped(shape, min(most, 4_000) if shape in SLOWER else most)
    tree, _ = build_tree(spans, ONE)
    requests, request_of = find_requests(tree, ONE)
    segments = critical_path(tree, requests, ONE, request_of)
    assert (segments.end - segments.start).sum() == spans.end_ns[0] - spans.start_ns[0]
    assert (segments.start[1:] == segments.end[:-1]).all()

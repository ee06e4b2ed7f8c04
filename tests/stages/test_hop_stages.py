"""Time between services counts for what the called service does, where that is clear, and a strong rule says nothing else."""

import numpy as np
import pytest

from overbudget.stages.assign import stage_of_nodes
from overbudget.stages.hop_stages import add_times, callee_times, stage_of_calls, with_callees_stage
from overbudget.stages.names import DEFAULT_STAGES
from tests.trace_picture import draw

NAMES = (*DEFAULT_STAGES, "unattributed")


def hop_stages(picture: str) -> set[tuple[str, str]]:
    """(span, stage) of each hop of the drawing."""
    drawn = draw(picture)
    stage_of = stage_of_nodes(drawn.tree, drawn.operations, len(DEFAULT_STAGES))
    segments = drawn.segments
    stage = with_callees_stage(drawn.tree, drawn.operations, segments, stage_of[segments.node], stage_of, len(NAMES))
    assert (stage[segments.hop < 0] == stage_of[segments.node[segments.hop < 0]]).all(), "only hops change"
    hops = np.flatnonzero(segments.hop >= 0)
    return {(drawn.name(segments.node[i]), NAMES[stage[i]]) for i in hops}


def test_a_plain_call_to_a_retriever_is_retrieval() -> None:
    assert hop_stages("""
        ask        [==============]
          POST     .[============]    client
            serve  ....[======]       @retriever server
              find ....[======]       stage=retrieval
    """) == {("POST", "retrieval")}


def test_a_callee_with_two_stages_decides_nothing() -> None:
    assert hop_stages("""
        ask        [==============]
          POST     .[============]     client
            serve  ...[=========]      @backend server
              find ...[===]            stage=retrieval
              chat ........[====]      stage=inference
    """) == {("POST", "unattributed")}


@pytest.mark.parametrize(("rest", "stage"), [("[]", "retrieval"), ("[=]", "unattributed")])
def test_nine_tenths_of_the_classified_time_are_enough_and_less_is_not(rest: str, stage: str) -> None:
    """18 ms of retrieval, with 2 or 3 ms of something else."""
    assert hop_stages(f"""
        ask        [==========================]
          POST     .[=======================]   client
            serve  .[=====================]     @backend server
              find .[================]
              f    .[================]          stage=retrieval
              chat ...................{rest}    stage=inference
    """) == {("POST", stage)}


@pytest.mark.parametrize(("serve", "stage"), [("[============]", "retrieval"), ("[=============]", "unattributed")])
def test_half_of_all_time_is_enough_and_less_is_not(serve: str, stage: str) -> None:
    """7 ms of retrieval in 14 or 15 ms."""
    assert hop_stages(f"""
        ask        [======================]
          POST     .[===================]   client
            serve  .{serve}                 @backend server
              find .[=====]                 stage=retrieval
    """) == {("POST", stage)}


def test_a_strong_rule_on_the_call_span_wins() -> None:
    assert hop_stages("""
        ask        [==============]
          web      .[============]    client stage=tools
            serve  ....[======]       @retriever server
              find ....[======]       stage=retrieval
    """) == {("web", "tools")}


def test_a_strong_rule_above_the_call_span_wins() -> None:
    assert hop_stages("""
        ask          [==============]
          web        [==============]    stage=tools
            POST     .[============]     client
              serve  ....[======]        @retriever server
                find ....[======]        stage=retrieval
    """) == {("POST", "tools")}


def test_a_weak_rule_and_an_agent_around_the_call_do_not() -> None:
    for call in ("client stage=tools weak", "client"):
        assert hop_stages(f"""
            agent      [==============]    stage=orchestration
              POST     .[============]     {call}
                serve  ....[======]        @retriever server
                  find ....[======]        stage=retrieval
        """) == {("POST", "retrieval")}


def test_what_the_callee_calls_in_turn_is_the_callees() -> None:
    assert hop_stages("""
        ask          [=================]
          POST       .[===============]    client
            gateway  ...[===========]      @gateway server
              forward ...[=========]       client
                serve  .....[======]       @retriever server
                  find .....[======]       stage=retrieval
    """) == {("POST", "retrieval"), ("forward", "retrieval")}


def test_a_callee_without_spans_and_one_without_classified_time_decide_nothing() -> None:
    assert hop_stages("""
        ask        [==============]
          GET      .[===]             client ->elsewhere
          POST     ......[=======]    client
            serve  .......[====]      @backend server
    """) == {("GET", "unattributed"), ("POST", "unattributed")}


def test_time_of_several_traces_adds_up_in_any_order() -> None:
    calls = []
    for find in ("[==]", "[======]"):
        drawn = draw(f"""
            ask        [==============]
              POST     .[============]    client
                serve  ..[==========]     @retriever server
                  find ..{find}           stage=retrieval
        """)
        stage_of = stage_of_nodes(drawn.tree, drawn.operations, len(DEFAULT_STAGES))
        stage = stage_of[drawn.segments.node]
        calls.append(callee_times(drawn.tree, drawn.operations, drawn.segments, stage, len(NAMES)))
    apart = [stage_of_calls(times) for times in calls]
    assert [len(decided) for decided in apart] == [0, 1]  # 4 and 8 of 12 ms
    for order in (calls, calls[::-1]):
        together: dict[tuple[int, int], np.ndarray] = {}  # type: ignore[type-arg]
        for times in order:
            add_times(together, times)
        assert stage_of_calls(together) == apart[1]  # 12 of 24 ms

"""The innermost classified span decides; weak rules stand back."""

import numpy as np

from overbudget.stages.assign import stage_times
from tests.trace_picture import MS, draw


def test_the_innermost_classified_span_decides() -> None:
    assert draw("""
        request  [==========]
          agent  .[========]       stage=orchestration
            chat ..[===]           stage=inference
              io ...[=]
    """).stages() == {"request": "unattributed", "agent": "orchestration", "chat": "inference", "io": "inference"}


def test_a_weak_rule_counts_only_without_a_classified_span_above() -> None:
    assert draw("""
        request  [==========]
          find   .[====]           stage=retrieval
            q1   ..[==]            stage=database weak
          q2     .......[=]        stage=database weak
    """).stages() == {"request": "unattributed", "find": "retrieval", "q1": "retrieval", "q2": "database"}


def test_orchestration_does_not_stand_in_the_way_of_a_weak_rule() -> None:
    assert (
        draw("""
        agent    [==========]      stage=orchestration
          q      ..[====]          stage=database weak
    """).stages()["q"]
        == "database"
    )


def test_busy_time_is_the_union_and_stage_time_what_was_waited_for() -> None:
    drawn = draw("""
        request  [========]
          a      [====]            stage=tools
          b      ..[======]        stage=tools
    """)
    k = 10
    codes = np.array([{"unattributed": 9, "tools": 4}[drawn.stages()[drawn.name(n)]] for n in range(3)], np.int16)
    stage_ns, busy_ns, count = stage_times(drawn.tree, drawn.requests, drawn.request_of, drawn.segments, codes, k)
    assert stage_ns[0, 4] == 10 * MS  # a ran before b began
    assert busy_ns[0, 4] == 10 * MS
    assert count[0, 4] == 2
    assert stage_ns.sum() == 10 * MS

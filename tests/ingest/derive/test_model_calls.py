"""The rows of model_calls and stage_parts, from drawn traces whose spans say something. One character is one millisecond."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overbudget.ingest.derive.call_times import call_times, calls_that_answer
from overbudget.ingest.derive.model_calls import Said, call_rows
from overbudget.ingest.derive.stage_parts import part_rows
from overbudget.stages.names import DEFAULT_STAGES
from overbudget.stages.server_queue import stage_segments
from tests.drawn_facts import Facts, saying
from tests.span_dump import Span, dataset
from tests.trace_picture import MS

TOKENS = {"input_tokens": "100", "output_tokens": "20"}
TIMES = ("duration_ns", "on_path_ns", "queue_ns", "first_token_ns", "writing_ns", "prefill_ns", "decode_ns")


def derived(
    picture: str, facts: Facts, failed: tuple[str, ...] = (), waits_ms: dict[str, int] | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """The calls by the name of their span, times in ms, and the ms of each part of all requests."""
    said_by = saying(picture, facts, waits_ms=waits_ms)
    drawn, inference = said_by.drawn, said_by.inference
    tree, waits = drawn.tree, inference.waits
    segments, stage = stage_segments(drawn.segments, tree, inference.stage_of, waits)
    times = call_times(tree, inference)
    calls = np.flatnonzero(inference.counts).astype(np.int32)
    said = Said(said_by.connection, tree, said_by.span_no, inference, times, calls)
    has_failed = np.array([drawn.name(node) in failed for node in range(len(tree.row))])
    rows = call_rows(
        tree, said_by.span_no, drawn.request_of, inference, times, segments, stage, said_by.catalogue, has_failed, calls, said,
        calls_that_answer(inference, times.call),
    )  # fmt: skip
    parts = part_rows(tree, inference, times, segments, stage, said_by.catalogue, calls, said)
    found = {}
    for row in rows.to_pylist():
        for name in TIMES:
            row[name] = row[name] if row[name] is None else row[name] / MS
        row["retry_of"] = None if row["retry_of"] is None else drawn.names[row["retry_of"]]
        found[drawn.names[row["span_no"]]] = row
    ms: dict[str, int] = {}
    for row in parts.to_pylist():
        assert DEFAULT_STAGES[row["stage_id"]] == "inference"
        ms[row["part"]] = ms.get(row["part"], 0) + row["part_ns"] // MS
    return found, ms


def test_a_call_is_told_with_what_it_records() -> None:
    picture = """
    request [==================]
      chat  ....[==========]     stage=inference
    """
    recorded = {"model": "mist", "provider": "breeze", "cached_tokens": "64", "cache_write_tokens": "3"}
    calls, _ = derived(picture, {"chat": {**TOKENS, **recorded, "reasoning_tokens": "5", "cost": "0.5"}})
    (chat,) = calls.values()
    assert (chat["model"], chat["provider"], chat["cost"]) == ("mist", "breeze", 0.5)
    counts = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    assert [chat[name] for name in counts] == [100, 64, 3, 20, 5]
    assert [chat[name] for name in TIMES] == [12, 12, None, None, None, None, None]


def test_what_is_not_recorded_is_null_and_an_empty_text_is_nothing() -> None:
    picture = """
    request [=====]
      chat  .[===]  stage=inference
    """
    calls, parts = derived(picture, {"chat": {"model": "", "input_tokens": "many"}})
    assert [calls["chat"][name] for name in ("model", "provider", "input_tokens", "cost")] == [None] * 4
    assert parts == {}


def test_a_first_token_parts_the_path_in_two_that_are_the_whole_call() -> None:
    picture = """
    request [==================]
      chat  ....[==========]     stage=inference
    """
    calls, parts = derived(picture, {"chat": {"ttft_ms": "5"}})
    assert (calls["chat"]["first_token_ns"], calls["chat"]["writing_ns"]) == (5, 7)
    assert parts == {"first_token": 5, "writing": 7}


@pytest.mark.parametrize(("ttft", "parts"), [("0", {"writing": 12}), ("12", {"first_token": 12}), ("13", {})])
def test_first_tokens_at_the_start_at_the_end_and_after_it(ttft: str, parts: dict[str, int]) -> None:
    picture = """
    request [==================]
      chat  ....[==========]     stage=inference
    """
    assert derived(picture, {"chat": {"ttft_ms": ttft}})[1] == parts


def test_of_nested_records_the_outermost_that_records_tokens_is_the_call() -> None:
    picture = """
    request     [==================]
      wrap      .[================]  stage=inference
        chat    ..[============]     stage=inference
          raw   ...[=========]       stage=inference
    """
    facts: Facts = {"chat": TOKENS, "raw": {**TOKENS, "model": "mist", "ttft_ms": "4", "cached_tokens": "9"}}
    calls, parts = derived(picture, facts)
    assert list(calls) == ["chat"]
    assert (calls["chat"]["model"], calls["chat"]["cached_tokens"]) == ("mist", 9)  # what the inner one says counts too
    assert (calls["chat"]["on_path_ns"], calls["chat"]["first_token_ns"], calls["chat"]["writing_ns"]) == (14, 5, 9)
    assert parts == {"first_token": 6, "writing": 12}  # the wrapper's own time is on the same clock


def test_the_clock_is_that_of_the_outermost_span_that_records_a_first_token() -> None:
    picture = """
    request   [==================]
      wrap    .[================]  stage=inference
        chat  ..[============]     stage=inference
    """
    _, parts = derived(picture, {"wrap": {"ttft_ms": "10"}, "chat": {**TOKENS, "ttft_ms": "2"}})
    assert parts == {"first_token": 10, "writing": 8}


def test_nested_spans_that_record_no_tokens_are_one_call() -> None:
    picture = """
    request   [==================]
      wrap    .[================]  stage=inference
        chat  ..[============]     stage=inference
    """
    calls, _ = derived(picture, {"chat": {"model": "mist"}})
    assert list(calls) == ["wrap"]
    assert calls["wrap"]["model"] == "mist"


def test_calls_at_once_that_record_no_tokens_are_calls_each() -> None:
    picture = """
    request   [==================]
      first   .[========]          stage=inference
      second  .[==========]        stage=inference
      third   .[======]            stage=inference
    """
    calls, _ = derived(picture, {"second": TOKENS})
    assert sorted(calls) == ["first", "second", "third"]
    assert [calls[name]["on_path_ns"] for name in ("first", "second", "third")] == [0, 12, 0]


def test_a_tool_inside_a_call_is_no_writing() -> None:
    picture = """
    request   [==================]
      chat    .[================]  stage=inference
        tool  .....[===]           stage=tools
        other ......[====]         stage=tools
    """
    calls, parts = derived(picture, {"chat": {"ttft_ms": "2"}})
    assert calls["chat"]["writing_ns"] == 18 - 2 - 7
    assert (calls["chat"]["on_path_ns"], parts) == (18 - 7, {"first_token": 2, "writing": 9})


def test_an_agent_called_as_a_tool_has_calls_and_clocks_of_its_own() -> None:
    picture = """
    request     [==================]
      chat      .[================]  stage=inference
        tool    .....[=======]       stage=tools
          inner ......[=====]        stage=inference
    """
    calls, parts = derived(picture, {"chat": {**TOKENS, "ttft_ms": "2"}, "inner": {"ttft_ms": "3"}})
    assert {name: call["on_path_ns"] for name, call in calls.items()} == {"chat": 9, "inner": 7}
    assert parts == {"first_token": 2 + 3, "writing": 7 + 4}


def test_a_queue_that_the_server_reports_is_the_call_s_and_no_part() -> None:
    picture = """
    request [==================]
      chat  ....[==========]     stage=inference
    """
    calls, parts = derived(picture, {"chat": {"ttft_ms": "5"}}, waits_ms={"chat": 3})
    assert [calls["chat"][name] for name in ("on_path_ns", "queue_ns", "first_token_ns", "writing_ns")] == [12, 3, 5, 7]
    assert parts == {"first_token": 2, "writing": 7}


def test_queue_prefill_and_decode_as_spans() -> None:
    picture = """
    request               [==================]
      llm_request         .[================]  stage=inference
        vllm_queue        .[=]                 stage=queue
        vllm_prefill      ....[===]            stage=inference
        vllm_decode       .........[======]    stage=inference
    """
    calls, parts = derived(picture, {"llm_request": TOKENS})
    (call,) = calls.values()
    assert [call[name] for name in ("on_path_ns", "queue_ns", "prefill_ns", "decode_ns")] == [18, 3, 5, 8]
    assert parts == {"prefill": 5, "decode": 8}


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_prefill_and_decode_as_attributes_follow_the_queue_in_any_unit(unit: float) -> None:
    picture = """
    request       [==================]
      llm_request .[================]  stage=inference
    """
    facts = {"prefill_s": f"{5 * unit:g}", "decode_s": f"{9 * unit:g}"}
    calls, parts = derived(picture, {"llm_request": facts}, waits_ms={"llm_request": 3})
    assert [calls["llm_request"][name] for name in ("queue_ns", "prefill_ns", "decode_ns")] == [3, 5, 9]
    assert parts == {"prefill": 5, "decode": 9}


def test_time_that_nobody_waited_for_is_no_part_of_the_path() -> None:
    picture = """
    request [==================]
      slow  .[================]  stage=inference
      fast  .[====]              stage=inference
    """
    calls, parts = derived(picture, {"fast": {"ttft_ms": "2"}})
    assert (calls["fast"]["on_path_ns"], calls["fast"]["first_token_ns"], calls["fast"]["writing_ns"]) == (0, 2, 4)
    assert parts == {}


def made(tmp_path: Path, *calls: Span) -> list[tuple[Any, ...]]:
    connection = dataset(tmp_path / "d.duckdb", [[Span("POST /chat", 0, 2_000, kind="server"), *calls]])
    return connection.execute(
        "SELECT span_id[-1:], retry_of[-1:], status_code, start_time, request_span_id FROM model_calls ORDER BY start_time"
    ).fetchall()


def test_a_call_is_the_retry_of_the_failed_one_of_its_name_before_it(tmp_path: Path) -> None:
    chat = {"gen_ai.operation.name": "chat"}
    calls = [
        Span("chat mist", 10, 100, "POST /chat", key="a", attributes=chat, failed=True),
        Span("chat mist", 200, 300, "POST /chat", key="b", attributes=chat, failed=True),
        Span("chat gale", 310, 390, "POST /chat", key="c", attributes=chat),
        Span("chat mist", 400, 500, "POST /chat", key="d", attributes=chat),
        Span("chat mist", 600, 700, "POST /chat", key="e", attributes=chat),
    ]
    rows = made(tmp_path, *calls)
    assert [row[:3] for row in rows] == [
        ("2", None, "ERROR"), ("3", "2", "ERROR"), ("4", None, "UNSET"), ("5", "3", "UNSET"), ("6", None, "UNSET"),
    ]  # fmt: skip
    assert {row[4][-1:] for row in rows} == {"1"}


def test_calls_inside_a_call_s_tool_are_no_second_record_of_it(tmp_path: Path) -> None:
    chat: dict[str, str | int] = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100}
    outer = Span("chat", 10, 900, "POST /chat", key="a", attributes=chat)
    tool = Span("ask", 100, 800, "a", key="b", attributes={"gen_ai.operation.name": "execute_tool"})
    inner = Span("chat", 110, 790, "b", key="c", attributes=chat)
    assert [row[0] for row in made(tmp_path, outer, tool, inner)] == ["2", "4"]


def test_a_dataset_without_model_calls_has_empty_relations(tmp_path: Path) -> None:
    connection = dataset(tmp_path / "d.duckdb", [[Span("GET /", 0, 20, kind="server")]])
    assert connection.sql("SELECT * FROM model_calls").fetchall() == connection.sql("FROM stage_parts").fetchall() == []


def test_parts_of_every_request_are_within_its_stage_and_calls_add_up_to_it(tmp_path: Path) -> None:
    """On random trees of calls, wrappers, queues and tools."""
    random_ = random.Random(13)
    connection = dataset(tmp_path / "d.duckdb", [grown(random_) for _ in range(60)])
    rows = connection.sql(
        """SELECT s.stage_ns, coalesce(max(p.part_ns) FILTER (part = 'first_token'), 0) AS first,
               coalesce(max(p.part_ns) FILTER (part = 'writing'), 0) AS writing
           FROM stage_time s LEFT JOIN stage_parts p USING (trace_id, request_span_id, stage)
           WHERE s.stage = 'inference' GROUP BY ALL"""
    ).fetchall()
    assert rows
    assert all(first + writing <= whole for whole, first, writing in rows)
    assert any(first and writing for _, first, writing in rows)
    sums = connection.sql(
        """SELECT (SELECT sum(on_path_ns) FROM model_calls c WHERE c.trace_id = s.trace_id), sum(stage_ns)
           FROM stage_time s WHERE stage IN ('inference', 'queue') GROUP BY trace_id"""
    ).fetchall()
    assert all((of_calls or 0) <= of_stage for of_calls, of_stage in sums)
    assert connection.sql(
        "SELECT count(*) FROM model_calls WHERE first_token_ns + writing_ns > duration_ns OR on_path_ns > duration_ns"
    ).fetchall() == [(0,)]


def grown(random_: random.Random) -> list[Span]:
    """A request with a random tree below it."""
    kinds = [
        {"gen_ai.operation.name": "chat"}, {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5},
        {"gen_ai.operation.name": "execute_tool"}, {"gen_ai.operation.name": "invoke_agent"}, {},
    ]  # fmt: skip
    spans = [Span("POST /chat", 0, 1_000, kind="server", key="0")]
    for number in range(1, random_.randint(3, 14)):
        above = random_.choice(spans)
        assert above.end is not None
        start = random_.uniform(above.start, above.end)
        end = random_.uniform(start, above.end)
        said: dict[str, str | int] = dict(random_.choice(kinds))
        if said.get("gen_ai.operation.name") == "chat" and random_.random() < 0.6:
            said["ttft_ms"] = str(random_.uniform(0, 1.2 * (end - start)))
        spans.append(Span("work", start, end, above.key, key=str(number), attributes=said))
    return spans


def test_time_of_a_second_record_is_the_call_s_and_what_it_says_counts(tmp_path: Path) -> None:
    """The client's record is the one on the path, the framework's tells the first token, or the other way round."""
    said: dict[str, str | int] = {
        "gen_ai.operation.name": "chat", "gen_ai.response.id": "r-1", "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 5,
    }  # fmt: skip
    for first in ("a", "b"):
        spans = [
            Span("chat", 11, 99, "POST /chat", key="a", scope="client", attributes={**said, **({"ttft_ms": 40} if first == "a" else {})}),
            Span("chat", 10, 100, "POST /chat", key="b", scope="framework", attributes={**said, **({"ttft_ms": 40} if first == "b" else {})}),
        ]  # fmt: skip
        connection = dataset(tmp_path / f"{first}.duckdb", [[Span("POST /chat", 0, 110, kind="server"), *spans]])
        rows = connection.execute(
            "SELECT span_id[-1:], on_path_ns, first_token_ns, output_tokens FROM model_calls"
        ).fetchall()
        assert rows == [("3", 90 * MS, (41 if first == "a" else 40) * MS, 5)]  # the record that ends last
        parts = dict(connection.execute("SELECT part, part_ns FROM stage_parts").fetchall())
        assert parts == (
            {"first_token": 41 * MS, "writing": 49 * MS}
            if first == "a"
            else {"first_token": 40 * MS, "writing": 50 * MS}
        )

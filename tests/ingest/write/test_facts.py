"""What spans say about their request."""

import json
from pathlib import Path

import pytest

from overbudget.analysis.consistency.consistency import consistency
from overbudget.ingest.pipeline import ingest
from overbudget.ingest.write.facts import FACT_NAMES, facts_of
from overbudget.store.dataset import open_dataset
from tests.batches import batch


def said(*spans: dict, **kwargs: object) -> list[tuple[int, str, str]]:
    rows = facts_of(batch(spans, **kwargs), 100).to_pylist()  # type: ignore[arg-type]
    return [(row["span_no"], FACT_NAMES[row["fact"]], row["value"]) for row in rows]


def test_facts_are_picked_by_key_and_numbered_by_span() -> None:
    spans = {}, {"attributes": {"gen_ai.usage.input_tokens": "12", "other": "x", "request.id": "r-1"}}
    assert sorted(said(*spans)) == [(101, "input_tokens", "12"), (101, "request_id", "r-1")]


def test_the_best_evidence_wins_whatever_the_order() -> None:
    both = {"gen_ai.request.model": "asked", "gen_ai.response.model": "got"}
    assert said({"attributes": both}) == [(100, "model", "got")]
    assert said({"attributes": dict(reversed(both.items()))}) == [(100, "model", "got")]


def test_the_first_event_named_like_a_first_token_gives_the_time_to_it() -> None:
    events = [
        {"span": 1, "time_ns": 4_000, "name": "gen_ai.first_token"},
        {"span": 1, "time_ns": 3_000, "name": "First Chunk"},
        {"span": 1, "time_ns": 3_500, "name": "llm.first_token"},
        {"span": 1, "time_ns": 1_100, "name": "log"},
        {"span": 0, "time_ns": None, "name": "first_token"},
    ]
    assert said({}, {"start_ns": 1_000}, events=events) == [(101, "ttft_ns", "2000")]


def test_a_batch_without_facts_gives_an_empty_table() -> None:
    assert said({"attributes": {"x": "1"}}) == []


@pytest.mark.parametrize(
    ("key", "fact"),
    [
        ("gen_ai.evaluation.score.value", "score"),
        ("evaluation.score", "score"),
        ("evaluations.0.evaluation.score", "score"),
        ("session.evaluations.12.evaluation.label", "label"),
        ("annotations.1.annotation.label", "label"),
        ("langfuse.score.correctness", "score"),
        ("langfuse.trace.scores.correctness.value", "score"),
    ],
)
def test_every_convention_of_evaluations_is_read(key: str, fact: str) -> None:
    assert said({"attributes": {key: "1"}}) == [(100, fact, "1")]


def test_what_only_looks_like_an_evaluation_is_none() -> None:
    assert said({"attributes": {"document.score": "1", "evaluation.name": "x", "my.evaluation.score.max": "1"}}) == []


def test_a_request_id_in_a_list_is_the_same_as_one_alone(tmp_path: Path) -> None:
    listed = {"key": "http.request.header.x-request-id", "value": {"arrayValue": {"values": [{"stringValue": "r-1"}]}}}
    plain = {"key": "request.id", "value": {"stringValue": "r-1"}}
    spans = [
        {
            "traceId": f"{number:032x}", "spanId": "1" * 16, "name": "x", "attributes": [attribute],
            "startTimeUnixNano": "1000", "endTimeUnixNano": "2000",
        }
        for number, attribute in enumerate((listed, plain), 1)
    ]  # fmt: skip
    dump = tmp_path / "d.json"
    dump.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    ingest([dump], tmp_path / "d.duckdb")
    rows = open_dataset(tmp_path / "d.duckdb").execute("SELECT request_id FROM requests").fetchall()
    assert rows == [("r-1",), ("r-1",)]


def test_a_cost_recorded_by_framework_and_client_counts_once(tmp_path: Path) -> None:
    #  request -> llm (0.5) -> http client's llm (0.5); and one more call (0.25)
    spans = [
        {
            "traceId": "1" * 32, "spanId": own * 16, "parentSpanId": above * 16, "name": own, "startTimeUnixNano": "1000",
            "endTimeUnixNano": "9000",
            "attributes": [
                {"key": "openinference.span.kind", "value": {"stringValue": "LLM" if cost else "AGENT"}},
                {"key": "llm.model_name", "value": {"stringValue": "m"}},
                *([{"key": "llm.cost.total", "value": {"doubleValue": cost}}] if cost else []),
            ],
        }
        for own, above, cost in (("1", "", 0), ("2", "1", 0.5), ("3", "2", 0.5), ("4", "1", 0.25))
    ]  # fmt: skip
    dump = tmp_path / "d.json"
    dump.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    ingest([dump], tmp_path / "d.duckdb")
    (model,) = consistency(open_dataset(tmp_path / "d.duckdb")).models
    assert model.cost == 0.75


LANGFUSE = '{"input": 56, "input_cached_tokens": 64, "output": 30, "output_reasoning": 5, "total": 150}'
OPENAI = '{"completion_tokens": 30, "prompt_tokens": 120, "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": null}}'
PYTHON = "{'completion_tokens': 30, 'prompt_tokens': 120, 'completion_tokens_details': {'reasoning_tokens': 5}}"


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("langfuse.observation.usage_details", LANGFUSE, ("120", "30", "64", "5")),
        ("langfuse.observation.usage_details", OPENAI, ("120", "30", "64", None)),
        ("langfuse.observation.usage_details", '{"input": 7}', ("7", None, None, None)),
        (
            "mlflow.chat.tokenUsage",
            '{"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}',
            ("9", "2", None, None),
        ),
        ("metadata.usage_object", PYTHON, ("120", "30", None, "5")),
    ],
)
def test_usage_in_one_text_is_read(key: str, text: str, expected: tuple[str | None, ...]) -> None:
    found = {fact: value for _, fact, value in said({"attributes": {key: text}})}
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    assert tuple(found.get(name) for name in names) == expected
    assert "usage" not in found


def test_a_figure_of_its_own_is_better_than_one_in_a_text() -> None:
    both = {"gen_ai.usage.input_tokens": "100", "langfuse.observation.usage_details": OPENAI}
    rows = said({"attributes": both}, {"attributes": {"langfuse.observation.usage_details": OPENAI}})
    assert [row for row in rows if row[1] == "input_tokens"] == [
        (100, "input_tokens", "100"),
        (101, "input_tokens", "120"),
    ]
    assert (100, "cached_tokens", "64") in rows


def test_texts_without_figures_tell_nothing() -> None:
    assert said({"attributes": {"langfuse.observation.usage_details": "{}", "haystack.component.output": "null"}}) == []


def test_the_total_of_cost_details_is_the_cost() -> None:
    details = '{"input": 1.1e-05, "output": 2e-05, "total": 3.1e-05}'
    assert said({"attributes": {"langfuse.observation.cost_details": details}}) == [(100, "cost", "3.1e-05")]


def test_components_of_haystack_name_their_model_in_their_output() -> None:
    output = '{"replies": [{"meta": {"model": "gpt-4o", "usage": {"prompt_tokens": 120, "completion_tokens": 30}}}]}'
    rows = said({"attributes": {"haystack.component.output": output}})
    assert {(fact, value) for _, fact, value in rows} == {
        ("model", "gpt-4o"),
        ("input_tokens", "120"),
        ("output_tokens", "30"),
    }


@pytest.mark.parametrize(
    ("key", "fact"),
    [
        ("ai.telemetry.metadata.sessionId", "conversation_id"),
        ("mlflow.trace.session", "conversation_id"), ("gcp.vertex.agent.session_id", "conversation_id"),
        ("gen_ai.usage.details.cache_read_tokens", "cached_tokens"), ("gen_ai.usage.cache_write.input_tokens", "cache_write_tokens"),
        ("operation.cost", "cost"), ("ttft_ms", "ttft_ms"), ("reranker.model_name", "model"), ("gen_ai.system", "provider"),
        ("gen_ai.client.inference.time_to_first_chunk", "ttft_s"),
    ],
)  # fmt: skip
def test_names_in_use_are_known(key: str, fact: str) -> None:
    assert said({"attributes": {key: "1"}}) == [(100, fact, "1")]


def test_chunks_as_openllmetry_called_them_before_0_5_are_first_tokens() -> None:
    events = [{"span": 0, "time_ns": 3_000, "name": "llm.content.completion.chunk"}]
    assert said({"start_ns": 1_000}, events=events) == [(100, "ttft_ns", "2000")]


ASKS = [(100, "asks_tool")]


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"gen_ai.response.finish_reasons": '["tool_calls"]'}, ASKS),
        ({"gen_ai.response.finish_reasons": '["tool_use"]'}, ASKS),
        ({"ai.response.finishReason": "tool-calls"}, ASKS),
        ({"gen_ai.response.finish_reason": "FinishReason.TOOL_CALLS"}, ASKS),
        ({"gen_ai.response.finish_reasons": '["stop"]'}, []),
        ({"gen_ai.completion.0.tool_calls.0.name": "weather"}, ASKS),
        ({"llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1"}, ASKS),
        ({"llm.input_messages.2.message.tool_calls.0.tool_call.id": "c1"}, []),  # an earlier turn
        ({"gen_ai.output.messages": '[{"parts": [{"type": "tool_call", "id": "c1", "name": "weather"}]}]'}, ASKS),
        ({"gen_ai.output.messages": '[{"parts": [{"type": "text", "content": "call a tool"}]}]'}, []),
        ({"gen_ai.completion": '{"content": "hi", "tool_calls": null, "function_call": null}'}, []),
        ({"langfuse.observation.output": '{"tool_calls": [{"id": "c1"}]}'}, ASKS),
        ({"langfuse.observation.output": '{"tool_calls": []}'}, []),
    ],
)  # fmt: skip
def test_a_call_that_asks_for_a_tool_says_so_at_its_end_or_in_what_it_wrote(attributes: dict, told: list) -> None:
    assert [one[:2] for one in said({"attributes": attributes})] == told


def test_gemini_stops_and_yet_asks_for_a_tool() -> None:
    both = {
        "gen_ai.response.finish_reasons": '["STOP"]',
        "gen_ai.output.messages": '[{"parts": [{"type": "tool_call"}]}]',
    }
    assert [one[:2] for one in said({"attributes": both})] == ASKS


def test_an_event_with_the_choice_tells_that_a_tool_is_asked_for() -> None:
    events = [{"span": 0, "time_ns": 3_000, "name": "gen_ai.choice", "attributes": {"finish_reason": "tool_use"}}]
    assert [one[:2] for one in said({}, events=events)] == ASKS
    assert said({}, events=[{**events[0], "name": "gen_ai.user.message"}]) == []


def test_a_thread_of_the_process_is_no_conversation() -> None:
    assert said({"attributes": {"thread.id": "44"}}, {"attributes": {"thread.id": "thread_9f"}}) == [
        (101, "conversation_id", "thread_9f")
    ]
    assert said({"attributes": {"thread.id": "140213", "session_id": "7"}}) == [(100, "conversation_id", "7")]

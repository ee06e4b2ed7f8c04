"""Which call gives the answer of a request, from drawn traces: one character is one millisecond."""

from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.read import read_requests
from overbudget.ingest.derive.call_times import call_times, calls_that_answer
from overbudget.stages.answers import first_tokens, judges
from tests.drawn_facts import Facts, saying
from tests.span_dump import Span, dataset
from tests.trace_picture import MS


def first(picture: str, facts: Facts) -> list[float | None]:
    """The first token of each request in ms, None where none is told."""
    said = saying(picture, facts)
    drawn, inference = said.drawn, said.inference
    times = call_times(drawn.tree, inference)
    answers = calls_that_answer(inference, times.call)
    found = first_tokens(drawn.tree, drawn.requests, drawn.segments, times.call, answers, times.first_ns)
    return [ns / MS if ns >= 0 else None for ns in found.tolist()]


TWO_CALLS = """
request   [====================]
  plan    .[=======]              stage=inference
  answer  ..........[=======]     stage=inference
"""


def test_the_answer_is_the_last_call_on_the_path_and_counts_from_the_start_of_the_request() -> None:
    assert first(TWO_CALLS, {"plan": {"ttft_ms": "2"}, "answer": {"ttft_ms": "3"}}) == [13]


def test_where_the_answer_records_none_an_earlier_call_does_not_stand_for_it() -> None:
    assert first(TWO_CALLS, {"plan": {"ttft_ms": "2"}}) == [None]


def test_a_turn_that_asks_for_a_tool_is_no_answer() -> None:
    assert first(TWO_CALLS, {"plan": {"ttft_ms": "2"}, "answer": {"ttft_ms": "3", "asks_tool": ""}}) == [3]


def test_a_request_of_such_turns_alone_has_no_answer() -> None:
    asks = {"ttft_ms": "3", "asks_tool": ""}
    assert first(TWO_CALLS, {"plan": asks, "answer": asks}) == [None]


def test_a_call_off_the_path_is_no_answer() -> None:
    picture = """
    request   [====================]
      answer  .[=================]    stage=inference
      title   .....[======]           stage=inference
    """
    assert first(picture, {"answer": {"ttft_ms": "3"}, "title": {"ttft_ms": "1"}}) == [4]


@pytest.mark.parametrize("above", ["input_guardrail", "llm_judge", "answer_evaluator", "grader"])
def test_a_guard_or_an_evaluation_is_no_answer(above: str) -> None:
    picture = f"""
    request    [====================]
      answer   .[=======]              stage=inference
      {above}  ..........[=======]
        check  ...........[=====]      stage=inference
    """
    assert first(picture, {"answer": {"ttft_ms": "2"}, "check": {"ttft_ms": "3"}}) == [3]


def test_what_the_entry_is_called_says_nothing_about_its_calls() -> None:
    picture = """
    guarded_chat  [=================]  stage=safety
      answer      .[=======]           stage=inference
    """
    assert first(picture, {"answer": {"ttft_ms": "2"}}) == [3]


@pytest.mark.parametrize(("model", "ms"), [("llama-guard-3", 3), ("omni-moderation-latest", 3), ("mist-large", 13)])
def test_a_model_that_judges_gives_no_answer(model: str, ms: int) -> None:
    assert first(TWO_CALLS, {"plan": {"ttft_ms": "2"}, "answer": {"ttft_ms": "3", "model": model}}) == [ms]


def test_a_record_of_the_same_call_tells_that_it_asks_for_a_tool() -> None:
    picture = """
    request   [====================]
      plan    .[=======]              stage=inference
      wrap    ..........[=========]   stage=inference
        raw   ...........[=======]    stage=inference
    """
    tokens = {"input_tokens": "9", "output_tokens": "3"}
    facts: Facts = {"plan": {**tokens, "ttft_ms": "2"}, "wrap": tokens, "raw": {"ttft_ms": "3", "asks_tool": ""}}
    assert first(picture, facts) == [3]


def test_an_agent_that_records_the_tokens_of_its_turns_answers_with_the_last() -> None:
    picture = """
    request   [====================]
      agent   .[=================]    stage=inference
        turn  ..[=====]               stage=inference
        last  .........[=======]      stage=inference
    """
    facts: Facts = {"agent": {"input_tokens": "9", "ttft_ms": "12"}, "turn": {"asks_tool": ""}}
    assert first(picture, facts) == [13]


def test_an_answer_that_outlives_its_request_is_the_only_call_that_may_be_one() -> None:
    picture = """
    request   [=========]
      stream  ..[==============]  stage=inference
    """
    assert first(picture, {"stream": {"ttft_ms": "3"}}) == [5]
    assert first(picture, {"stream": {"ttft_ms": "9"}}) == [11]
    assert first(picture, {"stream": {"ttft_ms": "10"}}) == [None]  # after the request


def test_where_a_call_outlives_the_request_after_another_ended_nothing_tells_which_one_answered() -> None:
    picture = """
    request   [===============]
      first   .[=====]               stage=inference
      stream  .........[==========]  stage=inference
    """
    facts: Facts = {"first": {"ttft_ms": "2"}, "stream": {"ttft_ms": "3"}}
    assert first(picture, facts) == [None]
    assert first(picture, {**facts, "first": {"ttft_ms": "2", "asks_tool": ""}}) == [12]
    assert first(picture, {**facts, "stream": {"ttft_ms": "3", "asks_tool": ""}}) == [3]


def test_requests_without_calls_have_no_first_token() -> None:
    assert first("request [====]", {}) == [None]


def test_a_word_about_something_else_is_no_judge() -> None:
    said = {name: judges(name) for name in ("guardian_lookup", "safeguard", "judgement_day", "upgrade", "LLMJudge")}
    assert said == {
        "guardian_lookup": False,
        "safeguard": False,
        "judgement_day": False,
        "upgrade": False,
        "LLMJudge": True,
    }


def test_no_first_token_is_before_the_request_or_after_it() -> None:
    random = np.random.default_rng(5)
    for _ in range(50):
        lines, facts = ["request [============================]"], {}
        for number in range(random.integers(1, 6)):
            start, length = int(random.integers(0, 25)), int(random.integers(2, 12))
            lines.append(f"  call{number} {'.' * start}[{'=' * (length - 2)}] stage=inference")
            facts[f"call{number}"] = {"ttft_ms": str(random.integers(0, length))}
        (ms,) = first("\n".join(lines), facts)
        assert ms is None or 0 <= ms <= 30


def test_under_a_budget_that_names_requests_the_first_token_counts_from_their_start(tmp_path: Path) -> None:
    def call(start: float, end: float, parent: str, **said: str | int) -> Span:
        return Span(
            "chat", start, end, parent, key=f"chat {start}", attributes={"gen_ai.operation.name": "chat", **said}
        )

    connection = dataset(
        tmp_path / "d.duckdb",
        [
            [
                Span("socket", 0, 100),
                Span("turn", 20, 60, "socket", key="first"),
                call(25, 55, "first", ttft_ms=10),
                Span("turn", 60, 100, "socket", key="second"),
                call(62, 80, "second", ttft_ms=3),
                Span("summarise", 80, 100, "second"),
                call(81, 99, "summarise", ttft_ms=1),
            ]
        ],
    )
    assert read_requests(connection).ttft_ns.tolist() == [82 * MS]
    turns = '[request]\nmatch = { name = "turn" }\n'
    assert read_requests(connection, parse_budget(turns)).ttft_ns.tolist() == [15 * MS, 22 * MS]
    waits_not = '[background]\nmatch = { name = "summarise" }'
    assert read_requests(connection, parse_budget(turns + waits_not)).ttft_ns.tolist() == [15 * MS, 22 * MS]

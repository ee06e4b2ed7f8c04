"""Usage that a framework records as one text reaches every answer: what a call read and wrote is in `model_calls`."""

import json
from pathlib import Path

import pytest

from overbudget.analysis.causes.token_calls import read_token_calls
from overbudget.analysis.consistency.consistency import consistency
from overbudget.analysis.trace.trace import load_trace
from tests.span_dump import Span, dataset

PLAIN = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "mist",
    "gen_ai.usage.input_tokens": 700,
    "gen_ai.usage.cache_read.input_tokens": 64,
    "gen_ai.usage.output_tokens": 90,
}
LANGFUSE = {
    "langfuse.observation.type": "generation",
    "langfuse.observation.model.name": "mist",
    "langfuse.observation.usage_details": json.dumps(
        {"input": 636, "input_cached_tokens": 64, "output": 90, "total": 790}
    ),
    "langfuse.observation.cost_details": json.dumps({"total": 0.5}),
}
MLFLOW = {
    "mlflow.spanType": '"CHAT_MODEL"',
    "mlflow.llm.model": '"mist"',
    "mlflow.chat.tokenUsage": json.dumps(
        {"input_tokens": 700, "output_tokens": 90, "total_tokens": 790, "cache_read_input_tokens": 64}
    ),
}
HAYSTACK = {
    "haystack.component.type": "OpenAIChatGenerator",
    "haystack.component.output": json.dumps(
        {"replies": [{"meta": {"model": "mist", "usage": {"prompt_tokens": 700, "completion_tokens": 90, "cached_tokens": 64}}}]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("said", [PLAIN, LANGFUSE, MLFLOW, HAYSTACK], ids=["plain", "langfuse", "mlflow", "haystack"])
def test_every_answer_reads_the_same_tokens_of_a_call(said: dict[str, str | int], tmp_path: Path) -> None:
    calls = [Span("request", 0, 100), Span("ask", 10, 90, "request", attributes=said)]
    connection = dataset(tmp_path / "d.duckdb", [calls] * 3)
    tokens = connection.execute(
        "SELECT DISTINCT model, input_tokens, cached_tokens, output_tokens FROM model_calls"
    ).fetchall()
    assert tokens == [("mist", 700, 64, 90)]
    requests = "SELECT DISTINCT model, input_tokens, cached_tokens, output_tokens FROM requests"
    assert connection.execute(requests).fetchall() == tokens
    read = read_token_calls(connection)
    assert (read.prompt.tolist(), read.cached.tolist(), read.answer.tolist()) == ([636] * 3, [64] * 3, [90] * 3)
    call = load_trace(connection, f"{1:032x}").spans[1].call
    assert call is not None
    assert (call.input_tokens, call.cached_tokens, call.output_tokens) == (700, 64, 90)
    (model,) = consistency(connection).models
    assert (model.input_tokens, model.output_tokens) == (700, 90)


def test_tokens_beyond_counting_are_none_of_a_call_either(tmp_path: Path) -> None:
    said = {**PLAIN, "gen_ai.usage.input_tokens": str(10**13), "gen_ai.usage.output_tokens": "-4"}
    connection = dataset(tmp_path / "d.duckdb", [[Span("ask", 0, 90, attributes=said)]])
    found = connection.execute("SELECT input_tokens, output_tokens, cached_tokens FROM model_calls").fetchall()
    assert found == [(None, None, 64)]

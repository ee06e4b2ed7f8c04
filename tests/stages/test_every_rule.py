"""Every value, pattern and span name of the conventions, in a trace of its own: what its time counts as."""

import re
from pathlib import Path

import pytest

from overbudget.stages.conventions import KINDS, NAMES, OPERATIONS, PRESENCE, VECTOR_STORES
from tests.span_dump import Span, dataset

# An example of what each pattern is for; a pattern without one fails.
VALUES = {
    r"notifications/.+": "notifications/tools/list_changed", r".+\.do(generate|stream)": "ai.streamText.doStream",
    r".+\.dorerank": "ai.rerank.doRerank", r"ai\.embed.*": "ai.embedMany", r".*promptbuilder": "ChatPromptBuilder",
    r".*(documentjoiner|listjoiner|stringjoiner)": "DocumentJoiner", r".*generator|.*transcriber": "OpenAIChatGenerator",
    r".*(retriever|ranker|embedder|websearch)": "InMemoryBM25Retriever", r".*(evaluator|moderator)": "FaithfulnessEvaluator",
    r".*(validator|outputparser)": "JsonSchemaValidator", r".*router": "ConditionalRouter", r"(rag|graph)_.+": "rag_vector_operation",
}  # fmt: skip
NAMED = {
    r"claude_code\.llm_request": "claude_code.llm_request", r"claude_code\.tool(\.execution)?": "claude_code.tool.execution",
    r"claude_code\.(hook|interaction)": "claude_code.interaction", r"llm_request": "llm_request",
    r"vllm_(queue|async_kv_transfer)": "vllm_queue", r"vllm_(prefill|decode)": "vllm_decode",
    r"(prefill|decode)_(waiting|bootstrap|prealloc.*)": "prefill_waiting",
    r"(prefill|decode)_(forward|loop|transfer_kv_cache)|chunked_prefill|fake_output": "prefill_forward",
    r"tokenize|dispatch|api_server_dispatch|request_process": "tokenize", r"validate": "validate",
    r"(compat_)?generate(_stream)?|(chat_)?completions|infer|prefill|decode": "generate_stream", r"call_llm": "call_llm",
    r"invocation|agent_run.*": "agent_run [root]", r"function: .*|mcp: list tools.*": "Function: get_weather",
    r"guardrail.*": "Guardrail: math", r"responses api.*|chat completion.*": "Responses API with 'gpt-4o'",
    r"(openai agents trace|agent run|task|handoff|turn)\b.*": "Agent run: 'weather'", r"(inference|llm)[. ].*": "llm.gpt-4o",
    r"tool[. ].*": "tool.search", r"(create_agent|run|node|strategy|subgraph)[. ].*": "node.ask", r"litellm_request": "litellm_request",
    r"running \d+ tools?|agent run|.* run": "running 2 tools",
    r"(llm|tts|stt)_(node|request.*)|llm_fallback_adapter|tts_.*adapter": "llm_node", r"function_tool": "function_tool",
    r"agent_turn|agent_session|job_entrypoint": "agent_turn", r"llm|stt|tts|llm_request": "llm", r"turn|conversation": "turn",
}  # fmt: skip

Case = tuple[str, dict[str, str | int], str, str]  # name of the span, its attributes, its scope, the stage


def cases() -> list[Case]:
    found: list[Case] = []
    for table in (*OPERATIONS, *KINDS):
        said = {**table.stages, **{VALUES[pattern]: stage for pattern, stage in table.patterns}}
        for value, stage in said.items():
            found.append(
                ("x", {table.key: value if table.inside is None else f'{{"{table.inside}": "{value}"}}'}, "", stage)
            )
        found += [("x", {table.key: value}, "", "orchestration") for value in table.generic if table.inside is None]
    for named in NAMES:
        found += [(NAMED[pattern], {}, named.origin, stage) for pattern, stage in named.names]
    found += [("x", {key: "1"}, "", stage) for key, stage in PRESENCE]
    found += [("x", {"db.system.name": system}, "", "retrieval") for system in sorted(VECTOR_STORES)]
    return found


def test_an_example_is_of_its_pattern() -> None:
    for pattern, example in (*VALUES.items(), *NAMED.items()):
        assert re.fullmatch(pattern, example.lower()), pattern


def test_every_rule_gives_the_time_of_its_span_its_stage(tmp_path: Path) -> None:
    every = cases()
    traces = [
        [
            Span("POST /chat", 0, 10, kind="server"),
            Span(name, 1, 9, "POST /chat", scope=scope, attributes=said, key="it"),
        ]
        for name, said, scope, _ in every
    ]
    connection = dataset(tmp_path / "d.duckdb", traces)
    rows = connection.execute(
        """SELECT any_value(stage) FROM critical_path WHERE span_id <> request_span_id GROUP BY trace_id ORDER BY trace_id"""
    ).fetchall()
    wrong = [(one, stage) for one, (stage,) in zip(every, rows, strict=True) if stage != one[3]]
    assert len(every) > 250
    assert wrong == []


@pytest.mark.parametrize("system", ["postgresql", "redis", "mongodb", "elasticsearch"])
def test_a_database_that_searches_by_meaning_among_other_things_is_a_database_otherwise(
    system: str, tmp_path: Path
) -> None:
    said: dict[str, str | int] = {"db.system.name": system, "db.query.text": "SELECT 1"}
    spans = [
        Span("POST /chat", 0, 10, kind="server"),
        Span("query", 1, 9, "POST /chat", kind="client", attributes=said),
    ]
    (stage,) = (
        dataset(tmp_path / "d.duckdb", [spans])
        .execute("SELECT stage FROM critical_path WHERE span_id <> request_span_id")
        .fetchall()[0]
    )
    assert stage == "database"

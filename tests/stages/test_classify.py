"""What names a stage: every row of the conventions, and the budget's own rules."""

import re
from datetime import date

import pyarrow as pa
import pytest

from overbudget.stages import attribute_keys, registry
from overbudget.stages.classify import by_default, classify
from overbudget.stages.rules import Rule

INTERNAL = "INTERNAL"
CASES = [
    *((key, value, stage) for key, pairs in {
        "gen_ai.operation.name": {
            "chat": "inference", "generate_content": "inference", "text_completion": "inference", "embeddings": "retrieval",
            "retrieval": "retrieval", "execute_tool": "tools", "invoke_agent": "orchestration", "create_agent": "orchestration",
            "invoke_workflow": "orchestration",
        },
        "mcp.method.name": {"tools/call": "tools"},
        "openinference.span.kind": {
            "LLM": "inference", "RETRIEVER": "retrieval", "EMBEDDING": "retrieval", "RERANKER": "retrieval", "TOOL": "tools",
            "GUARDRAIL": "safety", "PROMPT": "context", "EVALUATOR": "safety", "AGENT": "orchestration", "CHAIN": "orchestration",
            "DECISION": "orchestration", "UNKNOWN": None,
        },
        "traceloop.span.kind": {"tool": "tools", "workflow": "orchestration", "agent": "orchestration", "task": "orchestration"},
        "llm.request.type": {"chat": "inference", "completion": "inference", "embedding": "retrieval", "rerank": "retrieval"},
        "langfuse.observation.type": {"generation": "inference", "retriever": "retrieval", "tool": "tools", "guardrail": "safety", "span": "orchestration"},
        "langsmith.span.kind": {"llm": "inference", "prompt": "context", "parser": "shaping", "chain": "orchestration"},
        "mlflow.spanType": {'"CHAT_MODEL"': "inference", '"RERANKER"': "retrieval", '"PARSER"': "shaping", '"AGENT"': "orchestration"},
        "ai.operationId": {
            "ai.generateText": "orchestration", "ai.generateText.doGenerate": "inference", "ai.streamText.doStream": "inference",
            "ai.embedMany": "retrieval", "ai.toolCall": "tools",
        },
        "db.system.name": {"qdrant": "retrieval", "pinecone": "retrieval", "pgvector": "retrieval"},
    }.items() for value, stage in pairs.items()),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "stage"), CASES)
def test_a_convention_names_its_stage(key: str, value: str, stage: str | None) -> None:
    assert by_default("x", INTERNAL, {key: value}).stage == stage


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("retrieve_documents", "retrieval"), ("searchDocs", "retrieval"), ("rerank", "retrieval"), ("embed query", "retrieval"),
        ("buildContext", "context"), ("render_prompt", "context"), ("assemble", "context"), ("guard_input", "safety"),
        ("moderate", "safety"), ("check.safety", "safety"), ("format_response", "shaping"), ("parse-output", "shaping"),
        ("postprocess", "shaping"), ("queue.wait", "queue"), ("wait_for_slot", "queue"), ("ai.generateText.doGenerate", "inference"),
        ("ai.streamObject", "orchestration"), ("ai.toolCall search", "tools"),
        ("save_transcription", None), ("GET /transcription/{id}", None), ("tts_cache_get", None), ("TTS expiry check", None),
        ("create transcription", "inference"), ("tts_node", "inference"), ("azure tts synthesize", "inference"),
        ("search page content", "retrieval"), ("search_form_10k_filings", "retrieval"), ("retrieve_config_docs", "retrieval"),
        ("retrieve user profile documents", "retrieval"), ("retrieve user profile", None), ("search page", None),
        ("rebuild search index documents", None),
        ("llm_request", "inference"), ("research", None), ("information", None), ("unsafe_name", None), ("handler", None),
    ],
)  # fmt: skip
def test_words_of_a_name_speak_when_nothing_else_does(name: str, stage: str | None) -> None:
    assert by_default(name, INTERNAL, {}).stage == stage


def test_plain_database_and_messaging_clients_are_weak() -> None:
    query = by_default("SELECT users", "CLIENT", {"db.system.name": "postgresql"})
    assert (query.stage, query.weak) == ("database", True)
    send = by_default("send", "PRODUCER", {"messaging.system": "kafka"})
    assert (send.stage, send.weak) == ("queue", True)


def test_http_clients_are_tools_only_below_an_agent() -> None:
    call = by_default("GET", "CLIENT", {"http.request.method": None})
    assert (call.stage, call.weak, call.under) == ("tools", True, "orchestration")
    assert by_default("GET /search", "SERVER", {"http.request.method": None}).stage is None


def test_vector_stores_show_by_their_attributes_and_queries() -> None:
    assert by_default("x", "CLIENT", {"db.vector.query.top_k": None}).stage == "retrieval"
    assert by_default("x", "CLIENT", {"pinecone.usage": None}).stage == "retrieval"
    assert by_default("qdrant.search", "CLIENT", {}).stage == "retrieval"
    assert by_default("db.chroma.query", "CLIENT", {}).stage == "retrieval"
    assert by_default("knn search", "CLIENT", {"db.system.name": "elasticsearch"}).stage == "retrieval"
    assert by_default("index", "CLIENT", {"db.system.name": "elasticsearch"}).stage == "database"


def test_the_budgets_rules_win_in_their_order() -> None:
    operations = pa.table(
        {
            "service_name": ["vectors"], "scope_name": [""], "name": ["chat"], "kind": ["CLIENT"],
            "keys": pa.array([[("gen_ai.operation.name", "chat")]], pa.map_(pa.string(), pa.string())),
        }
    )  # fmt: skip
    rules = [Rule("tools", name="nothing*"), Rule("retrieval", service="vec*"), Rule("safety", name="chat")]
    (decision,) = classify(operations, rules)
    assert decision.stage == "retrieval"
    assert decision.rule == "budget: service vec*"
    (by_evidence,) = classify(operations, [Rule("shaping", attribute="my.key", equals=("1",))], [{"my.key": "1"}])
    assert by_evidence.stage == "shaping"


def test_keys_are_spelt_as_in_the_packages_that_define_them() -> None:
    from openinference.semconv.trace import SpanAttributes as OpenInference
    from opentelemetry.semconv._incubating.attributes import db_attributes, gen_ai_attributes

    assert gen_ai_attributes.GEN_AI_OPERATION_NAME in attribute_keys.CLASSIFY_KEYS
    assert db_attributes.DB_SYSTEM_NAME in attribute_keys.CLASSIFY_KEYS
    assert OpenInference.OPENINFERENCE_SPAN_KIND in attribute_keys.CLASSIFY_KEYS
    assert {
        gen_ai_attributes.GEN_AI_REQUEST_MODEL,
        gen_ai_attributes.GEN_AI_RESPONSE_MODEL,
        OpenInference.LLM_MODEL_NAME,
    } <= set(attribute_keys.MODEL_KEYS)
    assert {gen_ai_attributes.GEN_AI_USAGE_INPUT_TOKENS, OpenInference.LLM_TOKEN_COUNT_PROMPT} <= set(
        attribute_keys.INPUT_TOKEN_KEYS
    )
    assert {gen_ai_attributes.GEN_AI_USAGE_OUTPUT_TOKENS, OpenInference.LLM_TOKEN_COUNT_COMPLETION} <= set(
        attribute_keys.OUTPUT_TOKEN_KEYS
    )
    assert gen_ai_attributes.GEN_AI_CONVERSATION_ID in attribute_keys.CONVERSATION_KEYS


@pytest.mark.parametrize("key", ["gen_ai.operation.name", "mcp.method.name"])
def test_every_registered_operation_and_method_has_a_stage(key: str) -> None:
    for value in registry.VALUES[key]:
        assert by_default("span", "CLIENT", {key: value}).stage is not None, value


def test_keys_are_spelt_as_registered_or_belong_to_others() -> None:
    """Names before version 1.37 and those that instrumentations made up are all that is not registered."""
    ours = {
        *attribute_keys.MODEL_KEYS, *attribute_keys.INPUT_TOKEN_KEYS, *attribute_keys.OUTPUT_TOKEN_KEYS,
        *attribute_keys.CACHED_TOKEN_KEYS, *attribute_keys.REASONING_TOKEN_KEYS, *attribute_keys.CONVERSATION_KEYS,
        *attribute_keys.SCORE_VALUE_KEYS, *attribute_keys.SCORE_LABEL_KEYS, *attribute_keys.FINISH_KEYS,
    }  # fmt: skip
    unregistered = {key for key in ours if key.startswith("gen_ai.")} - set(registry.ATTRIBUTES)
    assert unregistered == {
        "gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens", "gen_ai.usage.input", "gen_ai.usage.output",
        "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.cached_tokens", "gen_ai.usage.input_tokens.cached", "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens", "gen_ai.realtime_session.id", "gen_ai.response.finish_reason",
        "gen_ai.completion.0.finish_reason",
    }  # fmt: skip
    for first in (attribute_keys.MODEL_KEYS, attribute_keys.INPUT_TOKEN_KEYS, attribute_keys.OUTPUT_TOKEN_KEYS,
                  attribute_keys.CACHED_TOKEN_KEYS, attribute_keys.REASONING_TOKEN_KEYS, attribute_keys.CONVERSATION_KEYS):  # fmt: skip
        assert first[0] in registry.ATTRIBUTES


def test_the_registry_says_where_and_when_it_was_read() -> None:
    assert date.fromisoformat(registry.READ) > date(2026, 1, 1)
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in registry.COMMITS.values())
    assert len(set(registry.ATTRIBUTES)) == len(registry.ATTRIBUTES) > 60

"""Evidence has an order: what a span does, its kind, its framework's name for it, what it records, words of its name."""

import re
from datetime import date

import numpy as np
import pytest

from overbudget.kernels.columns import OperationColumns
from overbudget.stages.assign import (
    NOTHING_BELOW,
    NOTHING_BELOW_OR_TRANSPARENT,
    NOTHING_ELSE_BELOW,
    own_stages,
    stage_of_nodes,
)
from overbudget.stages.attribute_keys import MODEL_RECORDED, TOKENS_RECORDED, VECTOR_QUERY_TEXT
from overbudget.stages.classify import by_default
from overbudget.stages.conventions import KINDS, NAMES, OPERATIONS
from overbudget.stages.names import DEFAULT_STAGES
from tests.trace_picture import draw


def stage(name: str, kind: str = "INTERNAL", scope: str = "", service: str = "", **keys: str | None) -> str | None:
    return by_default(name, kind, {key.replace("__", "."): value for key, value in keys.items()}, scope, service).stage


def test_an_operation_beats_a_kind_and_a_kind_that_says_something_beats_a_generic_one() -> None:
    assert stage("x", gen_ai__operation__name="vector_db_retrieve", traceloop__span__kind="task") == "retrieval"
    assert stage("x", gen_ai__operation__name="invoke_agent", openinference__span__kind="LLM") == "orchestration"
    assert stage("x", traceloop__span__kind="workflow", openinference__span__kind="TOOL") == "tools"
    assert stage("x", db__system="pinecone", traceloop__span__kind="task") == "retrieval"
    assert stage("x", langsmith__span__kind="prompt", openinference__span__kind="CHAIN") == "context"


def test_a_generic_kind_leaves_room_for_the_name_before_it_means_orchestration() -> None:
    for kind in (
        {"openinference__span__kind": "CHAIN"},
        {"langfuse__observation__type": "span"},
        {"traceloop__span__kind": "task"},
    ):
        assert stage("retrieve_documents", **kind) == "retrieval"
        assert stage("handle", **kind) == "orchestration"
    assert stage("search_agent", openinference__span__kind="AGENT") == "orchestration"  # an agent is no search
    assert stage("execute_task ChatPromptTemplate", gen_ai__operation__name="execute_task") == "context"


def test_what_is_recorded_beats_words_and_loses_to_kinds() -> None:
    assert stage("search", **{MODEL_RECORDED: None}) == "inference"
    assert stage("embed text", **{MODEL_RECORDED: None}) == "retrieval"
    assert stage("call", **{TOKENS_RECORDED: None}) == "inference"
    assert stage("call", openinference__span__kind="RETRIEVER", **{MODEL_RECORDED: None}) == "retrieval"
    assert stage("running tool", gen_ai__tool__call__id=None) == "tools"
    assert stage("POST", "CLIENT", http__request__method=None, **{MODEL_RECORDED: None}) == "inference"


def test_a_model_that_is_recorded_counts_only_where_nothing_classified_is_below() -> None:
    said = by_default("call", "INTERNAL", {MODEL_RECORDED: None})
    assert (said.below, said.otherwise) == ("nothing", None)
    said = by_default("call", "INTERNAL", {MODEL_RECORDED: None, "langfuse.observation.type": "span"})
    assert (said.below, said.otherwise) == ("nothing", "orchestration")


RETRIEVAL, INFERENCE, ORCHESTRATION, TOOLS = (
    DEFAULT_STAGES.index(s) for s in ("retrieval", "inference", "orchestration", "tools")
)


def own(picture: str, **under: int) -> dict[str, str | None]:
    drawn = draw(picture)
    codes = np.array([under.get(name, -1) for name in drawn.names], np.int16)
    columns: OperationColumns = drawn.operations._replace(under=codes)
    found = own_stages(drawn.tree, columns)
    return {drawn.name(n): DEFAULT_STAGES[s] if s >= 0 else None for n, s in enumerate(found.tolist())}


CALL_AROUND_A_TOOL = """
    request  [==========]
      call   .[=======]        stage=inference
        tool ..[===]           stage=tools
"""


def test_a_rule_is_settled_by_what_stands_below() -> None:
    assert own(CALL_AROUND_A_TOOL)["call"] == "inference"
    assert own(CALL_AROUND_A_TOOL, call=NOTHING_BELOW)["call"] is None
    assert own(CALL_AROUND_A_TOOL, call=NOTHING_BELOW_OR_TRANSPARENT)["call"] == "orchestration"
    alone = "\n".join(line for line in CALL_AROUND_A_TOOL.splitlines() if "tool " not in line)
    for code in (NOTHING_BELOW, NOTHING_BELOW_OR_TRANSPARENT, NOTHING_ELSE_BELOW):
        assert own(alone, call=code)["call"] == "inference"


def test_weak_rules_below_and_classified_spans_beside_change_nothing() -> None:
    assert own("""
        request  [==========]
          call   .[====]           stage=inference
            io   ..[==]            stage=tools weak
          tool   ......[==]        stage=tools
    """, call=NOTHING_BELOW)["call"] == "inference"  # fmt: skip


def test_words_of_a_chain_count_where_only_the_same_stage_and_orchestration_are_below() -> None:
    same = """
        retrieve [==========]      stage=retrieval
          step   .[========]       stage=orchestration
            q    ..[===]           stage=retrieval
    """
    assert own(same, retrieve=NOTHING_ELSE_BELOW)["retrieve"] == "retrieval"
    other = same.replace("q    ..[===]           stage=retrieval", "q    ..[===]           stage=inference")
    assert own(other, retrieve=NOTHING_ELSE_BELOW)["retrieve"] == "orchestration"


def test_of_nested_spans_that_record_a_model_the_innermost_is_the_call() -> None:
    drawn = draw("""
        request  [==========]
          outer  .[=======]        stage=inference
            call ..[===]           stage=inference
    """)
    codes = np.array([{"request": -1}.get(name, NOTHING_BELOW) for name in drawn.names], np.int16)
    columns = drawn.operations._replace(under=codes)
    assert own_stages(drawn.tree, columns).tolist() == [-1, -1, INFERENCE]
    assert stage_of_nodes(drawn.tree, columns, 10).tolist() == [10, 10, INFERENCE]


@pytest.mark.parametrize(
    "name",
    [
        "prompt_user", "promptUserForInput", "permission_prompt_shown", "embedded_link_click", "guardian_lookup", "renderer_wait",
        "TrainController.retrieveByName", "ConfigController.retrieve", "OrderRepository.search", "AuthGuard.canActivate",
        "search_button_click", "information", "research", "reformat", "embedded", "unsafe", "assembler",
        # guards, prompts and moderation that are none of a model's
        "guarded_section", "guard_page_alloc", "mutex_guard", "MutexGuard.lock", "lock_guard", "coastguard", "GuardClause",
        "moderate_rain", "moderate_load", "ModeratorPage", "moderator_dashboard", "safety_stock", "road_safety_data",
        "thread_safety_check", "type_safety", "cookie_prompt", "prompt_for_confirmation", "prompt_payment", "promptly_reply",
        "impromptu", "prompt_toolkit.init", "shell_prompt", "sign_in_prompt",
        # searches and retrievals of a shop, embedded media
        "SearchBar.render", "search_box_focus", "onSearchChange", "search_index_update", "rebuild_search_index", "searchlight",
        "retrieve_password", "retrieveUserProfile", "account_retrieval", "retrieve_session", "retrieveOrders", "retrieveById",
        "bag_retrieval", "embed_widget", "embedIframe", "elasticsearch.bulk_index",
        # disks, screens, factories, brokers
        "format_disk", "formatting_toolbar", "React.render", "ReactDOM.render", "rendering_queue", "render_scene", "surrender",
        "assembly_line", "load_assembly", "dotnet.assembly.load", "assemble_order", "queue_depth", "queue_declare", "print_queue",
        "enqueue_job", "transcription_factor", "platform_check",
    ],
)  # fmt: skip
def test_words_have_no_false_friends(name: str) -> None:
    assert stage(name) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("VectorStoreRetriever", "retrieval"), ("ChatPromptTemplate", "context"), ("StrOutputParser", "shaping"),
        ("detect_prompt_injection", "safety"), ("InputGuardrail.check", "safety"), ("moderate_prompt", "safety"),
        ("retrieve_user_documents", "retrieval"), ("retrieveByEmbedding", "retrieval"), ("RAGSearch", "retrieval"),
        ("prompt assembly", "context"), ("prompt_moderation", "safety"), ("content_safety_check", "safety"), ("stt", "inference"),
        ("tts_request", "inference"), ("TranscribeAudio", "inference"), ("queue_wait", "queue"), ("job.queued", "queue"),
        ("render_answer", "shaping"), ("format_response", "shaping"), ("embed_image", "retrieval"), ("search_index", "retrieval"),
        ("user_prompt", "context"), ("webSearch", "retrieval"), ("rerankers", "retrieval"), ("embeddings", "retrieval"),
    ],
)  # fmt: skip
def test_words_that_do_say_a_stage(name: str, expected: str) -> None:
    assert stage(name) == expected


@pytest.mark.parametrize(
    ("system", "operation", "name", "expected"),
    [
        ("pg_vector", "", "x", "retrieval"), ("vespa", "", "x", "retrieval"), ("turbopuffer", "", "x", "retrieval"),
        ("redis", "FT.SEARCH", "x", "retrieval"), ("redis", "GET", "GET", "database"),
        ("mongodb", "aggregate", "$vectorSearch docs", "retrieval"), ("mongodb", "find", "find docs", "database"),
        ("opensearch", "", "knn query", "retrieval"), ("postgresql", "SELECT", "SELECT docs", "database"),
    ],
)  # fmt: skip
def test_databases_that_search_by_meaning_are_retrieval(system: str, operation: str, name: str, expected: str) -> None:
    assert stage(name, "CLIENT", db__system__name=system, db__operation__name=operation) == expected


def test_the_text_of_a_query_tells_a_search_by_meaning() -> None:
    assert stage("SELECT docs", "CLIENT", db__system="postgresql", **{VECTOR_QUERY_TEXT: None}) == "retrieval"
    assert stage("SELECT docs", "CLIENT", db__system="oracle", **{VECTOR_QUERY_TEXT: None}) == "database"


@pytest.mark.parametrize(
    ("name", "scope", "service", "expected"),
    [
        ("claude_code.llm_request", "", "", "inference"), ("claude_code.tool.execution", "", "", "tools"),
        ("claude_code.interaction", "", "", "orchestration"), ("vllm_queue", "", "", "queue"),
        ("vllm_prefill", "", "", "inference"), ("prefill_waiting", "", "", "queue"), ("decode_loop", "", "", "inference"),
        ("tokenize", "sglang.tracing", "", "inference"), ("tokenize", "", "", None), ("dispatch", "shop", "", None),
        ("generate_stream", "", "text-generation-inference.router", "inference"), ("generate", "", "reports", None),
        ("call_llm", "gcp.vertex.agent", "", "inference"), ("Function: {name}", "logfire.openai_agents", "", "tools"),
        ("Function: {name}", "other", "", None), ("ai.generateText.doGenerate", "ai", "", "inference"),
        ("litellm_request", "litellm", "", "inference"),
    ],
)  # fmt: skip
def test_frameworks_name_their_spans(name: str, scope: str, service: str, expected: str | None) -> None:
    assert stage(name, scope=scope, service=service) == expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("mastra.span.type", "model_generation", "inference"), ("mastra.span.type", "rag_embedding", "retrieval"),
        ("lmnr.span.type", "LLM", "inference"), ("agentops.span.kind", "operation", "orchestration"),
        ("braintrust.span_attributes", '{"name":"x","type":"score"}', "safety"),
        ("braintrust.span_attributes", '{"type": "llm"}', "inference"), ("ai.observability.span_type", "record_root", "orchestration"),
        ("haystack.component.type", "OpenAIChatGenerator", "inference"), ("haystack.component.type", "ChatPromptBuilder", "context"),
        ("haystack.component.type", "InMemoryEmbeddingRetriever", "retrieval"), ("mlflow.spanType", '"MEMORY"', "retrieval"),
        ("mcp.method.name", "resources/read", "retrieval"), ("mcp.method.name", "prompts/get", "context"),
        ("mcp.method.name", "sampling/createMessage", "inference"), ("mcp.method.name", "notifications/progress", "tools"),
        ("gen_ai.operation.name", "plan", "orchestration"), ("gen_ai.operation.name", "search_memory", "retrieval"),
        ("gen_ai.operation.name", "realtime_inference", "inference"), ("gen_ai.operation.name", "evaluation", "safety"),
        ("spring.ai.kind", "vector_store", "retrieval"),
    ],
)  # fmt: skip
def test_operations_and_kinds_of_frameworks(key: str, value: str, expected: str) -> None:
    assert by_default("x", "INTERNAL", {key: value}).stage == expected


def test_every_table_has_a_source_a_date_and_known_stages() -> None:
    for table in (*OPERATIONS, *KINDS):
        assert table.source
        date.fromisoformat(table.read)
        said = {*table.stages.values(), *(s for _, s in table.patterns)}
        assert said <= set(DEFAULT_STAGES)
        assert all(value == value.lower() for value in (*table.stages, *table.generic))
        assert not table.generic & table.stages.keys()
    for named in NAMES:
        assert named.source
        date.fromisoformat(named.read)
        assert all(s in DEFAULT_STAGES and re.compile(expression) for expression, s in named.names)

"""The names that each convention and framework uses for operations and kinds of spans, and their stages: data, no code.

Every table names its source and the day it was read. Values are compared in lower case, JSON's quotes left out.
"""

from dataclasses import dataclass, field

INFERENCE, RETRIEVAL, TOOLS, CONTEXT = "inference", "retrieval", "tools", "context"
SAFETY, SHAPING, QUEUE, ORCHESTRATION, USER = "safety", "shaping", "queue", "orchestration", "user"


@dataclass(frozen=True)
class Convention:
    """An attribute whose value identifies what a span is.

    `stages` gives the stage of each value, `patterns` that of values that match (regular expressions, the first that fits).
    `generic` values say only that a span contains others: words of its name may say more, else it is orchestration.
    `inside` is the field to look at where the value is a JSON object.
    """

    key: str
    source: str
    read: str  # ISO date
    stages: dict[str, str] = field(default_factory=dict)
    patterns: tuple[tuple[str, str], ...] = ()
    generic: frozenset[str] = frozenset()
    inside: str | None = None


@dataclass(frozen=True)
class NamedSpans:
    """Spans that a framework identifies only by name: the name as a regular expression, in lower case.

    `origin` must occur in the name of the instrumentation's scope or of the service; empty: the name alone is enough.
    """

    source: str
    read: str
    names: tuple[tuple[str, str], ...]
    origin: str = ""


def _each(stage: str, *values: str) -> dict[str, str]:
    return dict.fromkeys(values, stage)


# Operations: what a span does. They beat every kind.
OPERATIONS: tuple[Convention, ...] = (
    Convention(
        "gen_ai.operation.name",
        "OpenTelemetry semantic conventions for generative AI 1.41 and its successor repository; Semantic Kernel, OpenLIT, "
        "Spring AI, OpenLLMetry, Azure's agents and AG2 where they add values of their own",
        "2026-11-25",
        _each(
            INFERENCE, "chat", "generate_content", "text_completion", "realtime_inference", "chat.completions",
            "chat_completion", "text.completions", "completion", "completions", "responses", "response", "message", "messages",
            "process_thread_run", "start_thread_run", "submit_tool_outputs", "generate", "image", "image_generation", "audio", "speech", "text_to_speech", "speech_to_text", "transcription",
        )
        | _each(
            RETRIEVAL, "embeddings", "embedding", "retrieval", "retrieve", "vector_db_retrieve", "vectordb", "vector_search",
            "rerank", "search_memory", "create_memory", "update_memory", "upsert_memory", "delete_memory",
            "create_memory_store", "delete_memory_store",
        )
        | _each(TOOLS, "execute_tool", "tool_call", "call_tool", "running_tool", "tool")
        | _each(SAFETY, "evaluation", "evaluate", "guardrail", "moderation")
        | _each(USER, "await_human_input")
        | _each(ORCHESTRATION, "invoke_agent", "create_agent", "invoke_workflow", "plan", "agent", "run_agent", "handoff", "create_thread",
               "create_message", "get_thread_run", "list_messages"),
        generic=frozenset({"execute_task", "task", "framework", "workflow", "execute_workflow", "workflow_node"}),
    ),
    Convention(
        "mcp.method.name",
        "OpenTelemetry semantic conventions for the Model Context Protocol; methods of the protocol's revisions 2025-11-25 and 2026-07-28",
        "2026-11-25",
        _each(
            TOOLS, "tools/call", "tools/list", "initialize", "ping", "completion/complete", "roots/list", "logging/setlevel",
            "tasks/get", "tasks/list", "tasks/result", "tasks/cancel", "server/discover", "subscriptions/listen",
        )
        | _each(
            RETRIEVAL, "resources/read", "resources/list", "resources/templates/list", "resources/subscribe",
            "resources/unsubscribe",
        )
        | _each(CONTEXT, "prompts/get", "prompts/list")
        | _each(INFERENCE, "sampling/createmessage")
        | _each(USER, "elicitation/create"),
        patterns=((r"notifications/.+", TOOLS),),
    ),
    Convention(
        "ai.operationId",
        "Vercel AI SDK, telemetry of ai 4 to 6",
        "2026-11-25",
        _each(
            ORCHESTRATION, "ai.generatetext", "ai.streamtext", "ai.generateobject", "ai.streamobject", "ai.agent",
            "ai.workflowagent",
        )
        | _each(TOOLS, "ai.toolcall")
        | _each(RETRIEVAL, "ai.rerank"),
        patterns=((r".+\.do(generate|stream)", INFERENCE), (r".+\.dorerank", RETRIEVAL), (r"ai\.embed.*", RETRIEVAL)),
    ),
    Convention(
        "haystack.component.type",
        "Haystack 2, names of its components",
        "2026-11-25",
        _each(TOOLS, "toolinvoker") | _each(ORCHESTRATION, "agent") | _each(SHAPING, "outputadapter", "answerbuilder"),
        patterns=(
            (r".*promptbuilder", CONTEXT), (r".*(documentjoiner|listjoiner|stringjoiner)", CONTEXT),
            (r".*generator|.*transcriber", INFERENCE), (r".*(retriever|ranker|embedder|websearch)", RETRIEVAL),
            (r".*(evaluator|moderator)", SAFETY), (r".*(validator|outputparser)", SHAPING), (r".*router", ORCHESTRATION),
        ),
    ),
    Convention("langsmith.span.kind", "LangSmith, OpenTelemetry export", "2026-11-23", {"prompt": CONTEXT, "parser": SHAPING}),
    Convention(
        "spring.ai.kind", "Spring AI 1, observations", "2026-11-25",
        {"vector_store": RETRIEVAL, "tool_call": TOOLS, "chat_client": ORCHESTRATION},
        generic=frozenset({"advisor"}),
    ),
)  # fmt: skip

# Kinds: what sort of span it is. Specific ones beat the generic ones.
KINDS: tuple[Convention, ...] = (
    Convention(
        "openinference.span.kind", "openinference-semantic-conventions 0.1.42", "2026-11-23",
        {
            "llm": INFERENCE, "retriever": RETRIEVAL, "embedding": RETRIEVAL, "reranker": RETRIEVAL, "tool": TOOLS,
            "guardrail": SAFETY, "prompt": CONTEXT, "evaluator": SAFETY, "agent": ORCHESTRATION, "decision": ORCHESTRATION,
        },
        generic=frozenset({"chain"}),
    ),
    Convention(
        "traceloop.span.kind", "opentelemetry-semantic-conventions-ai 0.5.1 (OpenLLMetry)", "2026-11-23",
        {"tool": TOOLS, "agent": ORCHESTRATION}, generic=frozenset({"workflow", "task"}),
    ),
    Convention(
        "llm.request.type", "opentelemetry-semantic-conventions-ai 0.5.1 (OpenLLMetry)", "2026-11-23",
        {"chat": INFERENCE, "completion": INFERENCE, "embedding": RETRIEVAL, "rerank": RETRIEVAL},
    ),
    Convention(
        "langfuse.observation.type", "Langfuse SDK 3 to 5", "2026-11-25",
        {
            "generation": INFERENCE, "retriever": RETRIEVAL, "embedding": RETRIEVAL, "tool": TOOLS, "guardrail": SAFETY,
            "evaluator": SAFETY, "agent": ORCHESTRATION,
        },
        generic=frozenset({"chain", "span", "event"}),
    ),
    Convention(
        "langsmith.span.kind", "LangSmith, OpenTelemetry export", "2026-11-23",
        {"llm": INFERENCE, "retriever": RETRIEVAL, "embedding": RETRIEVAL, "tool": TOOLS, "agent": ORCHESTRATION},
        generic=frozenset({"chain"}),
    ),
    Convention(
        "mlflow.spanType", "MLflow Tracing 3", "2026-11-25",
        {
            "llm": INFERENCE, "chat_model": INFERENCE, "retriever": RETRIEVAL, "embedding": RETRIEVAL, "reranker": RETRIEVAL,
            "memory": RETRIEVAL, "tool": TOOLS, "guardrail": SAFETY, "evaluator": SAFETY, "prompt": CONTEXT,
            "parser": SHAPING, "agent": ORCHESTRATION,
        },
        generic=frozenset({"chain", "workflow", "task"}),
    ),
    Convention(
        "mastra.span.type", "Mastra, observability of @mastra/core", "2026-11-25",
        {
            "model_generation": INFERENCE, "model_step": INFERENCE, "model_chunk": INFERENCE, "model_inference": INFERENCE,
            "llm_generation": INFERENCE, "llm_step": INFERENCE, "llm_chunk": INFERENCE,
            "tool_call": TOOLS, "mcp_tool_call": TOOLS, "client_tool_call": TOOLS, "provider_tool_call": TOOLS,
            "memory_operation": RETRIEVAL, "agent_run": ORCHESTRATION, "scorer_run": SAFETY, "scorer_step": SAFETY,
        },
        patterns=((r"(rag|graph)_.+", RETRIEVAL),),
        generic=frozenset({
            "generic", "processor_run", "workflow_run", "workflow_step", "workflow_conditional", "workflow_parallel",
            "workflow_loop", "workflow_conditional_eval", "workflow_sleep", "workflow_wait_event",
        }),
    ),
    Convention(
        "lmnr.span.type", "Laminar SDK", "2026-11-25",
        {
            "llm": INFERENCE, "cached": INFERENCE, "tool": TOOLS, "evaluator": SAFETY, "human_evaluator": SAFETY,
            "evaluation": ORCHESTRATION, "executor": ORCHESTRATION,
        },
        generic=frozenset({"default", "pipeline"}),
    ),
    Convention(
        "langtrace.service.type", "Langtrace SDK", "2026-11-25", {"llm": INFERENCE, "vectordb": RETRIEVAL},
        generic=frozenset({"framework", "user"}),
    ),
    Convention(
        "span_type", "Prompt flow, tracing", "2026-11-25",
        {"llm": INFERENCE, "embedding": RETRIEVAL, "retrieval": RETRIEVAL, "tool": TOOLS},
        generic=frozenset({"function", "flow"}),
    ),
    Convention(
        "agentops.span.kind", "AgentOps SDK", "2026-11-25",
        {"llm": INFERENCE, "tool": TOOLS, "guardrail": SAFETY, "agent": ORCHESTRATION, "session": ORCHESTRATION},
        generic=frozenset({"task", "operation", "workflow", "chain"}),
    ),
    Convention(
        "braintrust.span_attributes", "Braintrust SDKs", "2026-11-25",
        {"llm": INFERENCE, "tool": TOOLS, "score": SAFETY, "eval": ORCHESTRATION},
        generic=frozenset({"task", "function"}), inside="type",
    ),
    Convention(
        "braintrust.span_attributes.type", "Braintrust SDKs", "2026-11-25",
        {"llm": INFERENCE, "tool": TOOLS, "score": SAFETY, "eval": ORCHESTRATION}, generic=frozenset({"task", "function"}),
    ),
    Convention(
        "ai.observability.span_type", "TruLens 2, Snowflake Cortex", "2026-11-25",
        {
            "generation": INFERENCE, "retrieval": RETRIEVAL, "reranking": RETRIEVAL, "tool": TOOLS, "mcp": TOOLS,
            "agent": ORCHESTRATION, "record_root": ORCHESTRATION, "record": ORCHESTRATION, "eval": SAFETY, "eval_root": SAFETY,
        },
        generic=frozenset({"main", "workflow_step", "graph_node", "graph_task", "custom"}),
    ),
)  # fmt: skip

# Names that frameworks give their spans, where no attribute says what they are.
NAMES: tuple[NamedSpans, ...] = (
    NamedSpans(
        "Claude Code, tracing", "2026-11-25",
        (
            (r"claude_code\.llm_request", INFERENCE),
            (r"claude_code\.tool(\.execution)?", TOOLS), (r"claude_code\.(hook|interaction)", ORCHESTRATION),
        ),
    ),
    NamedSpans("vLLM and TensorRT-LLM, server spans", "2026-11-23", ((r"llm_request", INFERENCE),)),
    NamedSpans(
        "vLLM, spans per phase (pull request 44402)", "2026-11-25",
        ((r"vllm_(queue|async_kv_transfer)", QUEUE), (r"vllm_(prefill|decode)", INFERENCE)),
    ),
    NamedSpans(
        "SGLang, python/sglang/srt/observability/req_time_stats.py", "2026-11-25",
        (
            (r"(prefill|decode)_(waiting|bootstrap|prealloc.*)", QUEUE),
            (r"(prefill|decode)_(forward|loop|transfer_kv_cache)|chunked_prefill|fake_output", INFERENCE),
        ),
    ),
    NamedSpans("SGLang", "2026-11-25", ((r"tokenize|dispatch|api_server_dispatch|request_process", INFERENCE),), "sglang"),
    NamedSpans(
        "Text Generation Inference, router", "2026-11-25",
        ((r"validate", SHAPING), (r"(compat_)?generate(_stream)?|(chat_)?completions|infer|prefill|decode", INFERENCE)),
        "text-generation-inference",
    ),
    NamedSpans("Google ADK", "2026-11-25", ((r"call_llm", INFERENCE), (r"invocation|agent_run.*", ORCHESTRATION)), "vertex"),
    NamedSpans(
        "Logfire, OpenAI Agents", "2026-11-25",
        (
            (r"function: .*|mcp: list tools.*", TOOLS), (r"guardrail.*", SAFETY), (r"responses api.*|chat completion.*", INFERENCE),
            (r"(openai agents trace|agent run|task|handoff|turn)\b.*", ORCHESTRATION),
        ),
        "openai_agents",
    ),
    NamedSpans(
        "Koog", "2026-11-25",
        ((r"(inference|llm)[. ].*", INFERENCE), (r"tool[. ].*", TOOLS), (r"(create_agent|run|node|strategy|subgraph)[. ].*", ORCHESTRATION)),
        "koog",
    ),
    NamedSpans(
        "LiveKit Agents", "2026-11-25",
        (
            (r"(llm|tts|stt)_(node|request.*)|llm_fallback_adapter|tts_.*adapter", INFERENCE), (r"function_tool", TOOLS),
            (r"agent_turn|agent_session|job_entrypoint", ORCHESTRATION),
        ),
        "livekit",
    ),
    NamedSpans("Pipecat", "2026-11-25", ((r"llm|stt|tts|llm_request", INFERENCE), (r"turn|conversation", ORCHESTRATION)), "pipecat"),
    NamedSpans("LiteLLM", "2026-11-25", ((r"litellm_request", INFERENCE),), "litellm"),
    NamedSpans("pydantic-ai before 1", "2026-11-25", ((r"running \d+ tools?|agent run|.* run", ORCHESTRATION),), "pydantic-ai"),
)  # fmt: skip

# A tool's name or call id means that a tool runs; the model of an embedding or a reranker means that one of those runs.
PRESENCE: tuple[tuple[str, str], ...] = (
    ("gen_ai.tool.name", TOOLS),
    ("gen_ai.tool.call.id", TOOLS),
    ("ai.toolCall.name", TOOLS),
    ("tool.name", TOOLS),
    ("embedding.model_name", RETRIEVAL),
    ("reranker.model_name", RETRIEVAL),
)

# Databases whose every query is a search by meaning (db.system.name, db.system), and those that do it among others, by what
# their operations or queries then say. Source: database conventions 1.41, documentation of the clients, 2026-11-25.
VECTOR_STORES = frozenset(
    {
        "pinecone", "qdrant", "chroma", "chromadb", "weaviate", "milvus", "zilliz", "marqo", "lancedb", "pgvector",
        "pg_vector", "vespa", "turbopuffer", "vald", "deeplake", "faiss", "azure_ai_search", "azure.ai_search",
        "simple_vector_store", "simple", "vectara",
    }
)  # fmt: skip
VECTOR_PREFIXES = ("pinecone.", "qdrant.", "db.chroma.", "db.milvus.", "db.marqo.", "db.pinecone.", "db.qdrant.")
VECTOR_NAMES = (*VECTOR_PREFIXES, "chroma.", "milvus.", "marqo.", "weaviate.")
VECTOR_QUERY_OF: dict[str, str] = {
    "elasticsearch": r"\bknn\b",
    "opensearch": r"\bknn\b",
    "redis": r"\bft\.(search|hybrid|aggregate)\b",
    "mongodb": r"\$vectorsearch\b|\bvectorsearch\b",
    "couchbase": r"\bvector_distance\b|\bsearch\b.*\bknn\b",
    "postgresql": r"<=>|<->|<#>|<\+>",
}
# What of that is found in the text of a query.
VECTOR_QUERY = r"(?i)\$vectorSearch\b|\bFT\.(SEARCH|HYBRID)\b|<=>|<#>|<->|\bknn\b|\bvector_distance\b"

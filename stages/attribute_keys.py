"""Attribute keys that the default rules and the facts of requests use, best evidence first.

Sources: OpenTelemetry semantic conventions (gen_ai, db, messaging, http, rpc), OpenInference, OpenLLMetry
(traceloop), and the documentation of Langfuse, LangSmith, MLflow, the Vercel AI SDK and vLLM. Old and new names both
occur in practice. They are written out because importing the packages that define them takes longer than a review;
tests/stages/test_classify.py checks them against those packages.
"""

from overbudget.stages.conventions import KINDS, OPERATIONS, PRESENCE, VECTOR_PREFIXES

# Keys whose value decides the stage, and so is part of an operation's identity.
CLASSIFY_KEYS: frozenset[str] = frozenset(convention.key for convention in (*OPERATIONS, *KINDS)) | {
    "db.system",
    "db.system.name",
    "db.operation",
    "db.operation.name",
    "messaging.system",
    "rpc.system",
    "rpc.system.name",
}

QUEUE_KEY = "gen_ai.latency.time_in_queue"  # seconds, as vLLM reports them

# Keys whose presence decides.
CLASSIFY_PRESENCE: frozenset[str] = frozenset(
    {"db.vector.query.top_k", "http.request.method", "http.method", QUEUE_KEY, *(key for key, _ in PRESENCE)}
)
CLASSIFY_PREFIXES: tuple[str, ...] = VECTOR_PREFIXES

# What ingest adds to an operation's keys: its spans record a model or tokens, its query asks for vectors.
MODEL_RECORDED = "a model is recorded"
TOKENS_RECORDED = "tokens are recorded"
VECTOR_QUERY_TEXT = "the query asks for vectors"

# Where a call span goes, as it records it (docs/reference/method.md, Hops).
PEER_KEYS: tuple[str, ...] = (
    "server.address",
    "peer.service",
    "db.system.name",
    "gen_ai.provider.name",
    "net.peer.name",
    "db.system",
    "gen_ai.system",
    "messaging.system",
)

MODEL_KEYS = (
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.model_name",
    "llm.response.model_name",
    "ai.response.model",
    "ai.model.id",
    "langfuse.observation.model.name",
    "llm.request.model_name",
    "llm.model",
    "mlflow.llm.model",
    "embedding.model_name",
    "reranker.model_name",
    "decision.model_name",
)
INPUT_TOKEN_KEYS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "gen_ai.usage.input",
    "input_tokens",
)
OUTPUT_TOKEN_KEYS = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "gen_ai.usage.output",
    "output_tokens",
)
CACHED_TOKEN_KEYS = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cached_tokens",
    "gen_ai.usage.cached_tokens",
    "gen_ai.usage.input_tokens.cached",
    "llm.token_count.prompt_details.cache_input",
    "llm.usage.cache_read_input_tokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "cache_read_tokens",
)
CACHE_WRITE_TOKEN_KEYS = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
    "llm.usage.cache_creation_input_tokens",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
    "cache_creation_tokens",
)
REASONING_TOKEN_KEYS = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.details.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "llm.usage.reasoning_tokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "ai.usage.reasoningTokens",
)
COST_KEYS = (
    "gen_ai.usage.cost",
    "gen_ai.usage.total_cost",
    "gen_ai.cost.total_cost",
    "operation.cost",
    "llm.usage.cost",
    "llm.cost.total",
    "llm.usage.total_cost",
)
PROVIDER_KEYS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "ai.model.provider", "llm.system")
# Usage of a call recorded as one text (JSON, or a printed Python dict), and where the numbers are in it. Langfuse's `input`
# excludes tokens from the cache, so the input is the total without the output.
USAGE_KEYS = (
    "langfuse.observation.usage_details",
    "mlflow.chat.tokenUsage",
    "metadata.usage_object",
    "haystack.component.output",
)
COST_DETAIL_KEYS = ("langfuse.observation.cost_details",)
USAGE_FIGURES: dict[str, tuple[str, ...]] = {
    "input_tokens": ("input_tokens", "prompt_tokens", "inputTokens", "promptTokens"),
    "output_tokens": ("output_tokens", "completion_tokens", "outputTokens", "completionTokens", "output"),
    "cached_tokens": (
        "cached_tokens", "cache_read_input_tokens", "input_cached_tokens", "input_cache_read", "cache_read_tokens",
        "cachedInputTokens", "cache_read",
    ),
    "cache_write_tokens": ("cache_creation_input_tokens", "input_cache_creation", "cache_write_tokens"),
    "reasoning_tokens": ("reasoning_tokens", "output_reasoning_tokens", "output_reasoning", "reasoningTokens"),
}  # fmt: skip
RESPONSE_ID_KEYS = (
    "gen_ai.response.id",
    "ai.response.id",
    "llm.response.id",
    "response_id",
    "langfuse.observation.metadata.response_id",
)
# How a model call ended, by the words of its provider, and what it wrote: either may tell that it asks for a tool.
FINISH_KEYS = (
    "gen_ai.response.finish_reasons",
    "gen_ai.response.finish_reason",
    "ai.response.finishReason",
    "llm.finish_reason",
    "llm.response.finish_reason",
    "llm.response.stop_reason",
    "gen_ai.completion.0.finish_reason",
    "anthropic.message.stop_reason",
    "langfuse.observation.metadata.finish_reason",
    "finish_reason",
)
WRITTEN_KEYS = ("gen_ai.output.messages", "ai.response.toolCalls", "gen_ai.completion", "langfuse.observation.output")
ASKS_TOOL_FINISH = r"(?i)tool[_ -]?(call|use)|function[_ -]?call"
ASKS_TOOL_WITHHELD = "with a tool call"  # stands after an answer that is withheld, where it asked for a tool
ASKS_TOOL_TEXT = (
    r"""["'](tool_?calls|toolCalls)["']\s*:\s*\[\s*\{|["'](function_call|functionCall)["']\s*:\s*\{"""
    r"""|["']type["']\s*:\s*["'](tool[_-]call|tool_use|function_call)["']|["']toolCallId["']"""
    rf"|\] {ASKS_TOOL_WITHHELD}$"
)
ASKS_TOOL_KEY = r"^(gen_ai\.completion|llm\.output_messages)\.\d+\.(message\.)?tool_calls\."  # its presence tells
CHOICE_EVENT = r"^gen_ai\.(choice|client\.inference\.operation\.details)$"
TTFT_SECONDS_KEYS = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
    "gen_ai.latency.time_to_first_token",
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.response.time_to_first_token",
    "gen_ai.client.time_to_first_token",
    "gen_ai.server.ttft",
    "gen_ai.user.time_to_first_token",
    "llm.time_to_first_token",
    "lk.response.ttft",
    "lk.response.ttfb",
    "metrics.ttfb",
)
TTFT_MILLISECONDS_KEYS = (
    "ai.response.msToFirstChunk",
    "ai.response.msToFirstToken",
    "ttft_ms",
    "gen_ai.ttft_ms",
    "time_to_first_token_ms",
)
TTFT_TIMESTAMP_KEYS = (
    "langfuse.observation.completion_start_time",
    "gen_ai.response.completion_start_time",
    "mastra.completion_start_time",
    "completion_start_time",
)
# Names of events; of several the earliest counts.
FIRST_TOKEN_EVENT = (
    r"(?i)first[_. -]?(token|chunk)|^(gen_ai|llm)\.content\.completion\.chunk$|^mlflow\.chunk\.item\.\d+$"
)
PREFILL_SECONDS_KEYS = ("gen_ai.latency.time_in_model_prefill",)
DECODE_SECONDS_KEYS = ("gen_ai.latency.time_in_model_decode",)
CONVERSATION_KEYS = (
    "gen_ai.conversation.id",
    "session.id",
    "langfuse.session.id",
    "traceloop.association.properties.session_id",
    "traceloop.association.properties.conversation_id",
    "traceloop.association.properties.thread_id",
    "ai.telemetry.metadata.sessionId",
    "ai.telemetry.metadata.session_id",
    "ai.telemetry.metadata.conversationId",
    "ai.telemetry.metadata.chatId",
    "ai.telemetry.metadata.threadId",
    "langsmith.metadata.session_id",
    "langsmith.metadata.conversation_id",
    "langsmith.metadata.thread_id",
    "langsmith.trace.session_id",
    "mlflow.trace.session",
    "gcp.vertex.agent.session_id",
    "gen_ai.realtime_session.id",
    "lmnr.association.properties.session_id",
    "conversation.id",
    "session_id",
    "conversation_id",
    "thread_id",
    "thread.id",
)
# The input of an operation: equal inputs can be answered from a cache. The text of a query with placeholders is not an input
# without their values.
INPUT_KEYS = (
    "input.value",
    "gen_ai.input.messages",
    "gen_ai.system_instructions",
    "gen_ai.prompt",
    "gen_ai.tool.call.arguments",
    "gen_ai.retrieval.query.text",
    "llm.prompts",
    "tool.parameters",
    "ai.prompt",
    "langfuse.observation.input",
    "traceloop.entity.input",
    "mlflow.spanInputs",
    "lmnr.span.input",
    "gcp.vertex.agent.llm_request",
    "ai.prompt.messages",
    "ai.toolCall.args",
    "gen_ai.memory.query.text",
    "haystack.component.input",
    "raw_input",
)
OUTPUT_KEYS = (
    "output.value",
    "gen_ai.output.messages",
    "gen_ai.tool.call.result",
    "traceloop.entity.output",
    "langfuse.observation.output",
    "gen_ai.completion",
    "mlflow.spanOutputs",
    "lmnr.span.output",
    "gcp.vertex.agent.llm_response",
    "ai.response.text",
    "ai.toolCall.result",
    "haystack.component.output",
)
OUTPUT_PREFIX = "llm.output_messages."
INPUT_PREFIXES = ("llm.input_messages.", "gen_ai.prompt.", "db.query.parameter.")
QUERY_KEYS = ("db.query.text", "db.statement")
QUERY_PLACEHOLDER = r"\$\d|\?|:[a-z_]\w*|%s|%\("
PROMPT_KEYS = (
    "gen_ai.input.messages",
    "gen_ai.prompt",
    "llm.prompts",
    "input.value",
    "ai.prompt",
    "traceloop.entity.input",
    "mlflow.spanInputs",
    "lmnr.span.input",
    "gcp.vertex.agent.llm_request",
    "ai.prompt.messages",
    "langfuse.observation.input",
    "gen_ai.prompt.0.content",
    "raw_input",
)
REQUEST_ID_KEYS = (
    "http.request.header.x-request-id",
    "request.id",
    "request_id",
    "x-request-id",
    "http.request.header.x-correlation-id",
    "x-correlation-id",
    "correlation.id",
    "correlation_id",
    "traceloop.correlation.id",
)
# Of resources: which build of the service it was, and where it ran.
VERSION_KEYS = ("service.version",)
ENVIRONMENT_KEYS = ("deployment.environment.name", "deployment.environment")
# Sampling as 1 in N, and as a probability; Jaeger records in another key which of the two it is.
ONE_IN_KEYS = ("SampleRate", "sampleRate")
PROBABILITY_KEYS = (
    "sampling.probability",
    "sampler.param",
    "logfire.sample_rate",
    "sentry.sample_rate",
    "_dd.rule_psr",
    "_dd.agent_psr",
)
PERCENT_KEYS = ("microsoft.sample_rate", "_MS.sampleRate")  # Azure Monitor: as a percentage
SAMPLER_KIND_KEY = "sampler.type"
# Written by tail samplers, which look at whole traces and keep the slow and the failed ones.
TAIL_SAMPLING_PREFIXES = ("tailsampling.", "meta.refinery.")
HTTP_STATUS_KEYS = ("http.response.status_code", "http.status_code")
SCORE_VALUE_KEYS = ("gen_ai.evaluation.score.value",)
SCORE_LABEL_KEYS = ("gen_ai.evaluation.score.label",)
# OpenInference flattens lists of evaluations (evaluations.0.evaluation.score), Langfuse's scores carry their name in the key.
EVALUATION_KEY = (
    r"^(?:(?:trace\.|session\.)?(?:evaluations|annotations)\.\d+\.)?(?:evaluation|annotation)\.(score|label)$"
)
NAMED_SCORE_KEY = r"^langfuse\.(?:trace\.|observation\.|session\.)?scores?\.(.+?)(?:\.value)?$"

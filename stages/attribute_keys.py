"""Attribute keys that the default rules and the facts of requests know, best evidence first.

Sources: OpenTelemetry semantic conventions (gen_ai, db, messaging, http, rpc), OpenInference, OpenLLMetry
(traceloop), and the documentation of Langfuse, LangSmith, MLflow, the Vercel AI SDK and vLLM. Old and new names both
occur in the wild. They are written out because importing the packages that hold them takes longer than a review;
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

# Keys that decide by being there.
CLASSIFY_PRESENCE: frozenset[str] = frozenset(
    {"db.vector.query.top_k", "http.request.method", "http.method", QUEUE_KEY, *(key for key, _ in PRESENCE)}
)
CLASSIFY_PREFIXES: tuple[str, ...] = VECTOR_PREFIXES

# What ingest says of an operation beside its keys: its spans record a model or tokens, its query asks for vectors.
MODEL_RECORDED = "a model is recorded"
TOKENS_RECORDED = "tokens are recorded"
VECTOR_QUERY_TEXT = "the query asks for vectors"

# What a call span says it calls (docs/reference/method.md, Hops).
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
)
INPUT_TOKEN_KEYS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
)
OUTPUT_TOKEN_KEYS = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
)
CACHED_TOKEN_KEYS = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
)
RESPONSE_ID_KEYS = ("gen_ai.response.id", "ai.response.id", "llm.response.id")
TTFT_SECONDS_KEYS = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
    "gen_ai.latency.time_to_first_token",
)
TTFT_MILLISECONDS_KEYS = ("ai.response.msToFirstChunk",)
TTFT_TIMESTAMP_KEYS = ("langfuse.observation.completion_start_time",)
FIRST_TOKEN_EVENT = r"(?i)first[_. -]?(token|chunk)|^gen_ai\.content\.completion\.chunk$"  # names of events
CONVERSATION_KEYS = (
    "gen_ai.conversation.id",
    "session.id",
    "langfuse.session.id",
    "traceloop.association.properties.session_id",
    "traceloop.association.properties.conversation_id",
)
# What an operation was asked: equal inputs can be answered from a cache. The text of a query with placeholders is no input
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
)
OUTPUT_KEYS = (
    "output.value",
    "gen_ai.output.messages",
    "gen_ai.tool.call.result",
    "traceloop.entity.output",
    "langfuse.observation.output",
)
OUTPUT_PREFIX = "llm.output_messages."
INPUT_PREFIXES = ("llm.input_messages.", "db.query.parameter.")
QUERY_KEYS = ("db.query.text", "db.statement")
QUERY_PLACEHOLDER = r"\$\d|\?|:[a-z_]\w*|%s|%\("
PROMPT_KEYS = (
    "gen_ai.input.messages",
    "gen_ai.prompt",
    "llm.prompts",
    "input.value",
    "ai.prompt",
    "traceloop.entity.input",
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
# Of how many requests one was kept (1 in N), and with which probability; Jaeger's says of which kind it is in another key.
ONE_IN_KEYS = ("SampleRate", "sampleRate")
PROBABILITY_KEYS = ("sampling.probability", "sampler.param")
SAMPLER_KIND_KEY = "sampler.type"
# Written by samplers that look at whole traces and keep the slow and the failed ones.
TAIL_SAMPLING_PREFIXES = ("tailsampling.", "meta.refinery.")
HTTP_STATUS_KEYS = ("http.response.status_code", "http.status_code")
SCORE_VALUE_KEYS = ("gen_ai.evaluation.score.value",)
SCORE_LABEL_KEYS = ("gen_ai.evaluation.score.label",)
# OpenInference flattens lists of evaluations (evaluations.0.evaluation.score), Langfuse's scores carry their name in the key.
EVALUATION_KEY = (
    r"^(?:(?:trace\.|session\.)?(?:evaluations|annotations)\.\d+\.)?(?:evaluation|annotation)\.(score|label)$"
)
NAMED_SCORE_KEY = r"^langfuse\.(?:trace\.|observation\.|session\.)?scores?\.(.+?)(?:\.value)?$"

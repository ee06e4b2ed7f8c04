"""What is true of each recording, because its script (recording/scripts/) did it and the model provider on the spot said it.

Where a library does not record something, that is known too, and it must not be made up: `leaves_out` names it.
"""

from dataclasses import dataclass

from tests.frameworks.recording.model_server import ANSWERED_BY, MODEL

EMPTY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Known:
    """`calls` model calls were made, of which `first_tokens` tell when their first token came; `stages` beside orchestration were
    gone through. `models` are the names recorded. `session` is "ours" where the script's own id is recorded, "own" where the
    framework's is, "" for none. Of `leaves_out` (tokens, cached, reasoning) no call tells; `cached_calls` is how many do."""

    calls: int
    stages: frozenset[str]
    first_tokens: int = 0
    models: frozenset[str] = frozenset({ANSWERED_BY})
    session: str = ""
    requests: int = 1
    leaves_out: frozenset[str] = EMPTY
    outputs: tuple[int, ...] | None = None  # of each call, where a library counts differently
    token_calls: int | None = None  # calls that record tokens, where not all do
    cached_calls: int | None = None
    reasoning_calls: int | None = None


def _known(calls: int, stages: str, first: int = 0, session: str = "", leaves_out: str = "", **more: object) -> Known:
    return Known(
        calls, frozenset(stages.split()), first, session=session, leaves_out=frozenset(leaves_out.split()), **more
    )  # type: ignore[arg-type]


_ASKED = frozenset({MODEL})
_BOTH = frozenset({MODEL, ANSWERED_BY})

KNOWN: dict[str, Known] = {
    # OpenAI's client: embeddings, an answer, a streamed answer.
    "openllmetry-openai": _known(2, "inference retrieval", 1, reasoning_calls=1),
    "openllmetry-openai-0.33": _known(2, "inference retrieval", 1, token_calls=1, leaves_out="cached reasoning"),
    "openinference-openai": _known(2, "inference retrieval", 1, "ours"),
    "openlit-openai": _known(2, "inference retrieval", 2, leaves_out="reasoning"),
    "otel-openai-v2": _known(2, "inference retrieval", leaves_out="cached reasoning"),
    # Anthropic's client: an answer, a streamed answer.
    # The first adds what a stream says of its output at the start and at the end.
    "openllmetry-anthropic": _known(2, "inference", 1, leaves_out="reasoning", outputs=(30, 31)),
    "openinference-anthropic": _known(2, "inference", 1, leaves_out="reasoning"),
    # Decorated functions around OpenAI's client: a search, a tool, an answer, a streamed answer.
    "traceloop-sdk": _known(2, "inference retrieval tools", 1, "ours", reasoning_calls=1),
    "mlflow": _known(2, "inference retrieval tools shaping", 1, leaves_out="reasoning"),
    "laminar": _known(2, "inference retrieval tools", 1, "ours"),
    "langfuse": _known(2, "inference retrieval tools safety context", 1, "ours"),
    "langfuse-3.3": _known(2, "inference retrieval tools safety context", 1, "ours"),
    # LangGraph: an agent that calls a tool; then a chain of retriever, prompt, model (streamed) and parser.
    "openinference-langgraph": _known(
        3, "inference retrieval tools context shaping", 0, "ours", requests=2, models=_BOTH
    ),
    "openllmetry-langgraph": _known(
        3, "inference retrieval tools context shaping", 0, "ours", "reasoning", requests=2, models=_BOTH
    ),
    "langsmith-otel": _known(2, "inference tools", 0, "ours", "cached reasoning", models=_ASKED),
    # A query over an index, and an agent that calls a tool. What prepares a call is recorded as one, without tokens.
    "openinference-llamaindex": _known(5, "inference retrieval tools", requests=2, models=_ASKED, token_calls=3),
    "openllmetry-llamaindex": _known(3, "inference retrieval tools", requests=2),
    "openinference-dspy": _known(1, "inference", leaves_out="tokens cached reasoning", models=_ASKED),
    # A pipeline of embedder, retriever, prompt builder and generator.
    "haystack-native": _known(1, "inference retrieval context"),
    "openinference-haystack": _known(1, "inference retrieval context", leaves_out="cached reasoning"),
    "litellm": _known(2, "inference retrieval", models=_BOTH),
    # Agents that call a tool, then answer.
    "openinference-openai-agents": _known(2, "inference tools"),
    "openllmetry-openai-agents": _known(2, "inference tools"),
    "logfire-openai-agents": _known(2, "inference tools", leaves_out="reasoning"),
    "pydantic-ai": _known(4, "inference tools", 2, "own", requests=2),
    "logfire-pydantic-ai": _known(4, "inference tools", 2, "own", requests=2),
    "pydantic-ai-format-2": _known(4, "inference tools", leaves_out="tokens cached", requests=2),
    # ADK adds the reasoning tokens to an output that holds them.
    "google-adk": _known(2, "inference tools", 0, "ours", models=frozenset({f"openai/{MODEL}"}), outputs=(35, 35)),
    "agent-framework": _known(2, "inference tools"),
    "semantic-kernel": _known(2, "inference tools", leaves_out="cached reasoning", models=_ASKED),
    "autogen": _known(2, "inference tools"),
    "openllmetry-crewai": _known(2, "inference"),  # its tools have no spans
    "openinference-crewai": _known(2, "inference tools"),
    "openinference-smolagents": _known(3, "inference tools", leaves_out="cached reasoning", models=_ASKED),
    "openinference-agno": _known(2, "inference tools", 0, "ours", "reasoning", models=_ASKED),
    "strands-agents": _known(2, "inference tools", 2, "ours", "reasoning", models=_ASKED),
    # An embedding, an answer with a tool, a streamed answer. Version 5 tells cached and reasoning tokens of the last alone.
    "vercel-ai-5": _known(3, "inference retrieval tools", 1, "ours", cached_calls=1, reasoning_calls=1),
    "vercel-ai-6": _known(3, "inference retrieval tools", 1, "ours"),
}

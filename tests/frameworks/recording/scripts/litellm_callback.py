"""LiteLLM's own OpenTelemetry callback: an answer, a streamed answer, embeddings."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import time

from opentelemetry import trace
from story import OUT, SESSION, exporter, forget, provider

traces = provider()
import litellm
from litellm.integrations.opentelemetry import OpenTelemetry, OpenTelemetryConfig

litellm.callbacks = [OpenTelemetry(config=OpenTelemetryConfig(exporter=exporter(OUT)))]
messages = [{"role": "user", "content": "weather?"}]


def ask() -> None:
    with trace.get_tracer("app").start_as_current_span("POST /chat") as span:

        def about() -> dict[str, object]:
            return {"litellm_parent_otel_span": span, "session_id": SESSION}

        litellm.completion(model="openai/gpt-4o-mini", messages=messages, metadata=about())
        for _ in litellm.completion(model="openai/gpt-4o-mini", messages=messages, stream=True, metadata=about()):
            pass
        litellm.embedding(model="openai/text-embedding-3-small", input=["weather"], metadata=about())
    time.sleep(4)


litellm.completion(model="openai/gpt-4o-mini", messages=messages)
time.sleep(2)
forget()
ask()

"""OpenAI's client under an OpenTelemetry instrumentation of it: embeddings, an answer, a streamed answer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from importlib import import_module

import openai
from opentelemetry import trace
from story import SESSION, USER, forget, provider

traces = provider()
module = sys.argv[3]
import_module(module).OpenAIInstrumentor().instrument(tracer_provider=traces)
client, messages = openai.OpenAI(), [{"role": "user", "content": "How is the weather in Paris?"}]


def ask() -> None:
    with trace.get_tracer("app").start_as_current_span("POST /chat"):
        client.embeddings.create(model="text-embedding-3-small", input="weather")
        client.chat.completions.create(model="gpt-4o-mini", messages=messages)
        for _ in client.chat.completions.create(
            model="gpt-4o-mini", messages=messages, stream=True, stream_options={"include_usage": True}
        ):
            pass


ask()
forget()
if module.startswith("openinference"):
    from openinference.instrumentation import using_attributes

    with using_attributes(session_id=SESSION, user_id=USER):
        ask()
else:
    ask()

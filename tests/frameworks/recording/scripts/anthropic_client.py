"""Anthropic's client under an OpenTelemetry instrumentation of it: an answer, a streamed answer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from importlib import import_module

import anthropic
from opentelemetry import trace
from story import forget, provider

traces = provider()
import_module(sys.argv[3]).AnthropicInstrumentor().instrument(tracer_provider=traces)
client, messages = anthropic.Anthropic(), [{"role": "user", "content": "How is the weather in Paris?"}]


def ask() -> None:
    with trace.get_tracer("app").start_as_current_span("POST /chat"):
        client.messages.create(model="gpt-4o-mini", max_tokens=100, messages=messages)
        for _ in client.messages.create(model="gpt-4o-mini", max_tokens=100, messages=messages, stream=True):
            pass


ask()
forget()
ask()

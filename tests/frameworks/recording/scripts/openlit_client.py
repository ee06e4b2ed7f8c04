"""OpenLIT over OpenAI's client."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from opentelemetry import trace
from story import BASE, forget, provider

traces = provider()
import openlit

openlit.init(disable_metrics=True)
import openai

client, messages = openai.OpenAI(base_url=BASE), [{"role": "user", "content": "weather?"}]


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
ask()

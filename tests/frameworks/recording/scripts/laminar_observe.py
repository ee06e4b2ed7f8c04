"""Laminar: decorated functions and OpenAI's client."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import time

from lmnr import Laminar, observe
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from story import ADDRESS, BASE, SESSION, STEP_S, exporter, forget, sunny

Laminar.initialize(
    project_api_key="none", base_url="http://127.0.0.1", http_port=int(ADDRESS.rsplit(":", 1)[1]), force_http=True
)
from opentelemetry import trace

try:
    from lmnr.opentelemetry_lib.tracing import TracerWrapper

    TracerWrapper.instance._tracer_provider.add_span_processor(SimpleSpanProcessor(exporter()))
except AttributeError:
    trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter()))
import openai

client, messages = openai.OpenAI(base_url=BASE), [{"role": "user", "content": "weather?"}]


@observe(span_type="TOOL")
def get_weather(city: str) -> str:
    return sunny(city)


@observe()
def search_docs(question: str) -> list[str]:
    time.sleep(STEP_S)
    return ["Paris is sunny"]


@observe(session_id=SESSION)
def ask() -> None:
    search_docs("weather?")
    get_weather("Paris")
    client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    for _ in client.chat.completions.create(
        model="gpt-4o-mini", messages=messages, stream=True, stream_options={"include_usage": True}
    ):
        pass


ask()
forget()
ask()

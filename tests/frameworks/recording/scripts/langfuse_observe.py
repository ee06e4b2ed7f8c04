"""Langfuse: every kind of observation, an untyped function, an answer and a streamed answer of OpenAI's client."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import os

from story import ADDRESS, SESSION, STEP_S, TOOL_S, USER, forget, provider

os.environ |= {
    "LANGFUSE_PUBLIC_KEY": "pk-lf-x",
    "LANGFUSE_SECRET_KEY": "sk-lf-x",
    "LANGFUSE_HOST": ADDRESS,
    "LANGFUSE_BASE_URL": ADDRESS,
}
traces = provider()
import time

from langfuse import Langfuse, observe

langfuse = Langfuse(tracer_provider=traces)
from langfuse.openai import openai

client, messages = openai.OpenAI(), [{"role": "user", "content": "weather?"}]


@observe(as_type="retriever")
def find_pages(question: str) -> list[str]:
    time.sleep(STEP_S)
    return ["Paris is sunny"]


@observe(as_type="tool")
def get_weather(city: str) -> str:
    time.sleep(TOOL_S)
    return "sunny"


@observe(as_type="guardrail")
def check(text: str) -> bool:
    time.sleep(STEP_S)
    return True


@observe()
def build_prompt(question: str) -> str:
    time.sleep(STEP_S)
    return question


@observe(as_type="agent", name="assistant")
def ask() -> None:
    if hasattr(langfuse, "update_current_trace"):
        langfuse.update_current_trace(session_id=SESSION, user_id=USER)
    check("weather?")
    find_pages("weather?")
    build_prompt("weather?")
    get_weather("Paris")
    client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    for _ in client.chat.completions.create(
        model="gpt-4o-mini", messages=messages, stream=True, stream_options={"include_usage": True}
    ):
        pass


def run() -> None:
    try:
        from langfuse import propagate_attributes
    except ImportError:
        ask()
    else:
        with propagate_attributes(session_id=SESSION, user_id=USER):
            ask()


run()
forget()
run()

"""Traceloop's decorators around OpenAI's client."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import os
import time

os.environ |= {"TRACELOOP_TELEMETRY": "false"}
from story import BASE, SESSION, STEP_S, exporter, forget, sunny
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import task, tool, workflow

Traceloop.init(app_name="assistant", exporter=exporter(), disable_batch=True)
import openai

client, messages = openai.OpenAI(base_url=BASE), [{"role": "user", "content": "weather?"}]


@task(name="search_docs")
def search_docs(question: str) -> list[str]:
    time.sleep(STEP_S)
    return ["Paris is sunny"]


@tool(name="get_weather")
def get_weather(city: str) -> str:
    return sunny(city)


@workflow(name="assistant")
def ask() -> None:
    Traceloop.set_association_properties({"session_id": SESSION})
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

"""MLflow Tracing: decorated functions of several types, and OpenAI's client under autolog."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import os
import time

os.environ["MLFLOW_USE_DEFAULT_TRACER_PROVIDER"] = "false"
os.environ |= {"MLFLOW_TRACKING_URI": "file:mlruns", "MLFLOW_ALLOW_FILE_STORE": "true"}
from story import SESSION, STEP_S, TOOL_S, USER, forget, provider

provider()
import mlflow
import openai
from mlflow.entities import SpanType

mlflow.openai.autolog()
client, messages = openai.OpenAI(), [{"role": "user", "content": "weather?"}]


@mlflow.trace(span_type=SpanType.RETRIEVER)
def find_pages(question: str) -> list[str]:
    time.sleep(STEP_S)
    return ["Paris is sunny"]


@mlflow.trace(span_type=SpanType.TOOL)
def get_weather(city: str) -> str:
    time.sleep(TOOL_S)
    return "sunny"


@mlflow.trace(span_type=SpanType.PARSER)
def parse(text: str) -> str:
    time.sleep(STEP_S)
    return text


@mlflow.trace(span_type=SpanType.AGENT, name="assistant")
def ask() -> None:
    try:
        mlflow.update_current_trace(metadata={"mlflow.trace.session": SESSION, "mlflow.trace.user": USER})
    except Exception as error:  # the trace is the application's own
        print(error, file=sys.stderr)
    find_pages("weather?")
    get_weather("Paris")
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    parse(answer.choices[0].message.content)
    for _ in client.chat.completions.create(
        model="gpt-4o-mini", messages=messages, stream=True, stream_options={"include_usage": True}
    ):
        pass


ask()
forget()
ask()

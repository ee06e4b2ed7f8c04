"""LangSmith's own tracing of a LangGraph agent, exported as OTLP."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import os
import time

os.environ |= {
    "LANGSMITH_OTEL_ENABLED": "true",
    "LANGSMITH_OTEL_ONLY": "true",
    "LANGSMITH_TRACING": "true",
    "LANGSMITH_API_KEY": "none",
    "LANGSMITH_ENDPOINT": "http://127.0.0.1:9",
}
from story import SESSION, forget, provider, sunny

traces = provider()
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return sunny(city)


agent = create_agent(ChatOpenAI(model="gpt-4o-mini"), [get_weather])


def ask() -> None:
    about = {"configurable": {"thread_id": SESSION}, "metadata": {"session_id": SESSION}}
    agent.invoke({"messages": [("user", "weather in Paris?")]}, config=about)
    time.sleep(3)


ask()
forget()
ask()

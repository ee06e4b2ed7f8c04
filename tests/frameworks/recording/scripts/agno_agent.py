"""Agno: an agent with a tool, under OpenInference."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from story import BASE, SESSION, USER, forget, provider, sunny

traces = provider()
from openinference.instrumentation.agno import AgnoInstrumentor

AgnoInstrumentor().instrument(tracer_provider=traces)
from agno.agent import Agent
from agno.models.openai import OpenAIChat


def get_weather(city: str) -> str:
    """The weather of a city."""
    return sunny(city)


def ask() -> None:
    model = OpenAIChat(id="gpt-4o-mini", base_url=BASE, api_key="none")
    Agent(name="Weather", model=model, tools=[get_weather], telemetry=False).run(
        "weather?", session_id=SESSION, user_id=USER
    )


ask()
forget()
ask()

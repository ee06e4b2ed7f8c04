"""Strands Agents: an agent with a tool, traced by itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from story import BASE, SESSION, forget, provider, sunny

traces = provider()
from strands import Agent, tool
from strands.models.openai import OpenAIModel


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return sunny(city)


def ask() -> None:
    model = OpenAIModel(client_args={"api_key": "none", "base_url": BASE}, model_id="gpt-4o-mini")
    Agent(model=model, tools=[get_weather], callback_handler=None, trace_attributes={"session.id": SESSION})("weather?")


ask()
forget()
ask()

"""Microsoft's Agent Framework: an agent with a tool."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import asyncio
import os

os.environ |= {"ENABLE_INSTRUMENTATION": "true", "ENABLE_SENSITIVE_DATA": "true", "ENABLE_OTEL": "true"}
from story import BASE, forget, provider, sunny

traces = provider()
from agent_framework import Agent
from agent_framework.observability import enable_instrumentation
from agent_framework.openai import OpenAIChatCompletionClient

enable_instrumentation(enable_sensitive_data=True)


def get_weather(city: str) -> str:
    """The weather of a city."""
    return sunny(city)


async def ask() -> None:
    client = OpenAIChatCompletionClient(model="gpt-4o-mini", api_key="none", base_url=BASE)
    await Agent(client=client, instructions="Be brief.", name="Weather", tools=[get_weather]).run("weather?")


asyncio.run(ask())
forget()
asyncio.run(ask())

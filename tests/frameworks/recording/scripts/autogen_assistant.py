"""AutoGen: an assistant with a tool, traced by itself, its model client under OpenInference."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import asyncio

from story import BASE, forget, provider, sunny

traces = provider()
from openinference.instrumentation.openai import OpenAIInstrumentor

OpenAIInstrumentor().instrument(tracer_provider=traces)
from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient


async def get_weather(city: str) -> str:
    """The weather of a city."""
    return sunny(city)


async def ask() -> None:
    model = OpenAIChatCompletionClient(model="gpt-4o-mini", base_url=BASE, api_key="none")
    await AssistantAgent("weather", model_client=model, tools=[get_weather], reflect_on_tool_use=True).run(
        task="weather?"
    )


asyncio.run(ask())
forget()
asyncio.run(ask())

"""Google's Agent Development Kit: an agent with a tool."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import asyncio

from story import SESSION, forget, provider, sunny

traces = provider()
from google.adk.agents import Agent
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.genai import types


def get_weather(city: str) -> str:
    """The weather of a city."""
    return sunny(city)


async def ask() -> None:
    agent = Agent(
        name="weather", model=LiteLlm(model="openai/gpt-4o-mini"), instruction="Be brief.", tools=[get_weather]
    )
    runner = InMemoryRunner(agent=agent, app_name="app")
    await runner.session_service.create_session(app_name="app", user_id="user-3", session_id=SESSION)
    message = types.Content(role="user", parts=[types.Part(text="weather?")])
    async for _ in runner.run_async(user_id="user-3", session_id=SESSION, new_message=message):
        pass


asyncio.run(ask())
forget()
asyncio.run(ask())

"""Semantic Kernel: a chat with a plugin, traced by itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import asyncio
import os

os.environ |= {
    "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS": "true",
    "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE": "true",
}
from story import BASE, forget, provider, sunny

traces = provider()
from openai import AsyncOpenAI
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.function_choice_behavior import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions import kernel_function


class Weather:
    """A plugin."""

    @kernel_function(name="get_weather", description="The weather of a city.")
    def get_weather(self, city: str) -> str:
        return sunny(city)


async def ask() -> None:
    kernel = Kernel()
    chat = OpenAIChatCompletion(ai_model_id="gpt-4o-mini", async_client=AsyncOpenAI(api_key="none", base_url=BASE))
    kernel.add_plugin(Weather(), "weather")
    history = ChatHistory()
    history.add_user_message("weather?")
    settings = OpenAIChatPromptExecutionSettings(function_choice_behavior=FunctionChoiceBehavior.Auto())
    await chat.get_chat_message_content(history, settings, kernel=kernel)


asyncio.run(ask())
forget()
asyncio.run(ask())

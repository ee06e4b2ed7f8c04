"""Pydantic AI: an agent with a tool, and a streamed answer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import asyncio

from story import exporter, forget, provider, sunny

how = sys.argv[3]
from pydantic_ai import Agent

try:
    from pydantic_ai.models.openai import OpenAIChatModel
except ImportError:
    from pydantic_ai.models.openai import OpenAIModel as OpenAIChatModel
if how == "logfire":
    import logfire
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    logfire.configure(
        send_to_logfire=False,
        console=False,
        service_name="assistant",
        additional_span_processors=[SimpleSpanProcessor(exporter())],
    )
    logfire.instrument_pydantic_ai()
else:
    from pydantic_ai.models.instrumented import InstrumentationSettings

    version = {} if how == "otel" else {"version": int(how)}
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider(), **version))
agent = Agent(OpenAIChatModel("gpt-4o-mini"), system_prompt="Be brief.")


@agent.tool_plain
def get_weather(city: str) -> str:
    """The weather of a city."""
    return sunny(city)


async def ask() -> None:
    await agent.run("weather?")
    async with agent.run_stream("weather?") as answer:
        async for _ in answer.stream_text():
            pass


async def run() -> None:
    await ask()
    forget()
    await ask()


asyncio.run(run())

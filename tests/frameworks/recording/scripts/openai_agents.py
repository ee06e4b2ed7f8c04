"""The Agents SDK of OpenAI: an agent with a tool, under an instrumentation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from importlib import import_module

from story import exporter, forget, provider, sunny

how = sys.argv[3]
if how == "logfire":
    import logfire
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    logfire.configure(
        send_to_logfire=False,
        console=False,
        service_name="assistant",
        additional_span_processors=[SimpleSpanProcessor(exporter())],
    )
    logfire.instrument_openai_agents()
else:
    traces = provider()
    import_module(how).OpenAIAgentsInstrumentor().instrument(tracer_provider=traces)
from agents import Agent, Runner, function_tool


@function_tool
def get_weather(city: str) -> str:
    return sunny(city)


def ask() -> None:
    Runner.run_sync(
        Agent(name="Weather", instructions="Be brief.", tools=[get_weather], model="gpt-4o-mini"), "weather?"
    )


ask()
forget()
ask()

"""smolagents: an agent that calls a tool, under OpenInference."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from story import BASE, forget, provider, sunny

traces = provider()
from openinference.instrumentation.smolagents import SmolagentsInstrumentor

SmolagentsInstrumentor().instrument(tracer_provider=traces)
from smolagents import OpenAIServerModel, ToolCallingAgent, tool


@tool
def get_weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: the city
    """
    return sunny(city)


def ask() -> None:
    model = OpenAIServerModel(model_id="gpt-4o-mini", api_base=BASE, api_key="none")
    ToolCallingAgent(tools=[get_weather], model=model, max_steps=2, verbosity_level=0).run("weather?")


ask()
forget()
ask()

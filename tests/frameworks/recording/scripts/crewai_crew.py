"""CrewAI: one agent with one task, under OpenLLMetry or OpenInference."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import os
from importlib import import_module

os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false"}
from story import BASE, forget, provider, sunny

traces = provider()
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

for name in sys.argv[3].split(","):
    module, instrumentor = name.split(":")
    getattr(import_module(module), instrumentor)().instrument(tracer_provider=traces)


@tool("get_weather")
def get_weather(city: str) -> str:
    """The weather of a city."""
    return sunny(city)


def ask() -> None:
    model = LLM(model="openai/gpt-4o-mini", base_url=BASE, api_key="none")
    agent = Agent(role="Forecaster", goal="Tell the weather", backstory="Brief.", llm=model, tools=[get_weather])
    task = Task(description="Weather in Paris?", expected_output="One word.", agent=agent)
    Crew(agents=[agent], tasks=[task]).kickoff()


ask()
forget()
ask()

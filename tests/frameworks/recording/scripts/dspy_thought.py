"""DSPy: a chain of thought."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from story import BASE, forget, provider

traces = provider()
import dspy
from openinference.instrumentation.dspy import DSPyInstrumentor

DSPyInstrumentor().instrument(tracer_provider=traces)
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=BASE, cache=False))
think = dspy.ChainOfThought("question->answer")
think(question="weather?")
forget()
think(question="weather?")

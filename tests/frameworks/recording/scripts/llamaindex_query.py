"""LlamaIndex: a query over an index, and an agent with a tool."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import asyncio
from importlib import import_module

from story import BASE, forget, provider, sunny

traces = provider()
for one in sys.argv[3].split(","):
    module, _, name = one.partition(":")
    getattr(import_module(module), name or "LlamaIndexInstrumentor")().instrument(tracer_provider=traces)
from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.utils import set_global_tokenizer
from llama_index.llms.openai import OpenAI

set_global_tokenizer(lambda text: text.split())
Settings.embed_model, Settings.llm = MockEmbedding(8), OpenAI(model="gpt-4o-mini", api_base=BASE)
index = VectorStoreIndex.from_documents([Document(text="Paris is sunny")])


def get_weather(city: str) -> str:
    """The weather of a city."""
    return sunny(city)


async def run() -> None:
    await FunctionAgent(tools=[get_weather], llm=Settings.llm, streaming=False).run("weather?")


def ask() -> None:
    index.as_query_engine().query("weather?")
    asyncio.run(run())


ask()
forget()
ask()

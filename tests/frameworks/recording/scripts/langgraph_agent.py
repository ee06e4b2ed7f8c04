"""LangGraph's agent with a tool, and a LangChain chain of retriever, prompt, model and parser."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from importlib import import_module

from story import SESSION, forget, provider, sunny

traces = provider()
module, instrumentor = sys.argv[3].split(":")
getattr(import_module(module), instrumentor)().instrument(tracer_provider=traces)
import time

from langchain.agents import create_agent
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import tool
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

store = InMemoryVectorStore(OpenAIEmbeddings(check_embedding_ctx_length=False))
store.add_texts(["Paris is sunny", "Rome is hot"])
model = ChatOpenAI(model="gpt-4o-mini")


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return sunny(city)


agent = create_agent(model, [get_weather])
prompt = ChatPromptTemplate.from_template("{context} {q}")
chain = {"context": store.as_retriever(), "q": RunnablePassthrough()} | prompt | model | StrOutputParser()


def ask() -> None:
    about = {"configurable": {"thread_id": SESSION}, "metadata": {"session_id": SESSION}}
    agent.invoke({"messages": [("user", "weather in Paris?")]}, config=about)
    for _ in chain.stream("weather?", config=about):
        pass


ask()
forget()
ask()
time.sleep(0.2)

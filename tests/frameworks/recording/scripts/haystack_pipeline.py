"""Haystack: a pipeline of embedder, retriever, prompt builder and generator."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from story import BASE, forget, provider

traces = provider()
from haystack import Document, Pipeline, tracing
from haystack.components.builders import ChatPromptBuilder
from haystack.components.embedders import OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.dataclasses import ChatMessage
from haystack.document_stores.in_memory import InMemoryDocumentStore

if sys.argv[3] == "native":
    from haystack_integrations.tracing.opentelemetry import OpenTelemetryTracer

    tracing.tracer.is_content_tracing_enabled = True
    tracing.enable_tracing(OpenTelemetryTracer(traces.get_tracer("haystack")))
else:
    from openinference.instrumentation.haystack import HaystackInstrumentor

    HaystackInstrumentor().instrument(tracer_provider=traces)
documents = InMemoryDocumentStore()
documents.write_documents([Document(content="Paris is sunny", embedding=[0.1] * 8)])
pipeline = Pipeline()
pipeline.add_component("text_embedder", OpenAITextEmbedder(api_base_url=BASE))
pipeline.add_component("retriever", InMemoryEmbeddingRetriever(documents))
question = [ChatMessage.from_user("{{documents}} {{q}}")]
pipeline.add_component("prompt_builder", ChatPromptBuilder(template=question, required_variables="*"))
pipeline.add_component("llm", OpenAIChatGenerator(model="gpt-4o-mini", api_base_url=BASE))
pipeline.connect("text_embedder.embedding", "retriever.query_embedding")
pipeline.connect("retriever", "prompt_builder.documents")
pipeline.connect("prompt_builder.prompt", "llm.messages")
asked = {"text_embedder": {"text": "weather"}, "prompt_builder": {"q": "weather?"}}
pipeline.run(asked)
forget()
pipeline.run(asked)

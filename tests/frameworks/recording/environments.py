"""Which libraries are recorded: their packages, the script, and how the script is told which instrumentation it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recording:
    """A framework as it is instrumented. `script` takes `argument`; `python` packages are pinned once they are recorded."""

    name: str
    packages: tuple[str, ...]
    script: str
    argument: str = ""

    @property
    def slower(self) -> float:
        """How much slower the model answers, where the framework itself takes long."""
        return next((times for part, times in _SLOWER.items() if part in self.name), 1)


_SLOWER = {"crewai": 10.0, "llamaindex": 4.0, "google-adk": 3.0, "dspy": 3.0}
_OTLP = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-common")

_NODE = (
    "@opentelemetry/sdk-trace-node",
    "@opentelemetry/sdk-trace-base",
    "@opentelemetry/otlp-transformer",
    "@opentelemetry/api",
)

_PYTHON = tuple(
    Recording(name, (*packages.split(), *_OTLP), script, argument)
    for name, packages, script, argument in (
        ("openllmetry-openai", "openai==3.57.0 opentelemetry-instrumentation-openai==0.62.4", "openai_client", "opentelemetry.instrumentation.openai"),
        ("openllmetry-openai-0.33", "openai==1.59.9 httpx==0.27.2 setuptools==79.0.1 opentelemetry-instrumentation-openai==0.33.12", "openai_client", "opentelemetry.instrumentation.openai"),
        ("openinference-openai", "openai==3.57.0 openinference-instrumentation-openai==0.1.66", "openai_client", "openinference.instrumentation.openai"),
        ("openlit-openai", "openai==2.54.0 openlit==1.45.0", "openlit_client", ""),
        ("openllmetry-anthropic", "anthropic==2.13.0 opentelemetry-instrumentation-anthropic==0.62.4", "anthropic_client", "opentelemetry.instrumentation.anthropic"),
        ("openinference-anthropic", "anthropic==2.13.0 openinference-instrumentation-anthropic==3.1.0", "anthropic_client", "openinference.instrumentation.anthropic"),
        ("traceloop-sdk", "openai==3.57.0 httpx==0.28.1 traceloop-sdk==0.62.4", "traceloop_decorators", ""),
        ("openinference-langgraph", "langchain==1.5.2 langchain-openai==1.7.4 langgraph==1.2.24 numpy==2.4.6 openinference-instrumentation-langchain==0.1.80", "langgraph_agent", "openinference.instrumentation.langchain:LangChainInstrumentor"),
        ("openllmetry-langgraph", "langchain==1.5.2 langchain-openai==1.7.4 langgraph==1.2.24 numpy==2.4.6 opentelemetry-instrumentation-langchain==0.62.4", "langgraph_agent", "opentelemetry.instrumentation.langchain:LangchainInstrumentor"),
        ("langsmith-otel", "langchain==1.5.2 langchain-openai==1.7.4 langgraph==1.2.24 langsmith[otel]==0.15.1", "langsmith_otel", ""),
        ("openinference-llamaindex", "llama-index-core==0.14.25 llama-index-llms-openai==0.8.3 openinference-instrumentation-llama-index==4.6.1", "llamaindex_query", "openinference.instrumentation.llama_index"),
        ("openinference-dspy", "dspy==3.4.1 openinference-instrumentation-dspy==0.1.48", "dspy_thought", ""),
        ("haystack-native", "haystack-ai==3.4.1 opentelemetry-haystack==2.0.0", "haystack_pipeline", "native"),
        ("openinference-haystack", "haystack-ai==3.4.1 openinference-instrumentation-haystack==0.1.46", "haystack_pipeline", "openinference"),
        ("langfuse", "langfuse==5.0.4 openai==3.57.0", "langfuse_observe", ""),
        ("langfuse-3.3", "langfuse==3.3.4 openai==3.57.0", "langfuse_observe", ""),
        ("litellm", "litellm==1.110.2", "litellm_callback", ""),
        ("openinference-openai-agents", "openai-agents==0.24.0 openinference-instrumentation-openai-agents==2.6.0", "openai_agents", "openinference.instrumentation.openai_agents"),
        ("openllmetry-openai-agents", "openai-agents==0.24.0 opentelemetry-instrumentation-openai-agents==0.62.4", "openai_agents", "opentelemetry.instrumentation.openai_agents"),
        ("logfire-openai-agents", "openai-agents==0.24.0 logfire==5.4.0", "openai_agents", "logfire"),
        ("pydantic-ai", "pydantic-ai-slim[openai]==2.68.0", "pydantic_agent", "otel"),
        ("pydantic-ai-format-2", "pydantic-ai-slim[openai]==1.49.0 openai==2.19.0", "pydantic_agent", "2"),
        ("logfire-pydantic-ai", "pydantic-ai-slim[openai]==2.68.0 logfire==5.4.0", "pydantic_agent", "logfire"),
        ("google-adk", "google-adk==2.13.0 litellm==1.110.2", "google_adk", ""),
        ("agent-framework", "agent-framework-core==1.23.0 agent-framework-openai==1.17.0", "agent_framework_run", ""),
        ("semantic-kernel", "semantic-kernel==1.45.0", "semantic_kernel_chat", ""),
        ("autogen", "autogen-agentchat==0.7.5 autogen-ext[openai]==0.7.5 openinference-instrumentation-openai==0.1.66", "autogen_assistant", ""),
        ("openllmetry-crewai", "crewai==1.15.30 litellm==1.110.2 opentelemetry-instrumentation-crewai==0.62.4 opentelemetry-instrumentation-openai==0.62.4", "crewai_crew", "opentelemetry.instrumentation.crewai:CrewAIInstrumentor,opentelemetry.instrumentation.openai:OpenAIInstrumentor"),
        ("openinference-crewai", "crewai==1.15.30 litellm==1.110.2 openinference-instrumentation-crewai==1.1.21 openinference-instrumentation-openai==0.1.66", "crewai_crew", "openinference.instrumentation.crewai:CrewAIInstrumentor,openinference.instrumentation.openai:OpenAIInstrumentor"),
        ("openinference-smolagents", "smolagents[openai]==1.26.0 openinference-instrumentation-smolagents==0.1.43", "smolagents_tool", ""),
        ("openinference-agno", "agno==3.1.10 openai==3.57.0 sqlalchemy==2.1.9 openinference-instrumentation-agno==1.0.15", "agno_agent", ""),
        ("strands-agents", "strands-agents[openai]==1.62.0", "strands_agent", ""),
        ("otel-openai-v2", "openai==3.57.0 httpx==0.28.1 opentelemetry-instrumentation-openai-v2==2.3b0 wrapt==1.17.3", "openai_client", "opentelemetry.instrumentation.openai_v2"),
        ("openllmetry-llamaindex", "llama-index-core==0.14.25 llama-index-llms-openai==0.8.3 opentelemetry-instrumentation-llamaindex==0.62.4 opentelemetry-instrumentation-openai==0.62.4", "llamaindex_query", "opentelemetry.instrumentation.llamaindex,opentelemetry.instrumentation.openai:OpenAIInstrumentor"),
        ("mlflow", "mlflow-skinny==3.17.2 openai==3.57.0 numpy==2.4.6 pandas==3.1.1 sqlalchemy==2.1.9 alembic==1.20.1", "mlflow_trace", ""),
        ("laminar", "lmnr[openai]==0.8.2 openai==3.57.0", "laminar_observe", ""),
    )
)  # fmt: skip
_JAVASCRIPT = (
    Recording("vercel-ai-5", ("ai@5.0.277", "@ai-sdk/openai@2.0.131", "zod", *_NODE), "vercel.mjs"),
    Recording("vercel-ai-6", ("ai@6.0.326", "@ai-sdk/openai@3.0.141", "zod", *_NODE), "vercel.mjs"),
)
RECORDINGS: tuple[Recording, ...] = (*_PYTHON, *_JAVASCRIPT)

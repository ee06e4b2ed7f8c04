"""The registry of the OpenTelemetry conventions for generative AI and MCP, as data: every registered attribute and value.

The Python package of the conventions marks all of these as moved and has none of the newer ones, so they are written out.
Tests hold that each registered operation and method has a stage, and that our keys are spelt as registered; `audit` looks for
these attributes on spans without a stage.
"""

SOURCE = "open-telemetry/semantic-conventions-genai, docs/registry/attributes"
COMMITS = {
    "gen-ai.md": "002c8a6ea1c8a42b14a4527db83b3cabcded610a",
    "mcp.md": "4172e394d28f2d26ec4a4514a45f153580c68670",
}
READ = "2026-11-25"

ATTRIBUTES: tuple[str, ...] = (
    "gen_ai.agent.description", "gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.agent.version", "gen_ai.conversation.id",
    "gen_ai.data_source.id", "gen_ai.embeddings.dimension.count", "gen_ai.evaluation.explanation", "gen_ai.evaluation.name",
    "gen_ai.evaluation.score.label", "gen_ai.evaluation.score.value", "gen_ai.input.messages", "gen_ai.memory.query.text",
    "gen_ai.memory.record.count", "gen_ai.memory.record.id", "gen_ai.memory.records", "gen_ai.memory.store.id",
    "gen_ai.operation.name", "gen_ai.output.messages", "gen_ai.output.type", "gen_ai.prompt.name", "gen_ai.provider.name",
    "gen_ai.request.choice.count", "gen_ai.request.encoding_formats", "gen_ai.request.frequency_penalty",
    "gen_ai.request.max_tokens", "gen_ai.request.model", "gen_ai.request.presence_penalty", "gen_ai.request.seed",
    "gen_ai.request.stop_sequences", "gen_ai.request.stream", "gen_ai.request.temperature", "gen_ai.request.top_k",
    "gen_ai.request.top_p", "gen_ai.response.finish_reasons", "gen_ai.response.id", "gen_ai.response.model",
    "gen_ai.response.time_to_first_chunk", "gen_ai.retrieval.documents", "gen_ai.retrieval.query.text",
    "gen_ai.system_instructions", "gen_ai.token.cache", "gen_ai.token.modality", "gen_ai.token.phase", "gen_ai.token.type",
    "gen_ai.tool.call.arguments", "gen_ai.tool.call.id", "gen_ai.tool.call.result", "gen_ai.tool.definitions",
    "gen_ai.tool.description", "gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.usage.audio.input_tokens",
    "gen_ai.usage.audio.output_tokens", "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.image.input_tokens", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens",
    "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.text.input_tokens", "gen_ai.usage.text.output_tokens",
    "gen_ai.usage.video.input_tokens", "gen_ai.workflow.name",
    "mcp.method.name", "mcp.protocol.version", "mcp.resource.uri", "mcp.session.id",
)  # fmt: skip
VALUES: dict[str, tuple[str, ...]] = {
    "gen_ai.operation.name": (
        "chat", "create_agent", "create_memory", "create_memory_store", "delete_memory", "delete_memory_store", "embeddings",
        "execute_tool", "generate_content", "invoke_agent", "invoke_workflow", "plan", "retrieval", "search_memory",
        "text_completion", "update_memory", "upsert_memory",
    ),
    "mcp.method.name": (
        "completion/complete", "elicitation/create", "notifications/cancelled", "notifications/message", "notifications/progress",
        "notifications/prompts/list_changed", "notifications/resources/list_changed", "notifications/resources/updated",
        "notifications/subscriptions/acknowledged", "notifications/tools/list_changed", "prompts/get", "prompts/list",
        "resources/list", "resources/read", "resources/templates/list", "server/discover", "subscriptions/listen", "tools/call",
        "tools/list",
    ),
    "gen_ai.provider.name": (
        "anthropic", "aws.bedrock", "azure.ai.inference", "azure.ai.openai", "cohere", "deepseek", "gcp.gemini", "gcp.gen_ai",
        "gcp.vertex_ai", "groq", "ibm.watsonx.ai", "mistral_ai", "moonshot_ai", "openai", "perplexity", "x_ai",
    ),
}  # fmt: skip

"""What every script of a framework needs: where to record spans to, and the model provider to call.

Run with the framework's own Python: `python SCRIPT OUT.jsonl ADDRESS`.
"""

import base64
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

OUT, ADDRESS = sys.argv[1], sys.argv[2]
BASE = f"{ADDRESS}/v1"
SESSION, USER = "session-9", "user-3"
TOOL_S, STEP_S = 0.08, 0.04
os.environ |= {
    "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": BASE, "OPENAI_API_BASE": BASE, "ANTHROPIC_API_KEY": "none",
    "ANTHROPIC_BASE_URL": ADDRESS, "OTEL_SDK_DISABLED": "false", "TRACELOOP_TRACE_CONTENT": "true", "NO_PROXY": "*",
}  # fmt: skip


def sunny(city: str) -> str:
    """What the tool of every script says, after a while."""
    time.sleep(TOOL_S)
    return f"sunny in {city}"


def exporter(path: str = OUT) -> Any:
    """A span exporter that appends OTLP JSON lines to `path`."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Lines(SpanExporter):
        """Spans as the collector's file exporter writes them."""

        def export(self, spans: Sequence[Any]) -> Any:
            document = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(_with_hex_ids(document)) + "\n")
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            """Nothing is held back."""

    return Lines()


def _with_hex_ids(part: Any) -> Any:
    if isinstance(part, list):
        return [_with_hex_ids(one) for one in part]
    if not isinstance(part, dict):
        return part
    ids = ("traceId", "spanId", "parentSpanId")
    return {
        key: base64.b64decode(value).hex() if key in ids and isinstance(value, str) else _with_hex_ids(value)
        for key, value in part.items()
    }


def provider(set_global: bool = True) -> Any:
    """A tracer provider that records to OUT."""
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    made = TracerProvider(resource=Resource.create({"service.name": "assistant"}))
    made.add_span_processor(SimpleSpanProcessor(exporter()))
    if set_global:
        trace.set_tracer_provider(made)
    return made


def forget() -> None:
    """What was recorded so far was warming up."""
    open(OUT, "w", encoding="utf-8").close()

"""One run with MLflow Tracing: FOLDER/mlflow.traces.jsonl is what `trace.to_json()` writes, FOLDER/mlflow.otlp.json the same spans as OTLP.

Needs mlflow-skinny, and MLFLOW_TRACKING_URI=file:FOLDER with MLFLOW_ALLOW_FILE_STORE=true.
"""

import json
import sys
from pathlib import Path

import mlflow
from google.protobuf.json_format import MessageToDict
from mlflow.entities import SpanEvent, SpanStatus, SpanType, Trace, TraceData
from mlflow.tracing.trace_manager import InMemoryTraceManager
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, TracesData

START_NS, MS = 1_767_258_000_000_000_000, 1_000_000


def main(folder: Path) -> None:
    lines, spans = [], []
    for number in range(2):
        begun = START_NS + 10_000 * MS * number

        def span(name: str, kind: str, start: int, parent=None, begun=begun, **attributes: object):  # type: ignore[no-untyped-def]
            return mlflow.start_span_no_context(
                name, span_type=kind, parent_span=parent, start_time_ns=begun + start * MS, attributes=attributes,
                inputs={"question": "Which jacket is warm enough for Norway?"},
            )  # fmt: skip

        root = span("assistant", SpanType.AGENT, 0)
        search = span("find", SpanType.RETRIEVER, 5, root)
        search.end(outputs=["a"], end_time_ns=begun + 305 * MS)
        call = span("chat", SpanType.CHAT_MODEL, 310, root, **{"mlflow.llm.model": "mist-7b"})
        call.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 700, "output_tokens": 90, "total_tokens": 790})
        call.add_event(SpanEvent("first_token", timestamp=begun + 610 * MS, attributes={"chunk": 1}))
        call.end(outputs="none", end_time_ns=begun + 1_310 * MS)
        tool = span("orders", SpanType.TOOL, 1_310, root)
        tool.end(status=SpanStatus("ERROR", "no such order") if number else "OK", end_time_ns=begun + 1_510 * MS)
        manager = InMemoryTraceManager.get_instance()
        with manager.get_trace(root.trace_id) as live:
            info = live.info
        root.end(end_time_ns=begun + 1_520 * MS)
        found = [one.to_immutable_span() for one in (root, search, call, tool)]
        info.trace_metadata |= {"mlflow.trace.session": "s-1", "mlflow.source.name": "run.py", "mlflow.user": "dev"}
        lines.append(Trace(info, TraceData(spans=found)).to_json())
        spans += [one.to_otel_proto() for one in found]
    (folder / "mlflow.traces.jsonl").write_text("".join(line + "\n" for line in lines))
    otlp = TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])])
    (folder / "mlflow.otlp.json").write_text(json.dumps(MessageToDict(otlp)) + "\n")


main(Path(sys.argv[1]))

"""Spans as OTLP files, as exporters and the collector's file exporter write them."""

import base64
import gzip
import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.trace import ReadableSpan

BATCH = 512  # spans to a record, the batch span processor's default


def records(spans: Sequence[ReadableSpan]) -> Iterator[TracesData]:
    """Spans in batches, each encoded by the SDK's own exporter."""
    for start in range(0, len(spans), BATCH):
        request = encode_spans(spans[start : start + BATCH])
        yield TracesData.FromString(request.SerializeToString(deterministic=True))


def otlp_json(record: TracesData) -> str:
    """One record as OTLP/JSON: protobuf's JSON mapping, but ids in hex and enums as numbers."""
    document = MessageToDict(record, use_integers_for_enums=True)
    for resource in document.get("resourceSpans", []):
        for scope in resource.get("scopeSpans", []):
            for span in scope.get("spans", []):
                _hex_ids(span)
                for link in span.get("links", []):
                    _hex_ids(link)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _hex_ids(holder: dict[str, Any]) -> None:
    for key in ("traceId", "spanId", "parentSpanId"):
        if key in holder:
            holder[key] = base64.b64decode(holder[key]).hex()


def json_lines(spans: Sequence[ReadableSpan]) -> bytes:
    """A dump of JSON lines."""
    return "".join(otlp_json(record) + "\n" for record in records(spans)).encode()


def length_prefixed(spans: Sequence[ReadableSpan]) -> bytes:
    """A dump of protobuf messages, each after its length in 4 bytes, big-endian."""
    messages = (record.SerializeToString(deterministic=True) for record in records(spans))
    return b"".join(struct.pack(">I", len(message)) + message for message in messages)


def gzipped(data: bytes) -> bytes:
    """The same bytes in every run: no time, no name in the header."""
    return gzip.compress(data, 9, mtime=0)

"""Spoilt documents through two readers each: the kernel against the general reader, and against protobuf's own decoder."""

import base64
import copy
import json
import random
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.formats.json.dialects import records
from overbudget.ingest.formats.json.kernel import scan
from overbudget.ingest.formats.json.rows import columns_of
from overbudget.ingest.formats.kernel_reader import KernelReader, batch_of_columns
from overbudget.ingest.formats.protobuf import kernel as protobuf
from overbudget.ingest.formats.protobuf.repair_utf8 import lenient
from overbudget.ingest.report import FileReport

BYTES = b'{}[]",:\\0123456789eE+-. \n\ttruefalsn\x00\x7f\x80\xff'
T = 1_764_000_000_000_000_000
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e308, 5e-324, 2**63, 2**64, "", "x", "5", "-0", "NaN", "é\U0001f600", [], {}, [[]], {"values": [{}]},
    {"intValue": ""}, {"doubleValue": 1e-7}, {"stringValue": "\x00"}, "1764000000000000000",
)  # fmt: skip


def record(draw: random.Random) -> dict[str, Any]:
    """A sound record of a few spans."""
    value = [{"key": "k", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"doubleValue": 0.1}]}}},
             {"key": "b", "value": {"bytesValue": "AAE="}}, {"key": "n", "value": {"boolValue": True}}]  # fmt: skip
    spans = [
        {"traceId": f"{draw.getrandbits(120) + 1:032x}", "spanId": f"{number + 1:016x}", "name": draw.choice(["a", "bé", ""]), "kind": 2,
         "startTimeUnixNano": str(T + draw.randrange(10**12)), "endTimeUnixNano": str(T + 10**12), "attributes": value,
         "events": [{"timeUnixNano": str(T), "name": "e", "attributes": value}], "status": {"code": 2, "message": "m"}, "flags": 1}
        for number in range(draw.randrange(1, 4))
    ]  # fmt: skip
    scope = {"scope": {"name": "s"}, "spans": spans}
    return json.loads(json.dumps({"resourceSpans": [{"resource": {"attributes": value}, "scopeSpans": [scope]}]}))


def spoilt(value: Any, draw: random.Random) -> Any:
    """A document with a value at some place replaced, removed or said twice."""
    whole = inside = copy.deepcopy(value)
    while True:
        if not isinstance(inside, dict | list) or not inside:
            return whole
        steps = list(inside) if isinstance(inside, dict) else range(len(inside))
        step = draw.choice(list(steps))
        if draw.random() < 0.25 or not isinstance(inside[step], dict | list):
            inside[step] = copy.deepcopy(draw.choice(VALUES))
            return whole
        inside = inside[step]


def flipped(data: bytes, draw: random.Random) -> bytes:
    """Bytes with a few changed, put in, taken out, or cut off."""
    out = bytearray(data)
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(out) + 1)
        how = draw.randrange(4)
        if how == 0 and at < len(out):
            out[at] = draw.choice(BYTES)
        elif how == 1:
            out[at:at] = bytes([draw.choice(BYTES)])
        elif how == 2:
            del out[at : at + draw.randrange(1, 9)]
        elif draw.random() < 0.2:
            del out[at:]
    return bytes(out)


def _rows(batch: SpanBatch) -> list[list[dict[str, Any]]]:
    return [table.to_pylist() for table in (batch.spans, batch.resources, batch.scopes, batch.events, batch.links)]


_JSON = KernelReader(scan)
_PROTOBUF = KernelReader(protobuf.scan, text_per_byte=2)


def json_readers(draw: random.Random) -> str | None:
    """What differs between the kernel and the general reader on one spoilt document; None where nothing does."""
    document = record(draw)
    for _ in range(draw.randrange(3)):
        document = spoilt(document, draw)
    text = json.dumps(document, ensure_ascii=draw.random() < 0.5).encode("utf-8", "replace")
    if draw.random() < 0.6:
        text = (
            flipped(text, draw).replace(b"\n", b" ").decode("utf-8", "replace").encode()
        )  # one a line, as framing gives them
    generally, by_kernel = FileReport("dump"), FileReport("dump")
    found = list(records(text, generally))
    batch = batch_of_columns(columns_of(one for spans in found for one in spans), generally)
    expected = _JSON.batch_of([text], by_kernel)
    if expected is not None and (
        _rows(expected) != _rows(batch)
        or expected.spans.num_rows + by_kernel.rejected != batch.spans.num_rows + generally.rejected
    ):
        return f"two readers differ on {text!r}"
    return None


def _with_base64(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _with_base64(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_base64(one) for one in value]
    return base64.b64encode(bytes.fromhex(value)).decode() if key in ("traceId", "spanId") else value


def protobuf_readers(draw: random.Random) -> str | None:
    """What differs between the kernel and protobuf's own decoder on one spoilt message; None where nothing does."""
    message = json_format.ParseDict(_with_base64(record(draw)), TracesData()).SerializeToString()
    data = flipped(message, draw) if draw.random() < 0.9 else message
    report = FileReport("dump")
    batch = _PROTOBUF.batch_of([data], report, documents=True)
    if batch is None:
        return None
    try:
        decoded = TracesData.FromString(data)
    except DecodeError:  # text that is not UTF-8, and that a later field replaces, is none to the kernel
        try:
            lenient().FromString(data)
        except DecodeError:
            return f"the kernel reads what protobuf does not: {data.hex()}"
        return None
    spans = [span for resource in decoded.resource_spans for scope in resource.scope_spans for span in scope.spans]
    if len(spans) != batch.spans.num_rows + report.rejected:
        return f"the kernel and protobuf count differently: {data.hex()}"
    kept = [
        span
        for span in spans
        if any(span.trace_id) and any(span.span_id) and 0 < span.start_time_unix_nano < 9214646400000000000
    ]
    if [span.name for span in kept] != batch.spans["name"].to_pylist():
        return f"the kernel and protobuf name spans differently: {data.hex()}"
    return None

"""Wrong values at any place of what Jaeger, Tempo, Zipkin and others return: what is spoilt is counted, the rest is kept."""

import base64
import json
import os
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from overbudget.ingest.files.source import Dump
from overbudget.ingest.formats.read import read_dump
from overbudget.ingest.report import FileReport
from overbudget.ingest.warnings import WARNINGS
from overbudget.store.errors import OverbudgetError
from scripts.torture import records
from scripts.torture.documents import record

MICROSECONDS = 1_764_000_000_000_000
WRONG: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 5e-324, 1e308, -1e308, float("nan"), float("inf"), 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**40,
    "", "x", "5", "-0", "NaN", "é\U0001f600", "\x00\x1b", "\ud800", "9" * 400, "2025-01-01T00:00:00Z", [], {}, [5], ["x"], [None],
    [[]], [{}], {"a": 1}, {"": {}}, {"values": 5}, {"stringValue": []}, [{"key": 5}], [{"key": ["a"], "value": {"b": 1}}],
)  # fmt: skip


def _deep(levels: int, list_too: bool) -> Any:
    value: Any = 5
    for _ in range(levels):
        value = [value] if list_too else {"a": value}
    return value


def jaeger(draw: random.Random) -> Any:
    """What Jaeger's query API returns."""
    tags = [{"key": "span.kind", "type": "string", "value": "server"}, {"key": "n", "type": "int64", "value": 5},
            {"key": "error", "type": "bool", "value": True}, {"key": "b", "type": "binary", "value": "AA=="}]  # fmt: skip
    spans = [
        {"traceID": "1", "spanID": f"{number}", "operationName": "n", "startTime": MICROSECONDS, "duration": 9, "processID": "p1",
         "references": [{"refType": "CHILD_OF", "traceID": "1", "spanID": "9"}], "tags": tags, "warnings": None,
         "logs": [{"timestamp": MICROSECONDS, "fields": [{"key": "event", "type": "string", "value": "e"}, *tags]}]}
        for number in range(1, draw.randrange(2, 4))
    ]  # fmt: skip
    return {
        "data": [{"traceID": "1", "spans": spans, "processes": {"p1": {"serviceName": "s", "tags": tags}}}],
        "total": 0,
    }


def zipkin(draw: random.Random) -> Any:
    """What Zipkin's API returns: spans in a list, or those of several traces."""
    spans = [
        {"traceId": "0" * 31 + "1", "id": f"{number:016x}", "parentId": f"{9:016x}", "name": "get", "kind": draw.choice(["SERVER", "CLIENT"]),
         "timestamp": MICROSECONDS, "duration": 9, "localEndpoint": {"serviceName": "s", "ipv4": "10.0.0.1", "port": 80},
         "remoteEndpoint": {"serviceName": "r"}, "tags": {"http.path": "/", "error": "x", "otel.status_code": "ERROR"}, "shared": True,
         "annotations": [{"timestamp": MICROSECONDS, "value": 'e|{"a": 1}|0'}]}
        for number in range(1, draw.randrange(2, 4))
    ]  # fmt: skip
    return [spans, spans] if draw.random() < 0.3 else spans


def tempo(draw: random.Random) -> Any:
    """What Tempo's API returns, of both versions: ids in base64, names of enumerations."""
    resources = record(draw)["resourceSpans"]
    for span in resources[0]["scopeSpans"][0]["spans"]:
        for key in ("traceId", "spanId"):
            span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
        span["kind"], span["status"] = "SPAN_KIND_SERVER", {"code": "STATUS_CODE_ERROR"}
    first = {"trace": {"resourceSpans": resources}, "status": "PARTIAL", "message": "m"}
    return first if draw.random() < 0.5 else {"batches": resources}


def resource_spans(draw: random.Random) -> Any:
    """OTLP without its envelope."""
    return record(draw)["resourceSpans"][0]


def older(draw: random.Random) -> Any:
    """OTLP with the names of its first version."""
    one = resource_spans(draw)
    return {"resourceSpans": [{"resource": one["resource"], "instrumentationLibrarySpans": one["scopeSpans"]}]}


SHAPES = (jaeger, zipkin, tempo, resource_spans, older, record)


DEEPEST = 40  # levels at which values are spoilt: some that stand there already are nested without end


def places(value: Any, deepest: int = DEEPEST) -> list[tuple[Any, ...]]:
    """The path to every value within a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(step, *rest) for step, one in inner for rest in [(), *(places(one, deepest - 1) if deepest else [])]]


def spoilt(document: Any, draw: random.Random) -> Any:
    """The document with another value at some place, or a key of another name."""
    return records.changed(document, draw.choice(places(document)), _wrong(draw))


def _wrong(draw: random.Random) -> Any:
    return _deep(draw.choice([10, 60, 300]), draw.random() < 0.5) if draw.random() < 0.1 else draw.choice(WRONG)


def wrong_shapes(draw: random.Random) -> str | None:
    """A dump with wrong values beside a sound record of the same shape: that one is kept, and what was left out is counted."""
    shape = draw.choice(SHAPES)
    document = shape(draw)
    for _ in range(draw.randrange(1, 4)):
        document = spoilt(document, draw)
    sound = shape(draw)
    text = "\n".join(map(json.dumps, [document, sound] if draw.random() < 0.5 else [sound, document]))
    alone = len(_read(json.dumps(sound)))
    try:
        found = _read(text)
    except OverbudgetError as error:
        return f"a sound record is refused: {error} {text!r}"
    return None if len(found) >= alone > 0 else f"{alone - len(found)} spans of a sound record are lost: {text!r}"


def one_record(draw: random.Random) -> str | None:
    """A record of three spans with wrong values in one or two of them: what is sound within the record is kept."""
    sound = records.some(draw)
    document, hurt = sound.document, draw.sample(sound.spans, draw.randrange(1, 3))
    for span in hurt:
        inner = [place for place in places(sound.document) if place[: len(span)] == span]
        document = records.changed(document, draw.choice(inner), _wrong(draw))
    kept = Counter(f"n{span[-1] + 1}" for span in sound.spans if span not in hurt)
    try:
        lost = kept - Counter(_read(json.dumps(document), "name"))
    except OverbudgetError as error:
        return f"sound spans are refused with their record: {error} {document!r}"
    return f"{list(lost)} are lost beside another span: {document!r}" if lost else None


def _read(text: str, column: str = "span_id") -> list[str]:
    handle, name = tempfile.mkstemp(prefix="overbudget-torture-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text + "\n")
        report = FileReport(name)
        batches = list(read_dump(Dump(name, True), report))
    finally:
        Path(name).unlink()
    unknown = report.warnings.keys() - WARNINGS.keys()
    assert not unknown, unknown
    assert all(warning.example.isprintable() for warning in report.warnings.values())
    return [one for batch in batches for one in batch.spans[column].to_pylist()]

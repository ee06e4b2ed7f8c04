"""OTLP as JSON, in every framing and dialect: a stream of bytes in, span batches out.

Canonical OTLP/JSON goes through pyarrow's JSON reader with the schema spelt out. A piece that holds anything that
reader would not understand (another dialect, nested values, a broken line) is noticed, rewritten into canonical form by
ingest.odd_json, and read by the same reader.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.json as pj

from ingest.batch import SpanBatch
from ingest.json_framing import pieces
from ingest.prefetch import prefetch
from ingest.report import FileReport
from store.errors import OverbudgetError

BLOCK = 4 << 20  # bytes that one thread of the JSON reader takes at a time


@dataclass(frozen=True)
class Dialect:
    """Which of the two legal forms of 64-bit integers a dump uses: text or number."""

    number_times: bool = False
    number_ints: bool = False


def read(stream: BinaryIO, report: FileReport) -> Iterator[SpanBatch]:
    """The spans of a dump of OTLP/JSON (or what Tempo's and Jaeger's query APIs return).

    Broken records are reported and left out; spans that cannot be kept are counted under `rejected`.

    Errors: OverbudgetError where nothing in the stream is a record of traces.
    """
    understood = False
    # Parsing runs in C++ threads, one piece ahead of the rest, and begins before the kernels of the rest are loaded.
    parsed = prefetch(_parsed(stream, report))
    try:
        for piece, table in parsed:
            batch, known = _batch_of(piece, table, report)
            understood = understood or known
            if batch is not None and batch.spans.num_rows:
                yield batch
    finally:
        parsed.close()
    if not understood and not report.rejected:
        raise OverbudgetError(_why_nothing(report))


def _batch_of(piece: bytes, table: pa.Table | None, report: FileReport) -> tuple[SpanBatch | None, bool]:
    """The spans of a piece, and whether it held any record of traces."""
    from ingest.json_spans import NotCanonical, flatten

    if table is not None:
        attempt = FileReport(report.source)
        try:
            batch = flatten(table, attempt)
            report.absorb(attempt)
            return batch, batch.spans.num_rows > 0
        except NotCanonical:
            pass
    from ingest.odd_json import canonical

    rewritten, records = canonical(piece, report)
    if not rewritten:
        return None, records > 0
    table, _ = _parse(rewritten, Dialect())
    assert table is not None, "rewritten records are canonical"
    return flatten(table, report), records > 0


def _parsed(stream: BinaryIO, report: FileReport) -> Iterator[tuple[bytes, pa.Table | None]]:
    dialect = Dialect()
    for piece in pieces(stream, report):
        if not piece.isascii():
            piece = _valid_utf8(piece, report)
        table, dialect = _parse(piece, dialect)
        yield piece, table


def _why_nothing(report: FileReport) -> str:
    warnings = report.warnings
    if "other_signals" in warnings:
        return f"{report.source} holds metrics or logs, and no traces."
    for code, words in (
        ("cut_off", "ends before its first span is complete"),
        ("unreadable_record", "is not OTLP JSON"),
    ):
        if code in warnings:
            return f"{report.source} {words}: {warnings[code].example.rstrip('.')}."
    return f"{report.source} holds no spans."


def _valid_utf8(piece: bytes, report: FileReport) -> bytes:
    try:
        piece.decode()
    except UnicodeDecodeError as error:
        report.warn("invalid_utf8", f"{error.reason} at byte {error.start} of a piece; shown as U+FFFD")
        return piece.decode("utf-8", "replace").encode()
    return piece


def _parse(piece: bytes, dialect: Dialect) -> tuple[pa.Table | None, Dialect]:
    """The piece as a nested table, and the dialect that worked; None where neither did."""
    ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == 10)
    longest = int(np.diff(ends, prepend=-1, append=len(piece)).max()) if len(ends) else len(piece)
    options = pj.ReadOptions(block_size=max(BLOCK, longest + 1), use_threads=True)
    for attempt in _attempts(piece, dialect):
        try:
            parse = pj.ParseOptions(explicit_schema=_schema(attempt), unexpected_field_behavior="ignore")
            return pj.read_json(pa.BufferReader(piece), read_options=options, parse_options=parse), attempt
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return None, dialect


def _attempts(piece: bytes, dialect: Dialect) -> Iterator[Dialect]:
    """The dialect that worked last, and where it fails what the piece's first spans look like."""
    yield dialect
    if (other := _sniff(piece, dialect)) != dialect:
        yield other


def _sniff(piece: bytes, fallback: Dialect) -> Dialect:
    """How the first spans of a piece write 64-bit integers."""
    try:
        record = orjson.loads(piece[: piece.find(b"\n") + 1 or None])
        found: dict[str, Any] = {}
        for scope in (s for r in record["resourceSpans"] for s in [{"spans": [r["resource"]]}, *r["scopeSpans"]]):
            for span in scope["spans"][:50]:
                found.setdefault("time", span.get("startTimeUnixNano"))
                for attribute in span.get("attributes", ()):
                    if "intValue" in attribute.get("value", ()):
                        found.setdefault("int", attribute["value"]["intValue"])
                found = {key: value for key, value in found.items() if value is not None}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return fallback
    return Dialect(isinstance(found.get("time"), int), isinstance(found.get("int"), int))


@cache
def _schema(dialect: Dialect) -> pa.Schema:
    """What canonical OTLP/JSON looks like, with probes for what it does not (see json_spans.PROBES)."""
    text, whole = pa.string(), pa.int64()
    integer = whole if dialect.number_ints else text
    time = whole if dialect.number_times else text
    named = pa.list_(pa.struct([("key", text)]))
    scalar = [
        ("stringValue", text),
        ("intValue", integer),
        ("boolValue", pa.bool_()),
        ("doubleValue", pa.float64()),
        ("bytesValue", text),
    ]
    kvlist = ("kvlistValue", pa.struct([("values", named)]))
    inner = pa.struct([*scalar, kvlist, ("arrayValue", pa.struct([("values", named)]))])
    snake = [("string_value", text), ("int_value", text), ("bool_value", pa.bool_()), ("double_value", pa.float64())]
    value = pa.struct([*scalar, kvlist, ("arrayValue", pa.struct([("values", pa.list_(inner))])), *snake])
    attributes = pa.list_(pa.struct([("key", text), ("value", value)]))
    event = pa.struct(
        [
            ("timeUnixNano", time),
            ("name", text),
            ("attributes", attributes),
            ("droppedAttributesCount", whole),
            ("time_unix_nano", text),
        ]
    )
    link = pa.struct(
        [
            ("traceId", text),
            ("spanId", text),
            ("traceState", text),
            ("flags", whole),
            ("attributes", attributes),
            ("droppedAttributesCount", whole),
            ("trace_id", text),
        ]
    )
    span = pa.struct(
        [
            *((name, text) for name in ("traceId", "spanId", "parentSpanId", "traceState", "name")),
            ("startTimeUnixNano", time), ("endTimeUnixNano", time), ("flags", whole), ("kind", whole),
            ("attributes", attributes), ("events", pa.list_(event)), ("links", pa.list_(link)),
            ("status", pa.struct([("code", whole), ("message", text)])),
            *((f"dropped{what}Count", whole) for what in ("Attributes", "Events", "Links")),
            *((name, text) for name in ("trace_id", "span_id", "start_time_unix_nano", "parent_span_id")),
        ]
    )  # fmt: skip
    scope = pa.struct([("name", text), ("version", text), ("attributes", attributes)])
    other = pa.list_(pa.struct([("schemaUrl", text)]))
    scope_spans = pa.struct([("scope", scope), ("spans", pa.list_(span)), ("schemaUrl", text), ("schema_url", text)])
    resource_spans = pa.struct(
        [
            ("resource", pa.struct([("attributes", attributes)])), ("scopeSpans", pa.list_(scope_spans)), ("schemaUrl", text),
            *((name, other) for name in ("scope_spans", "deprecatedScopeSpans", "instrumentationLibrarySpans", "instrumentation_library_spans")),
        ]
    )  # fmt: skip
    probes = (
        "resource_spans",
        "batches",
        "data",
        "spans",
        "resourceMetrics",
        "resourceLogs",
        "resource_metrics",
        "resource_logs",
    )
    return pa.schema(
        [
            ("resourceSpans", pa.list_(resource_spans)),
            *((name, other) for name in probes),
            ("trace", pa.struct([("schemaUrl", text)])),
            ("result", pa.struct([("schemaUrl", text)])),
            ("error", pa.struct([("message", text)])),
        ]
    )

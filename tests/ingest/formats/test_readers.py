"""What the readers yield is what protobuf's own messages hold, in both encodings, every framing and compression."""

import gzip
import io
import json
import struct
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.files.source import Dump
from overbudget.ingest.formats.protobuf.wire import as_varint
from overbudget.ingest.formats.read import read_dump
from overbudget.ingest.report import FileReport
from tests.ingest.formats.otlp_documents import STYLES, Style, expected_rows, messages, same

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

QUICK = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
CANONICAL = Style(snake_case=False, numbers=False, ascii_only=False, indent=None, extras=False)


def read(folder: Path, data: bytes) -> list[dict[str, Any]]:
    """The spans of a dump, in the form of `expected_rows`."""
    path = folder / "dump"
    path.write_bytes(data)
    report = FileReport(str(path))
    return [row for batch in read_dump(Dump(str(path), named=True), report) for row in rows_of(batch)]


def rows_of(batch: SpanBatch) -> list[dict[str, Any]]:
    resources, scopes = batch.resources.to_pylist(), batch.scopes.to_pylist()
    events, links = batch.events.to_pylist(), batch.links.to_pylist()
    rows = []
    for number, span in enumerate(batch.spans.to_pylist()):
        resource, scope = resources[span["resource"]], scopes[span["scope"]]
        rows.append(
            {
                "resource": [attributes(resource), resource["schema_url"]],
                "scope": [scope["name"], scope["version"], attributes(scope), scope["schema_url"]],
                "ids": [span["trace_id"], span["span_id"], span["parent_span_id"]],
                "times": [span["start_ns"], span["end_ns"]],
                "texts": [span["name"], span["trace_state"], span["status_message"]],
                "numbers": [
                    span["flags"],
                    *(span[f"dropped_{what}_count"] for what in ("attributes", "events", "links")),
                ],
                "kind": span["kind"],
                "status": span["status_code"],
                "attributes": attributes(span),
                "events": [
                    [event["time_ns"], event["name"], attributes(event), event["dropped_attributes_count"]]
                    for event in events
                    if event["span"] == number
                ],
                "links": [
                    [
                        link["linked_trace_id"],
                        link["linked_span_id"],
                        link["trace_state"],
                        link["flags"],
                        attributes(link),
                    ]
                    for link in links
                    if link["span"] == number
                ],
            }
        )
    return rows


def attributes(holder: dict[str, Any]) -> dict[str, Any]:
    return {entry["key"]: entry["value"] for entry in holder["attributes"]}


def assert_same(found: list[dict[str, Any]], message: TracesData) -> None:
    expected = expected_rows(message)
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        for name in wanted:
            assert same(row[name], wanted[name]), (name, row[name], wanted[name])


def with_a_span(message: TracesData) -> TracesData:
    """The message and a span more: a dump without any is refused, which is not what is tested here."""
    more = TracesData()
    more.CopyFrom(message)
    span = more.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.start_time_unix_nano = b"\1" * 16, b"\2" * 8, 1
    return more


@QUICK
@given(message=messages())
def test_protobuf_is_read_as_protobuf_itself_reads_it(message: TracesData, tmp_path: Path) -> None:
    message = with_a_span(message)
    assert_same(read(tmp_path, message.SerializeToString()), message)


@QUICK
@given(message=messages(), style=STYLES)
def test_json_of_every_style_holds_the_spans_of_the_message(message: TracesData, style: Style, tmp_path: Path) -> None:
    message = with_a_span(message)
    assert_same(read(tmp_path, style.document(message).encode()), message)


SPAN = {
    "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174", "name": "work",
    "startTimeUnixNano": "1700000000000000000",
}  # fmt: skip


def document(**fields: Any) -> str:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, **fields}]}]}]})


def test_escapes_are_resolved(tmp_path: Path) -> None:
    text = document(name="NAME").replace('"NAME"', r'"\"\\\/\b\f\n\r\t\u0041\u00e9\u4e2d\uD83D\ude00, plain"')
    (row,) = read(tmp_path, text.encode())
    assert row["texts"][0] == '"\\/\b\f\n\r\tAé中😀, plain'


@pytest.mark.parametrize("half", [r"\ud83d", r"\ude00"])
def test_half_a_character_costs_itself(half: str, tmp_path: Path) -> None:
    dump = document(name="aNAMEz").replace("NAME", half) + "\n" + document(name="fine") + "\n"
    assert [row["texts"][0] for row in read(tmp_path, dump.encode())] == ["a\ufffdz", "fine"]


@pytest.mark.parametrize("broken", [r"\x41", r"\u12g4", "\n"])
def test_a_record_with_a_broken_escape_is_left_out_and_the_next_is_read(broken: str, tmp_path: Path) -> None:
    dump = document(name="NAME").replace("NAME", broken) + "\n" + document(name="fine") + "\n"
    assert [row["texts"][0] for row in read(tmp_path, dump.encode())] == ["fine"]


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({"doubleValue": 1}, "1.0"), ({"doubleValue": 0.1}, "0.1"), ({"doubleValue": 1e300}, "1e+300"),
        ({"doubleValue": "NaN"}, "NaN"), ({"doubleValue": "-Infinity"}, "-Infinity"), ({"intValue": "007"}, "7"),
        ({"intValue": -5}, "-5"), ({"boolValue": False}, "false"), ({"bytesValue": "AP8="}, "AP8="),
        ({"bytesValue": "AP8"}, "AP8="), ({"arrayValue": {}}, "[]"), (None, None), ({}, None), ({"stringValue": ""}, ""),
        ({"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}, {"doubleValue": 0.5}]}}, '["a",1,0.5]'),
        ({"arrayValue": {"values": [{"stringValue": 'a"b'}, {}]}}, '["a\\"b",null]'),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": True}}]}}, '{"a":true}'),
    ],
)  # fmt: skip
def test_a_value_is_stored_as_text(value: Any, stored: str | None, tmp_path: Path) -> None:
    (row,) = read(tmp_path, document(attributes=[{"key": "k", "value": value}]).encode())
    assert row["attributes"] == {"k": stored}


def test_of_a_repeated_key_the_last_counts(tmp_path: Path) -> None:
    twice = [{"key": "k", "value": {"intValue": "1"}}, {"key": "k", "value": {"intValue": "2"}}]
    (row,) = read(tmp_path, document(attributes=twice).encode())
    assert row["attributes"] == {"k": "2"}


def test_columns_grow_with_what_a_piece_holds(tmp_path: Path) -> None:
    spans = [{**SPAN, "spanId": f"{i + 1:016x}", "name": f"name {i}"} for i in range(60_000)]
    dump = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    assert [row["texts"][0] for row in read(tmp_path, dump)] == [span["name"] for span in spans]


def spans_of(count: int) -> TracesData:
    message = TracesData()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    for number in range(count):
        span = resource.scope_spans.add().spans.add(name=f"span {number}", start_time_unix_nano=1 + number)
        span.trace_id, span.span_id = b"\1" * 16, (number + 1).to_bytes(8, "big")
    return message


MANY, ONE = spans_of(5), spans_of(1)
FRAMINGS = {
    "one object": [CANONICAL.document(MANY)],
    "pretty-printed": [Style(False, False, False, 2, False).document(MANY)],
    "JSON lines": [CANONICAL.document(MANY) + "\n", CANONICAL.document(ONE) + "\n"],
    "JSON lines, Windows": [CANONICAL.document(MANY) + "\r\n", CANONICAL.document(ONE)],
    "an array": ["[", CANONICAL.document(MANY), ", ", CANONICAL.document(ONE), "]"],
    "concatenated": [CANONICAL.document(MANY), CANONICAL.document(ONE)],
    "with a byte-order mark": ["\ufeff", CANONICAL.document(MANY)],
    "a bare message": [MANY.SerializeToString()],
    "length prefixes": [
        struct.pack(">I", len(data)) + data for data in (MANY.SerializeToString(), ONE.SerializeToString())
    ],
    "varint-delimited": [as_varint(len(data)) + data for data in (MANY.SerializeToString(), ONE.SerializeToString())],
}


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", data)
    return out.getvalue()


def tarred(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("inside")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


COMPRESSIONS = {"plain": bytes, "gzip": gzip.compress, "zstd": zstd.compress, "zip": zipped, "tar": tarred}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_every_framing_and_compression_is_recognised_from_the_content(
    framing: str, compression: str, tmp_path: Path
) -> None:
    parts = FRAMINGS[framing]
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    names = [row["texts"][0] for row in read(tmp_path, COMPRESSIONS[compression](data))]
    documents = sum(len(part) > 10 for part in parts)
    assert names == [f"span {number}" for number in range(5)] + ["span 0"] * (documents - 1)

"""The JSON kernel and the general reader make the same of whatever the kernel understands."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.formats.json.dialects import records
from overbudget.ingest.formats.json.kernel import scan
from overbudget.ingest.formats.json.rows import columns_of
from overbudget.ingest.formats.json.text import field
from overbudget.ingest.formats.kernel_reader import KernelReader, batch_of_columns
from overbudget.ingest.report import FileReport
from tests.ingest.formats.otlp_documents import TEXT, Style, messages

SAMPLES = Path(__file__).parents[3] / "sample_traces" / "dumps"
KERNEL = KernelReader(scan)


def rows(batch: SpanBatch) -> list[list[dict[str, Any]]]:
    return [table.to_pylist() for table in (batch.spans, batch.resources, batch.scopes, batch.events, batch.links)]


def counts(report: FileReport) -> tuple[int, dict[str, int]]:
    """What was reported; how often keys repeat is not counted in spans that are rejected anyway."""
    return report.rejected, {code: warning.count for code, warning in report.warnings.items() if code != "repeated_key"}


def check(piece: bytes) -> bool:
    """Whether the kernel understands the piece; then both readers must make the same of it."""
    by_kernel, generally = FileReport("dump"), FileReport("dump")
    expected = KERNEL.batch_of([piece], by_kernel)
    if expected is None:
        return False
    found = list(records(piece, generally))
    batch = batch_of_columns(columns_of(one for record in found for one in record), generally)
    assert rows(batch) == rows(expected)
    assert counts(generally) == counts(by_kernel)
    return True


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.jsonl.gz")), ids=lambda path: path.name.split(".")[0])
def test_they_agree_on_every_sample(path: Path) -> None:
    text = gzip.decompress(path.read_bytes())
    assert check(text[: text.rfind(b"\n", 0, 4_000_000) + 1])


STYLES = st.builds(Style, st.just(False), st.booleans(), st.booleans(), st.none(), st.booleans())


@settings(max_examples=300)
@given(messages(), STYLES)
def test_they_agree_on_documents_of_exporters(message: Any, style: Style) -> None:
    check(style.document(message).encode())


NUMBERS = st.sampled_from(
    ["0", "-0", "1", "007", "1.0", "1.", ".5", "+1", "-", "1e5", "1E-7", "0.00001", "1e-05", "1e22", "1e400", "5e-324",
     "0.1", "-0.0", "123456789012345678901", "9223372036854775807", "9223372036854775808", "18446744073709551615",
     "18446744073709551616", "1e", "1e+", "--1", "0x1", "NaN", "Infinity", "1.50", "100000000000000000.0", "1e16"]
)  # fmt: skip
STRINGS = st.sampled_from(
    ['""', '"a"', '"00"', '"AAAA"', '"AA=="', '"AB=="', '"AAA="', '"A==="', '"!!!!"', '"A-_A"', '"\\u00e9"', '"\\ud83d\\ude00"',
     '"\\ud800"', '"\\x"', '"\\u12"', '"5"', '"-7"', '"1.0"', '" 5"', '"é"', '"' + "0" * 32 + '"', '"' + "0" * 31 + '1"',
     '"' + "AB" * 8 + '"', '"' + "a" * 24 + '"', '"' + "a" * 12 + '"', '"zz"', '"a\tb"', '"\x7f"']
)  # fmt: skip
OTHERS = st.sampled_from(["null", "true", "false", "[]", "{}", "[null]", "tru", "[1,]", "{,}", "[1 2]", "{\"a\" 1}", "{\"a\":1,}",
                          "[,1]", "{\"a\":}", "[[[]]]", "{\"a\":{\"b\":[1,\"x\",{}]}}", "]", "}", "", "[}", "nul"])  # fmt: skip
WORDS = st.one_of(NUMBERS, STRINGS, OTHERS)
FIELDS = {
    "SPAN": ["traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "traceState", "flags",
             "droppedAttributesCount", "unknown", "status", "attributes", "events", "links"],
    "VALUE": ["stringValue", "intValue", "boolValue", "doubleValue", "bytesValue", "arrayValue", "unknown"],
    "EVENT": ["timeUnixNano", "name", "attributes", "droppedAttributesCount", "unknown"],
    "LINK": ["traceId", "spanId", "traceState", "flags", "unknown"],
    "STATUS": ["code", "message", "unknown"],
}  # fmt: skip


@st.composite
def odd_document(draw: st.DrawFn) -> str:
    """A sound document with one or two odd values put in, somewhere."""
    value: dict[str, Any] = {draw(st.sampled_from(FIELDS["VALUE"])): "@0"}
    span: dict[str, Any] = {
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "startTimeUnixNano": "5",
        "name": "n", "endTimeUnixNano": 7, "attributes": [{"key": "k", "value": value}],
    }  # fmt: skip
    place = draw(st.sampled_from([*FIELDS, "ITEM", "RECORD", "RESOURCE", "SCOPE"]))
    resource: dict[str, Any] = {"resource": {"attributes": []}, "scopeSpans": []}
    scope: dict[str, Any] = {
        "scope": {"name": "s"},
        "spans": [span, {**span, "spanId": "b7ad6b7169203332", "attributes": []}],
    }
    resource["scopeSpans"].append(scope)
    record: dict[str, Any] = {"resourceSpans": [resource]}
    if place == "SPAN":
        span[draw(st.sampled_from(FIELDS["SPAN"]))] = "@1"
    elif place == "EVENT":
        span["events"] = [{"timeUnixNano": 6, draw(st.sampled_from(FIELDS["EVENT"])): "@1"}]
    elif place == "LINK":
        span["links"] = [{draw(st.sampled_from(FIELDS["LINK"])): "@1"}]
    elif place == "STATUS":
        span["status"] = {draw(st.sampled_from(FIELDS["STATUS"])): "@1"}
    elif place == "ITEM":
        span["attributes"].append({"key": "list", "value": {"arrayValue": {"values": [
            {"intValue": 1}, {draw(st.sampled_from(FIELDS["VALUE"])): "@1"}]}}})  # fmt: skip
    elif place == "VALUE":
        span["attributes"].append({"key": draw(st.sampled_from(["k", "l"])), "value": "@1"})
    else:
        {"RECORD": record, "RESOURCE": resource, "SCOPE": scope}[place][
            draw(st.sampled_from(["unknown", "schemaUrl", "resource", "scope", "spans", "scopeSpans", "resourceLogs"]))
        ] = "@1"
    text = json.dumps(record, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])))
    return text.replace('"@0"', draw(st.one_of(st.just('"x"'), WORDS))).replace('"@1"', draw(WORDS))


@settings(max_examples=2_000)
@given(odd_document())
def test_they_agree_on_odd_values_anywhere(document: str) -> None:
    check(document.encode("utf-8", "replace"))


@pytest.mark.parametrize("name", ["startTimeUnixNano", "droppedAttributesCount", "resourceSpans", "parentSpanId", "resourceMetrics",
                                  "instrumentationLibrarySpans", "instrumentation_library_spans", "dropped_attributes_count"])  # fmt: skip
def test_a_name_that_differs_in_one_letter_is_another_name(name: str) -> None:
    codes = {int(field(name[:at] + "5" + name[at + 1 :])) for at in range(len(name))} | {int(field(name))}
    assert len(codes) == len(name) + 1


@pytest.mark.parametrize(
    "name", ["startTimeUnixNano", "endTimeUnixNano", "droppedAttributesCount", "parentSpanId", "traceState"]
)
def test_a_field_whose_name_differs_in_one_letter_is_passed_over(name: str) -> None:
    span = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "startTimeUnixNano": 5, "name": "n",
            "endTimeUnixNano": 7, "droppedAttributesCount": 3, "parentSpanId": "b7ad6b7169203332", "traceState": "a=b"}  # fmt: skip
    for at in range(len(name)):
        document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        assert check(json.dumps(document).replace(f'"{name}"', f'"{name[:at]}5{name[at + 1 :]}"').encode())


@settings(max_examples=300)
@given(messages(), STYLES, st.data())
def test_they_agree_on_what_is_cut_off(message: Any, style: Style, data: st.DataObject) -> None:
    text = style.document(message)
    check(text[: data.draw(st.integers(0, len(text)))].encode())


@settings(max_examples=300)
@given(TEXT, TEXT, st.floats())
def test_they_agree_on_names_and_doubles(name: str, key: str, number: float) -> None:
    span = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "startTimeUnixNano": 5, "name": name,
            "attributes": [{"key": key, "value": {"doubleValue": number}}, {"key": "é", "value": {"stringValue": name}}]}  # fmt: skip
    for ascii_only in (True, False):
        document = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}, ensure_ascii=ascii_only)
        check(document.encode("utf-8", "replace"))

"""A wrong value at any place of a document of any dialect costs what it spoils: what stands beside it is read."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overbudget.ingest.formats.json.dialects import records
from overbudget.ingest.formats.json.rows import columns_of
from overbudget.ingest.formats.kernel_reader import batch_of_columns
from overbudget.ingest.report import FileReport
from overbudget.ingest.warnings import WARNINGS
from scripts.torture.records import changed
from scripts.torture.shapes import places

T = 1_764_000_000_000_000


def deep(levels: int) -> Any:
    value: Any = 5
    for _ in range(levels):
        value = {"arrayValue": {"values": [value]}}
    return value


WRONG: list[Any] = [
    None, 5, -1, 1.5, True, "", "x", "é", "\x00", "\ud800", [], {}, [5], ["x"], [None], {"a": 1}, [[]], [{}], [{"key": 5}],
    [{"key": ["a"], "value": {"b": 1}}], {"values": 5}, {"stringValue": []}, 10**40, float("nan"), float("inf"), -1e308, 2**64,
    2**63 - 1, "9" * 30, "2025-01-01T00:00:00Z", deep(40), deep(60), deep(300),
]  # fmt: skip
KEY = [{"key": "k", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"kvlistValue": {"values": []}}]}}}]


def otlp_span(number: int) -> dict[str, Any]:
    return {
        "traceId": f"{number:032x}", "spanId": f"{number:016x}", "parentSpanId": "", "name": "n", "kind": 2,
        "startTimeUnixNano": f"{T}000", "endTimeUnixNano": f"{T}900", "attributes": KEY, "status": {"code": 2, "message": "m"},
        "events": [{"timeUnixNano": f"{T}100", "name": "e", "attributes": KEY}],
        "links": [{"traceId": f"{7:032x}", "spanId": f"{7:016x}", "attributes": KEY}], "flags": 1, "traceState": "a=b",
    }  # fmt: skip


def resource_spans(number: int) -> dict[str, Any]:
    return {
        "resource": {"attributes": KEY},
        "scopeSpans": [{"scope": {"name": "s", "version": "1"}, "spans": [otlp_span(number)]}],
    }


def jaeger_trace(number: int) -> dict[str, Any]:
    tags = [{"key": "span.kind", "type": "string", "value": "server"}, {"key": "n", "type": "int64", "value": 5},
            {"key": "error", "type": "bool", "value": True}, {"key": "b", "type": "binary", "value": "AA=="}]  # fmt: skip
    span = {
        "traceID": f"{number:x}", "spanID": f"{number:x}", "operationName": "n", "startTime": T, "duration": 9, "processID": "p1",
        "references": [{"refType": "CHILD_OF", "traceID": f"{number:x}", "spanID": "9"}], "tags": tags, "warnings": None,
        "logs": [{"timestamp": T, "fields": [{"key": "event", "type": "string", "value": "e"}, *tags]}],
    }  # fmt: skip
    return {"traceID": f"{number:x}", "spans": [span], "processes": {"p1": {"serviceName": "s", "tags": tags}}}


def in_base64(one: dict[str, Any]) -> dict[str, Any]:
    for span in one["scopeSpans"][0]["spans"]:
        span.update({key: base64.b64encode(bytes.fromhex(span[key])).decode() for key in ("traceId", "spanId")})
        span["kind"], span["status"] = "SPAN_KIND_SERVER", {"code": "STATUS_CODE_ERROR"}
    return one


DIALECTS: dict[str, Any] = {
    "otlp": {"resourceSpans": [resource_spans(1), resource_spans(2)]},
    "tempo 1": {"batches": [in_base64(resource_spans(1)), in_base64(resource_spans(2))]},
    "tempo 2": {"trace": {"resourceSpans": [in_base64(resource_spans(1)), resource_spans(2)]}, "status": "PARTIAL", "message": "m"},
    "jaeger": {"data": [jaeger_trace(1), jaeger_trace(2)], "total": 0, "errors": None},
    "jaeger, one trace": jaeger_trace(1),
    "jaeger 3": {"result": {"resourceSpans": [resource_spans(1), resource_spans(2)]}},
    "old": {"resourceSpans": [{"instrumentationLibrarySpans": [{"instrumentationLibrary": {"name": "l"}, "spans": [otlp_span(1)]}]}]},
}  # fmt: skip
DIALECTS = json.loads(json.dumps(DIALECTS))  # nothing in it is anything else in it
SECOND = f"{2:016x}"
BESIDE = f"{0xAA:016x}"
OTHER = json.dumps({"resourceSpans": [resource_spans(0xAA)]})


def read(*documents: Any) -> tuple[list[str], FileReport]:
    """The ids of the spans in documents and in the record after them, by the general reader."""
    report = FileReport("dump")
    lines = "\n".join([*map(json.dumps, documents), OTHER])
    found = records(lines.encode(), report)
    batch = batch_of_columns(columns_of(one for spans in found for one in spans), report)
    assert all(warning.example.isprintable() and code in WARNINGS for code, warning in report.warnings.items())
    return batch.spans["span_id"].to_pylist(), report


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_wrong_value_at_any_place_costs_what_it_spoils(dialect: str) -> None:
    document = DIALECTS[dialect]
    for place in places(document):
        ids, _ = read(*(changed(document, place, wrong) for wrong in WRONG))
        assert ids[-1] == BESIDE, place
        if len(place) > 2 and place[1] == 0 and SECOND in read(document)[0]:  # in the first of two: the second is read
            assert ids.count(SECOND) >= len(WRONG), place


@pytest.mark.parametrize(("place", "code"), [
    (("attributes", 0), "unreadable_attribute"), (("attributes", 0, "value"), "unreadable_attribute"),
    (("attributes",), "unreadable_attribute"), (("events", 0), "unreadable_event"), (("events",), "unreadable_event"),
    (("events", 0, "timeUnixNano"), "unreadable_event"), (("links", 0), "unreadable_link"), (("links",), "unreadable_link"),
    (("links", 0, "flags"), "unreadable_link"), (("events", 0, "attributes"), "unreadable_attribute"),
])  # fmt: skip
def test_an_attribute_an_event_or_a_link_that_cannot_be_read_leaves_its_span(place: tuple[Any, ...], code: str) -> None:
    path = ("resourceSpans", 0, "scopeSpans", 0, "spans", 0, *place)
    ids, report = read(changed(DIALECTS["otlp"], path, "x"))
    assert ids == [f"{1:016x}", f"{2:016x}", BESIDE]
    assert (report.rejected, {code: warning.count for code, warning in report.warnings.items()}) == (0, {code: 1})


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_two_wrong_values_in_any_dialect_cost_what_they_spoil(data: st.DataObject) -> None:
    document = DIALECTS[data.draw(st.sampled_from(sorted(DIALECTS)))]
    for _ in range(2):
        document = changed(document, data.draw(st.sampled_from(places(document))), data.draw(st.sampled_from(WRONG)))
    assert BESIDE in read(document)[0]


def test_lists_are_followed_as_deep_as_protobuf_follows_them() -> None:
    path = ("resourceSpans", 0, "scopeSpans", 0, "spans", 0, "attributes", 0, "value")
    assert read(changed(DIALECTS["otlp"], path, {"stringValue": "x"}))[1].warnings == {}
    for levels, told in ((50, set()), (51, {"unreadable_attribute"})):
        value: Any = {"intValue": 5}
        for _ in range(levels):
            value = {"arrayValue": {"values": [value]}}
        assert set(read(changed(DIALECTS["otlp"], path, value))[1].warnings) == told

"""The decoding cases that were checked against the collector's own decoder, where they are at hand.

They are no part of the project (conftest.py leaves this module out without them); test_readers.py states the same facts anew.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from overbudget.ingest.files.source import Dump
from overbudget.ingest.formats.read import read_dump
from overbudget.ingest.report import FileReport
from overbudget.store.errors import OverbudgetError

CASES = Path(__file__).parents[4] / "shared" / "conformance" / "otlp_cases.json"
LOADED = json.loads(CASES.read_text())


def keepable(span: dict[str, Any]) -> bool:
    """A span without ids or start is rejected and counted. After 2262 no start fits TIMESTAMP_NS."""
    return bool(span["trace_id"] and span["span_id"] and 0 < span["start_ns"] < 2**63)


LENIENT = {  # an error to the collector, and readable: the references differ
    "id/odd length hex", "id/wrong length (8-byte trace id)",
    "int64/time exponent number 1.5e18", "int64/time as float text \"1.0\"", "enum/kind bare name \"server\"",
    "enum/kind numeric string \"2\"", "anyvalue/bytes without padding", "anyvalue/bytes not base64",
}  # fmt: skip


def text(value: Any) -> str | None:
    """An expected value as it is stored."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) and set(value) == {"$double"}:
        return str(value["$double"])
    if isinstance(value, dict) and set(value) == {"$bytes_b64"}:
        return str(value["$bytes_b64"])
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        return str(value)

    def plain(item: Any) -> Any:
        if isinstance(item, dict):
            return text(item) if set(item) in ({"$double"}, {"$bytes_b64"}) else {k: plain(v) for k, v in item.items()}
        return [plain(one) for one in item] if isinstance(item, list) else item

    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


def attributes(given: dict[str, Any]) -> dict[str, str | None]:
    return {key: text(value) for key, value in given.items()}


def flat(entries: list[dict[str, Any]]) -> dict[str, str | None]:
    return {entry["key"]: entry["value"] for entry in entries}


def decode(data: bytes, tmp: Path) -> tuple[list[dict[str, Any]], FileReport]:
    report = FileReport("case")
    out = []
    file = tmp / "case"
    file.write_bytes(data)
    for batch in read_dump(Dump(str(file), True), report):
        resources, scopes = batch.resources.to_pylist(), batch.scopes.to_pylist()
        events, links = batch.events.to_pylist(), batch.links.to_pylist()
        for number, span in enumerate(batch.spans.to_pylist()):
            resource, scope = resources[span["resource"]], scopes[span["scope"]]
            out.append(
                {
                    **{key: span[key] for key in ("trace_id", "span_id", "trace_state", "flags", "name", "status_message")},
                    "parent_span_id": span["parent_span_id"] or "",
                    "kind": span["kind"], "status_code": span["status_code"],
                    "start_ns": span["start_ns"], "end_ns": span["end_ns"] or 0,
                    "attributes": flat(span["attributes"]),
                    "resource": flat(resource["attributes"]), "resource_schema_url": resource["schema_url"],
                    "scope_name": scope["name"], "scope_version": scope["version"],
                    "scope_attributes": flat(scope["attributes"]), "scope_schema_url": scope["schema_url"],
                    **{f"dropped_{what}_count": span[f"dropped_{what}_count"] for what in ("attributes", "events", "links")},
                    "events": [
                        {"name": e["name"], "time_ns": e["time_ns"] or 0, "attributes": flat(e["attributes"]),
                         "dropped_attributes_count": e["dropped_attributes_count"]}
                        for e in events if e["span"] == number
                    ],
                    "links": [
                        {"trace_id": li["linked_trace_id"], "span_id": li["linked_span_id"], "trace_state": li["trace_state"],
                         "flags": li["flags"], "attributes": flat(li["attributes"]),
                         "dropped_attributes_count": li["dropped_attributes_count"]}
                        for li in links if li["span"] == number
                    ],
                }
            )  # fmt: skip
    return out, report


def expected(span: dict[str, Any]) -> dict[str, Any]:
    kinds = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
    codes = ["UNSET", "OK", "ERROR"]
    return {
        **span,
        "kind": kinds[span["kind"]] if span["kind"] < len(kinds) else str(span["kind"]),
        "status_code": codes[span["status_code"]] if span["status_code"] < len(codes) else str(span["status_code"]),
        **{key: attributes(span[key]) for key in ("attributes", "resource", "scope_attributes")},
        "events": [{**event, "attributes": attributes(event["attributes"])} for event in span["events"]],
        "links": [{**link, "attributes": attributes(link["attributes"])} for link in span["links"]],
    }


@pytest.mark.parametrize("case", LOADED["cases"], ids=lambda case: case["name"])
def test_case_decodes_as_the_collector_does(case: dict[str, Any], tmp_path: Path) -> None:
    data = case["input"].encode() if case["input_encoding"] == "text" else base64.b64decode(case["input"])
    if case["expected"] == "error":
        try:
            spans, report = decode(data, tmp_path)
        except OverbudgetError:
            return
        cost_itself = report.warnings.keys() & {"unreadable_attribute", "unreadable_event", "unreadable_link"}
        if case["name"].startswith("id/") and spans:  # any text is an id, and that it was one is told
            assert report.warnings["text_ids"].count
        assert case["name"] in LENIENT or cost_itself or (not spans and (report.rejected or report.warnings))
        return
    kept = [expected(span) for span in case["expected"] if keepable(span)]
    try:
        spans, report = decode(data, tmp_path)
    except OverbudgetError as error:
        assert not case["expected"], error
        return
    assert report.rejected == len(case["expected"]) - len(kept)
    for span in kept:  # an end that fits no timestamp is none
        span["end_ns"] = span["end_ns"] if span["end_ns"] < 2**63 else 0
    assert spans == kept

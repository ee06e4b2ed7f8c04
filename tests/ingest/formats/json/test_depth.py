"""A value nested deeper than any parser follows costs itself: the other spans of its document and their service are read."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbudget.ingest.files.source import Dump
from overbudget.ingest.formats.json.depth import DEEPEST, without_depths
from overbudget.ingest.formats.read import read_dump
from overbudget.ingest.report import FileReport
from scripts.torture.records import SOUND, changed

SERVICES = {"OTLP": {"s"}, "OTLP without its envelope": {"s"}, "Jaeger": {"s"}, "Langfuse": {"x"}, "MLflow": set()}
LEVELS = [300, 1_100, 3_000, 100_000]


def one_by_one(text: str) -> tuple[str, int]:
    """What is expected, a character at a time."""
    out, depth, count, in_string, escaped = [], 0, 0, False, False
    for character in text:
        if not in_string and character in "]}":
            depth -= 1
            if depth == DEEPEST:
                continue  # the end of what is left out
        if not in_string and character in "[{":
            depth += 1
            if depth == DEEPEST + 1:
                out.append("null")
                count += 1
        if depth <= DEEPEST:
            out.append(character)
        if escaped:
            escaped = False
        elif in_string and character == "\\":
            escaped = True
        elif character == '"':
            in_string = not in_string
    return "".join(out), count


@given(st.lists(st.sampled_from(["[", "]", '{"a":', "}", '"x[]{}"', r'"\"["', r'"\\"', r'"\\\"]"', "5", ",", '"é{"'])))
def test_what_is_left_out_is_what_stands_below_the_deepest_level(marks: list[str]) -> None:
    """Below so many levels that the marks reach both sides of the deepest."""
    text = "[" * (DEEPEST - 2) + "".join(marks)
    found, count = without_depths(text.encode())
    assert (found.decode(), count) == one_by_one(text)


def test_text_that_is_nested_less_is_the_same_object() -> None:
    for text in (b"", b"[" * DEEPEST, b'"' + b"[" * 1_000 + b'"', b"[]" * 1_000):
        assert without_depths(text) == (text, 0)


def read(text: str, folder: Path) -> tuple[list[str], set[str], FileReport]:
    """The names of the spans, and those of their services."""
    (folder / "dump").write_text(text + "\n")
    report = FileReport("dump")
    batches = list(read_dump(Dump(str(folder / "dump"), True), report))
    names = [name for batch in batches for name in batch.spans["name"].to_pylist()]
    resources = [one for batch in batches for one in batch.resources["attributes"].to_pylist()]
    return names, {pair["value"] for one in resources for pair in one if pair["key"] == "service.name"}, report


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize(
    ("form", "place", "told"),
    [
        ("OTLP", ("resourceSpans", 0, "scopeSpans", 0, "spans", 1, "unknown"), {}),
        ("OTLP", ("resourceSpans", 0, "scopeSpans", 0, "spans", 1, "attributes", 0, "value"), {"unreadable_attribute": 1}),
        ("OTLP without its envelope", ("scopeSpans", 0, "spans", 1, "attributes", 0, "value"), {"unreadable_attribute": 1}),
        ("Jaeger", ("data", 0, "spans", 1, "tags", 0, "value"), {"unreadable_attribute": 1, "text_ids": 9}),
        ("Langfuse", ("observations", 1, "output"), {"unreadable_attribute": 1}),
        ("MLflow", ("data", "spans", 1, "attributes", "c"), {"unreadable_attribute": 1}),
    ],
)  # fmt: skip
def test_a_deep_value_costs_itself(
    form: str, place: tuple[Any, ...], told: dict[str, int], levels: int, tmp_path: Path
) -> None:
    text = json.dumps(changed(SOUND[form]().document, place, "@deep@"))
    before, after = ('{"arrayValue":{"values":[', "]}}") if place[-1] == "value" and "OTLP" in form else ("[", "]")
    names, services, report = read(text.replace('"@deep@"', before * levels + after * levels), tmp_path)
    assert {"n1", "n2", "n3"} <= set(names)
    assert {code: warning.count for code, warning in report.warnings.items()} == told
    assert services == SERVICES[form]


def test_a_document_that_breaks_off_within_a_deep_value_keeps_the_spans_before_it(tmp_path: Path) -> None:
    text = json.dumps(
        changed(SOUND["OTLP"]().document, ("resourceSpans", 0, "scopeSpans", 0, "spans", 1, "x"), "@deep@")
    )
    names, _, report = read(text[: text.index('"@deep@"')] + "[" * 3_000, tmp_path)
    assert names == ["n1"]
    assert report.warnings.keys() & {"cut_off", "unreadable_record"}


def test_a_deep_value_beside_half_a_character_costs_no_more(tmp_path: Path) -> None:
    document = changed(SOUND["Langfuse"]().document, ("observations", 1, "output"), "@deep@")
    text = json.dumps(changed(document, ("observations", 2, "output"), "\ud83d")).replace(
        '"@deep@"', "[" * 900 + "]" * 900
    )
    names, _, report = read(text, tmp_path)
    assert set(names) == {"n1", "n2", "n3"}
    assert {code: warning.count for code, warning in report.warnings.items()} == {
        "unreadable_attribute": 1,
        "invalid_utf8": 1,
    }


def test_documents_of_a_format_are_recognised_behind_a_deep_first_one(tmp_path: Path) -> None:
    document = SOUND["MLflow"]().document
    deep = json.dumps(changed(document, ("data", "spans", 1, "attributes", "c"), "@deep@"))
    deep = deep.replace('"@deep@"', "[" * 3_000 + "]" * 3_000)
    names, _, report = read(f"{deep}\n{json.dumps(document)}", tmp_path)
    assert sorted(names) == ["n1", "n1", "n2", "n2", "n3", "n3"]
    assert report.format == "MLflow"


def test_an_evaluation_beside_a_deep_value_is_read(tmp_path: Path) -> None:
    log = {
        "eventName": "gen_ai.evaluation.result",
        "traceId": f"{1:032x}",
        "spanId": f"{1:016x}",
        "timeUnixNano": "5",
        "x": "@deep@",
    }
    logs = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}).replace(
        '"@deep@"', "[" * 3_000 + "]" * 3_000
    )
    (tmp_path / "dump").write_text(f"{json.dumps(SOUND['OTLP']().document)}\n{logs}\n")
    batches = list(read_dump(Dump(str(tmp_path / "dump"), True), report := FileReport("dump")))
    assert [one.span_id for batch in batches for one in batch.evaluations] == [f"{1:016x}"]
    assert report.warnings == {}

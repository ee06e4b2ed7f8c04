"""A value that cannot be read costs at most its span, also where one record is a whole trace or a page of spans."""

import json
from pathlib import Path
from typing import Any

import pytest

from overbudget.ingest.files.source import Dump
from overbudget.ingest.formats.exports.times import ns_of, ns_of_iso
from overbudget.ingest.formats.read import read_dump
from overbudget.ingest.report import FileReport
from overbudget.ingest.warnings import WARNINGS
from scripts.torture.records import SOUND, changed
from scripts.torture.shapes import places

DEEP = "@deep@"  # stands for a list of so many levels, which Python's own writer of JSON does not follow
WRONG: dict[str, Any] = {
    "a time after all that 64 bits hold": "9999-12-31T23:59:59Z", "a time before the year 1": "0001-01-01T00:00:00+23:59",
    "half of a character": "cut \ud83d", "a number of 41 digits beside NaN": {"a": 10**40, "b": float("nan")},
    "300 levels": f"{DEEP}300", "1,500 levels": f"{DEEP}1500", "an absurd double": 1e308, "a number of 400 digits": "9" * 400,
    "an exponent without end": "1e999999999", "null": None, "text": "x", "a list": [5], "an object": {"a": 1},
}  # fmt: skip


def text_of(document: Any) -> str:
    text = json.dumps(document)
    for levels in (300, 1500):
        text = text.replace(f'"{DEEP}{levels}"', "[" * levels + "]" * levels)
    return text


def read(text: str, folder: Path) -> tuple[list[str], FileReport]:
    (folder / "dump").write_text(text + "\n")
    report = FileReport("dump")
    batches = list(read_dump(Dump(str(folder / "dump"), True), report))
    assert all(warning.example.isprintable() and code in WARNINGS for code, warning in report.warnings.items())
    return [name for batch in batches for name in batch.spans["name"].to_pylist()], report


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("form", SOUND)
def test_a_wrong_value_at_any_place_of_a_span_costs_no_other(form: str, what: str, tmp_path: Path) -> None:
    sound = SOUND[form]()
    second = sound.spans[1]
    assert {"n1", "n2", "n3"} <= set(read(json.dumps(sound.document), tmp_path)[0])
    for place in [()] + [one[len(second) :] for one in places(sound.document) if one[: len(second)] == second]:
        names, report = read(text_of(changed(sound.document, (*second, *place), WRONG[what])), tmp_path)
        assert {"n1", "n3"} <= set(names), place
        if place == ():
            assert report.rejected == 1


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("a time after all that 64 bits hold", None),
        ("half of a character", "invalid_utf8"),
        ("300 levels", "unreadable_attribute"),
        ("1,500 levels", "unreadable_attribute"),
        ("a number of 41 digits beside NaN", None),
    ],
)
def test_a_value_that_json_cannot_hold_costs_its_attribute_and_is_told(
    what: str, code: str | None, tmp_path: Path
) -> None:
    for form, place in (
        ("Langfuse", ("observations", 1, "metadata", "k")),
        ("Langfuse, a page", ("data", 1, "output")),
        ("MLflow", ("data", "spans", 1, "attributes", "c")),
        ("LangSmith", ("runs", 1, "inputs", "messages")),
        ("Phoenix, a page", ("data", 1, "attributes", "llm", "model_name")),
        ("ClickHouse", ("data", 1, "SpanAttributes", "k")),
        ("Jaeger", ("data", 0, "spans", 1, "tags", 0, "value")),
    ):
        names, report = read(text_of(changed(SOUND[form]().document, place, WRONG[what])), tmp_path)
        assert {"n1", "n2", "n3"} <= set(names), form
        if code is not None:
            assert report.warnings[code].count == 1, form


@pytest.mark.parametrize("key", ["startTime", "endTime"])
def test_a_time_that_cannot_be_meant_costs_at_most_its_span(key: str, tmp_path: Path) -> None:
    far = "9999-12-31T23:59:59Z"
    names, report = read(json.dumps(changed(SOUND["Langfuse"]().document, ("observations", 1, key), far)), tmp_path)
    assert set(names) == ({"n1", "n3"} if key == "startTime" else {"n1", "n2", "n3"})
    assert report.warnings["bad_time"].count == 1
    assert report.rejected == (key == "startTime")


def test_a_trace_made_around_observations_ends_with_the_last_time_that_can_be_meant(tmp_path: Path) -> None:
    document = SOUND["Langfuse"]().document
    document = changed(document, ("observations", 1, "parentObservationId"), None)  # two roots: one span around them
    names, report = read(
        json.dumps(changed(document, ("observations", 1, "endTime"), "9999-12-31T23:59:59Z")), tmp_path
    )
    assert sorted(names) == ["n1", "n2", "n3", "t"]
    assert report.warnings["bad_time"].count == 1


@pytest.mark.parametrize("wrong", [None, {}, 5, "x", [5]], ids=str)
def test_a_trace_of_langfuse_that_is_none_leaves_its_observations(wrong: Any, tmp_path: Path) -> None:
    names, _ = read(json.dumps(changed(SOUND["Langfuse"]().document, ("trace",), wrong)), tmp_path)
    assert set(names) == {"n1", "n2", "n3"}


def test_a_column_of_phoenix_costs_the_row_that_it_spoils(tmp_path: Path) -> None:
    rows = SOUND["Phoenix, a page"]().document["data"]
    columns: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows):
        plain = {key: value for key, value in row.items() if key != "context"}
        for key, value in {**plain, **{f"context.{key}": value for key, value in row["context"].items()}}.items():
            columns.setdefault(key, {})[str(number)] = value
    for key in columns:
        for wrong in WRONG.values():
            names, _ = read(text_of(changed(columns, (key, "1"), wrong)), tmp_path)
            assert {"n1", "n3"} <= set(names), key


def test_rows_of_clickhouse_in_lines_show_half_a_character_as_otlp_does(tmp_path: Path) -> None:
    rows = SOUND["ClickHouse"]().document["data"]
    rows[1]["SpanAttributes"]["k"] = "cut \ud83d"
    names, report = read("\n".join(map(json.dumps, rows)), tmp_path)
    assert sorted(names) == ["n1", "n2", "n3"]
    assert {code: warning.count for code, warning in report.warnings.items()} == {"invalid_utf8": 1}


HEAD = "name,span_kind,parent_id,start_time,end_time,status_code,context.span_id,context.trace_id,events"


@pytest.mark.parametrize("levels", [60, 600, 900, 3_000, 100_000])
def test_a_deep_column_of_a_row_in_csv_costs_itself(levels: int, tmp_path: Path) -> None:
    rows = [
        f'n{number},LLM,,2026-11-01 10:00:00+00:00,2026-11-01 10:00:01+00:00,OK,{number:016x},{1:032x},"{events}"'
        for number, events in ((1, "[]"), (2, "[" * levels + "]" * levels), (3, "[]"))
    ]
    names, report = read("\n".join([HEAD, *rows]), tmp_path)
    assert sorted(names) == ["n1", "n2", "n3"]
    assert report.warnings.keys() <= {"unreadable_attribute"}
    assert levels < 3_000 or report.warnings["unreadable_attribute"].count == 1


@pytest.mark.parametrize("levels", [60, 600, 3_000, 100_000])
def test_a_deep_attribute_on_javascripts_console_costs_itself(levels: int, tmp_path: Path) -> None:
    spans = [
        f"{{\n  resource: {{ attributes: {{ 'service.name': 's' }} }},\n  traceId: '{1:032x}',\n  name: 'n{number}',\n"
        f"  id: '{number:016x}',\n  kind: 1,\n  timestamp: 1793527200000000,\n  duration: 5,\n"
        f"  attributes: {{ 'k': {'[' * deep + ']' * deep} }},\n  status: {{ code: 0 }},\n  events: [],\n  links: []\n}}"
        for number, deep in ((1, 1), (2, levels), (3, 1))
    ]
    names, report = read("\n".join(spans), tmp_path)
    assert sorted(names) == ["n1", "n2", "n3"]
    assert {code: warning.count for code, warning in report.warnings.items()} == (
        {} if levels == 60 else {"unreadable_attribute": 1}
    )


def test_a_time_is_told_without_counting_to_it() -> None:
    assert ns_of("1e999999999") == 2**63 - 1
    assert ns_of("-1e999999999") == -(2**63)
    assert ns_of_iso("9999-12-31T23:59:59Z") == 2**63 - 1
    assert ns_of_iso("0001-01-01T00:00:00+23:59") == -(2**63)
    assert ns_of_iso("1970-01-02T00:00:00+01:00") == 23 * 3600 * 10**9

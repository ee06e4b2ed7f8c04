"""Tool calls recorded beside the model call that waited for them become its children, where the dump shows whose they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from overbudget.analysis.health.audit import audit
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.analysis.health.test_audit import LLM, MS, START, span

TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "grep"}
ASKS_FOR_7 = {**LLM, "gen_ai.output.messages": '[{"parts": [{"type": "tool_call", "id": "call_7"}]}]'}
WITH_ID_7 = {**TOOL, "gen_ai.tool.call.id": "call_7"}


def parents(tmp_path: Path, *spans: dict[str, Any]) -> dict[str, str]:
    """The name of the span that each one is below, as analysis takes it."""
    (tmp_path / "d.json").write_text(
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one for one in spans if one.pop("service")]}]}]})
    )
    ingest([tmp_path / "d.json"], tmp_path / "d.duckdb")
    connection = open_dataset(tmp_path / "d.duckdb")
    rows = connection.execute(
        """SELECT a.name, b.name FROM data.tree t JOIN data.tree p ON p.node = t.parent
           JOIN operations a ON a.operation_id = t.operation_id JOIN operations b ON b.operation_id = p.operation_id"""
    ).fetchall()
    told = {problem.code: problem.count for problem in audit(connection).problems}
    warned = connection.execute(
        "SELECT w.code, w.count FROM (SELECT unnest(warnings) AS w FROM ingest_report)"
    ).fetchall()
    adopted = sum(name in ("grep", "read") and up in ("chat", "other") for name, up in rows)
    assert (told.get("adopted_tool", 0), dict(warned).get("adopted_tool", 0)) == (adopted, adopted)
    return dict(rows)


def turn(*below: dict[str, Any]) -> list[dict[str, Any]]:
    return [span(1, None, 0, 1_000, name="turn"), *below]


def chat(about: dict[str, str], start: int = 10, end: int = 900, number: int = 2, name: str = "chat") -> dict[str, Any]:
    return span(number, 1, start, end, name=name, about=about)


def grep(about: dict[str, str], start: int = 100, end: int = 700) -> dict[str, Any]:
    return span(9, 1, start, end, name="grep", about=about)


def test_the_call_whose_output_has_the_tools_id_has_it_as_a_child(tmp_path: Path) -> None:
    other = chat(LLM, 20, 990, 3, "other")
    assert parents(tmp_path, *turn(chat(ASKS_FOR_7), other, grep(WITH_ID_7)))["grep"] == "chat"


def test_a_call_whose_output_has_other_ids_does_not(tmp_path: Path) -> None:
    with_other_id = {**TOOL, "gen_ai.tool.call.id": "call_8"}
    assert parents(tmp_path, *turn(chat(ASKS_FOR_7), grep(with_other_id)))["grep"] == "turn"


@pytest.mark.parametrize(("start", "end", "parent"), [(10, 900, "chat"), (9, 900, "turn"), (10, 901, "turn")])
def test_only_a_call_that_encloses_the_tool_adopts_it(tmp_path: Path, start: int, end: int, parent: str) -> None:
    assert parents(tmp_path, *turn(chat(ASKS_FOR_7), grep(WITH_ID_7, start, end)))["grep"] == parent


def test_without_ids_the_only_call_that_overlaps_the_tool_adopts_it(tmp_path: Path) -> None:
    before = chat(LLM, 1, 100, 3, "other")  # ends as the tool starts
    assert parents(tmp_path, *turn(chat(LLM), before, grep(TOOL)))["grep"] == "chat"


def test_without_ids_two_calls_that_overlap_it_leave_it_where_it_is(tmp_path: Path) -> None:
    before = chat(LLM, 1, 101, 3, "other")
    assert parents(tmp_path, *turn(chat(LLM), before, grep(TOOL)))["grep"] == "turn"


@pytest.mark.parametrize(("at", "parent"), [(100, "chat"), (101, "turn")])
def test_without_ids_a_call_that_still_writes_after_the_tools_start_does_not(
    tmp_path: Path, at: int, parent: str
) -> None:
    call = chat(LLM)
    call["events"] = [{"name": "gen_ai.choice", "timeUnixNano": str(START + at * MS)}]
    assert parents(tmp_path, *turn(call, grep(TOOL)))["grep"] == parent


def test_an_adopted_tool_takes_its_time_from_the_call(tmp_path: Path) -> None:
    parents(tmp_path, *turn(chat(ASKS_FOR_7), grep(WITH_ID_7)))
    connection = open_dataset(tmp_path / "d.duckdb")
    found = connection.execute(
        "SELECT stage, sum(duration_ns) // 1000000 FROM critical_path GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert found == [("inference", 290), ("tools", 600), ("unattributed", 110)]

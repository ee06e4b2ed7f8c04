"""Spans without a stage on which something known is recorded: told, with the rule that gives them one."""

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.health.audit import audit
from overbudget.analysis.health.problem import Problem
from overbudget.analysis.health.unclassified import agents_without_calls, unclassified
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.review import review
from overbudget.app.html.report import review_html
from overbudget.app.text.audit import audit_blocks
from overbudget.app.text.markdown import markdown
from overbudget.app.text.terminal import text
from tests.span_dump import Span, dataset

TOOL = {"gen_ai.operation.name": "execute_tool"}


def requests(name: str, said: dict[str, Any], count: int = 3, inner: Span | None = None) -> list[list[Span]]:
    """Requests of 100 ms with a span of 80 ms that says something, and one below it."""
    spans = [Span("POST /chat", 0, 100, kind="server"), Span(name, 10, 90, "POST /chat", attributes=said)]
    return [spans + ([inner] if inner else [])] * count


def asked(path: Path, traces: list[list[Span]]) -> tuple[duckdb.DuckDBPyConnection, Problem]:
    connection = dataset(path / "d.duckdb", traces)
    return connection, unclassified(connection)


PARTLY = Span("call tool", 12, 20, "wrapper", attributes=TOOL)


def test_a_model_on_spans_without_a_stage_is_told_with_their_number(tmp_path: Path) -> None:
    _, found = asked(tmp_path, requests("wrapper", {"gen_ai.request.model": "mist"}, 412, PARTLY))
    assert found.count == 412
    assert found.means.startswith("412 spans carry `gen_ai.request.model` and no stage")
    assert re.fullmatch(r"trace [0-9a-f]{32}, span [0-9a-f]{16}", found.example)


@pytest.mark.parametrize(
    ("name", "said", "inner", "stage"),
    [
        ("wrapper", {"gen_ai.request.model": "mist"}, PARTLY, "inference"),
        ("wrapper", {"llm.usage.total_cost": "0.2"}, None, "inference"),
        ("step", {"gen_ai.operation.name": "summarise"}, None, "summarise"),
        ("step", {"openinference.span.kind": "MODERATION"}, None, "safety"),
        ("step", {"langfuse.observation.type": "weather lookup!"}, None, "weather_lookup"),
        ("lookup", {"tool.parameters": "{}"}, None, "tools"),
        ("fetch", {"retrieval.documents.0.document.content": "…"}, None, "retrieval"),
        ('say "hi" \\ {x}\x7f', {"llm.invocation_parameters": "{}"}, None, "inference"),
    ],
)
def test_pasting_the_rule_gives_the_spans_the_stage(
    name: str, said: dict[str, Any], inner: Span | None, stage: str, tmp_path: Path
) -> None:
    connection, found = asked(tmp_path, requests(name, said, 3, inner))
    assert found.count == 3
    assert found.rule is not None
    table = read_requests(connection, parse_budget(found.rule))
    took = 80 - (8 if inner else 0)
    assert table.stage_ns[:, table.stages.index(stage)].tolist() == [took * 1_000_000] * 3


def test_one_rule_holds_all_kinds_of_spans_and_only_those(tmp_path: Path) -> None:
    spans = [
        Span("POST /chat", 0, 80, kind="server"),
        Span("wrapper", 0, 20, "POST /chat", attributes={"llm.usage.total_cost": "0.2"}),
        Span("wrapper", 20, 40, "POST /chat", key="plain"),
        Span("wrapper", 40, 60, "POST /chat", key="other", service="db", attributes={"llm.usage.total_cost": "0.2"}),
        Span("lookup", 60, 80, "POST /chat", attributes={"tool.parameters": "{}"}),
    ]
    connection, found = asked(tmp_path, [spans] * 2)
    assert found.means.startswith("4 spans carry `llm.usage.total_cost`, 2 spans carry `tool.parameters` and no stage")
    assert found.services == ("api", "db")
    table = read_requests(connection, parse_budget(found.rule or ""))
    ms = {stage: int(table.stage_ns[0, place]) // 1_000_000 for place, stage in enumerate(table.stages)}
    assert (ms["inference"], ms["tools"], ms["unattributed"]) == (40, 20, 20)


@pytest.mark.parametrize(
    ("said", "inner"),
    [
        ({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}, None),  # classified
        ({"gen_ai.request.model": "mist"}, None),  # by presence
        ({"my.key": "1"}, None),  # nothing known
        ({"gen_ai.request.model": ""}, None),
        (
            {"gen_ai.request.model": "m"},
            Span("call tool", 10, 85, "wrapper", attributes=TOOL),
        ),  # a wrapper around its call
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, PARTLY),
    ],
)
def test_nothing_is_told_of_spans_that_have_a_stage_or_need_none(
    said: dict[str, Any], inner: Span | None, tmp_path: Path
) -> None:
    _, found = asked(tmp_path, requests("wrapper", said, 3, inner))
    assert (found.count, found.rule) == (0, None)


def test_every_place_shows_the_rule(tmp_path: Path) -> None:
    connection, found = asked(tmp_path, requests("wrapper", {"llm.usage.total_cost": "<0.2>"}, 40))
    whole = audit(connection)
    assert found.rule is not None
    assert found in whole.problems
    assert json.loads(json.dumps(whole.as_dict()))["problems"][whole.problems.index(found)]["rule"] == found.rule
    blocks = audit_blocks(whole)
    assert all(line in text(blocks) for line in found.rule.split("\n"))
    assert f"```toml\n{found.rule}\n```" in markdown(blocks)
    report = review_html(connection, "d", review(connection), None, Filters())
    assert "40 spans carry <code>llm.usage.total_cost</code> and no stage" in report
    assert "[stages.inference]" in report
    budget = parse_budget(found.rule)
    assert "Spans without a stage" not in review_html(connection, "d", review(connection, budget), budget, Filters())


AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "mist"}


def test_an_agent_whose_calls_are_not_recorded_is_told_and_its_time_is_given_to_no_model(tmp_path: Path) -> None:
    connection, bare = asked(tmp_path, requests("invoke_agent a", AGENT, 5))
    found = agents_without_calls(connection)
    assert (found.count, bare.count) == (5, 0)
    table = read_requests(connection)
    assert table.stage_ns[:, table.stages.index("inference")].sum() == 0
    table = read_requests(connection, parse_budget(found.rule or ""))
    assert (table.stage_ns[:, table.stages.index("inference")] == 80_000_000).all()


@pytest.mark.parametrize("below", [TOOL, {"gen_ai.operation.name": "chat"}])
def test_an_agent_with_a_call_or_a_tool_inside_is_fine(below: dict[str, str], tmp_path: Path) -> None:
    connection, _ = asked(tmp_path, requests("agent", AGENT, 3, Span("call", 12, 20, "agent", attributes=below)))
    assert agents_without_calls(connection).count == 0


@pytest.mark.parametrize(("kind", "stage"), [("client", "inference"), ("internal", "orchestration")])
def test_an_agent_behind_the_network_that_says_its_tokens_is_a_model_call(
    kind: str, stage: str, tmp_path: Path
) -> None:
    said = {**AGENT, "gen_ai.usage.input_tokens": 7}
    spans = [Span("POST /chat", 0, 100, kind="server"), Span("agent", 10, 90, "POST /chat", kind=kind, attributes=said)]
    connection, _ = asked(tmp_path, [spans])
    path = "SELECT stage, sum(duration_ns)::BIGINT FROM critical_path WHERE stage <> 'unattributed' GROUP BY stage"
    assert connection.execute(path).fetchall() == [(stage, 80_000_000)]

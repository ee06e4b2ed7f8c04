"""Spans that nobody waits for, as the budget file names them: they own nothing, and their children are handed up."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.whatif.replay_input import read_replay_input
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.analysis.health.test_audit import LLM, MS, span

HEARTBEAT = parse_budget('[background]\nmatch = { name = "heartbeat" }')


@pytest.fixture
def beating(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """Two turns: a model call while a heartbeat runs all the time, which itself made a lookup in the first."""
    tool = {"gen_ai.operation.name": "execute_tool"}
    spans = [
        span(1, None, 0, 100, 1, name="turn"),
        span(2, 1, 1, 100, 1, name="heartbeat"),
        span(3, 1, 10, 60, 1, name="chat", about=LLM),
        span(4, 2, 70, 90, 1, name="lookup", about=tool),
        span(1, None, 0, 100, 2, name="turn"),
        span(2, 1, 0, 100, 2, name="heartbeat"),
        span(3, 1, 10, 60, 2, name="chat", about=LLM),
    ]
    for one in spans:
        one.pop("service")
    (tmp_path / "dump.json").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    ingest([tmp_path / "dump.json"], tmp_path / "d.duckdb")
    return open_dataset(tmp_path / "d.duckdb")


def stage_ms(connection: duckdb.DuckDBPyConnection, budget: str, stage: str) -> list[float]:
    table = read_requests(connection, parse_budget(budget) if budget else None)
    return (table.stage_ns[:, table.stages.index(stage)] / MS).tolist()


def test_a_heartbeat_hides_the_model_call_until_it_is_named(beating: duckdb.DuckDBPyConnection) -> None:
    assert stage_ms(beating, "", "inference") == [0, 0]
    background = '[background]\nmatch = { name = "heartbeat" }'
    assert stage_ms(beating, background, "inference") == [50, 50]
    assert stage_ms(beating, background, "tools") == [20, 0]  # handed up


def test_what_is_in_the_background_is_on_no_path_and_requests_keep_their_duration(
    beating: duckdb.DuckDBPyConnection,
) -> None:
    table = read_requests(beating, HEARTBEAT)
    assert table.path is not None
    on_path = {table.path.name.names[code] for code in table.path.name.codes[table.path.operation]}
    assert on_path == {"turn", "chat", "lookup"}
    assert np.bincount(table.path.request_no, table.path.duration_ns).tolist() == [100 * MS, 100 * MS]
    assert table.latency_ns.tolist() == [100 * MS, 100 * MS]


def test_requests_and_background_can_be_named_together(beating: duckdb.DuckDBPyConnection) -> None:
    both = '[request]\nmatch = { name = "turn" }\n[background]\nmatch = { name = "heartbeat" }'
    assert stage_ms(beating, both, "inference") == [50, 50]


def test_replays_know_no_background_either(beating: duckdb.DuckDBPyConnection) -> None:
    replay = read_replay_input(beating, HEARTBEAT)
    names = np.array(replay.names)[replay.operation]
    assert (replay.request_of[names == "heartbeat"] == -1).all()
    lookup = np.flatnonzero(names == "lookup")[0]
    assert names[replay.tree.parent[lookup]] == "turn"


def test_an_entry_span_that_is_named_stays_a_request(beating: duckdb.DuckDBPyConnection) -> None:
    table = read_requests(beating, parse_budget('[background]\nmatch = [{ name = "turn" }, { name = "heartbeat" }]'))
    assert table.latency_ns.tolist() == [100 * MS, 100 * MS]


def test_the_reading_of_a_budget_changes_with_its_background() -> None:
    assert HEARTBEAT.reading != parse_budget("").reading

"""Waits for a person are not counted before the first token, as they are not in latency."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.first_token import Cohort, read_pieces
from overbudget.analysis.requests.read import read_requests
from tests.span_dump import Span, dataset
from tests.trace_picture import MS


@pytest.fixture
def connection(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """
    turn        [==========================================]   0 to 100
      plan      [========]                                     0 to 20
      approve            [===========]                         20 to 50
      chat                            [================]       50 to 90, its first token 10 ms after its start
      approve                                           [===]  90 to 100
    """
    chat = {"gen_ai.operation.name": "chat", "ttft_ms": 10}
    return dataset(
        tmp_path / "d.duckdb",
        [
            [
                Span("turn", 0, 100),
                Span("plan", 0, 20, "turn", attributes={"gen_ai.operation.name": "execute_tool"}),
                Span("human_approval", 20, 50, "turn", key="first"),
                Span("chat", 50, 90, "turn", attributes=chat),
                Span("human_approval", 90, 100, "turn", key="last"),
            ]
        ],
    )


@pytest.mark.parametrize("rule", ["", '[stages.tools]\nmatch = { name = "plan" }\n'])
def test_the_first_token_comes_after_what_was_done_for_it(connection: duckdb.DuckDBPyConnection, rule: str) -> None:
    budget = parse_budget(rule + '[stages.user]\nmatch = { name = "human_approval" }')
    table = read_requests(connection, budget)
    assert table.latency_ns.tolist() == [60 * MS]
    assert table.ttft_ns.tolist() == [30 * MS]
    assert table.ttft_user_ns is not None
    assert table.ttft_user_ns.tolist() == [30 * MS]


def test_what_passes_before_it_is_its_time_and_no_wait(connection: duckdb.DuckDBPyConnection) -> None:
    table = read_requests(connection, parse_budget('[stages.user]\nmatch = { name = "human_approval" }'))
    pieces = read_pieces(connection, table, Cohort(np.array([0]), np.array([1.0])))
    assert [(piece.stage, piece.mean_ns) for piece in pieces] == [("tools", 20 * MS), ("inference", 10 * MS)]


def test_without_a_rule_that_says_who_waits_nothing_is_taken_out(tmp_path: Path) -> None:
    spans = [
        Span("turn", 0, 100),
        Span("chat", 50, 90, "turn", attributes={"gen_ai.operation.name": "chat", "ttft_ms": 10}),
    ]
    table = read_requests(dataset(tmp_path / "d.duckdb", [spans]))
    assert table.ttft_ns.tolist() == [60 * MS]
    assert table.ttft_user_ns is None

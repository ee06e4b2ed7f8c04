"""The command that reproduces the effect of an advice."""

import shlex

import pytest

from overbudget.analysis.advice.advice import what_if_command
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.whatif.changes import (
    Cache,
    Cap,
    Change,
    Drop,
    DropRetries,
    Parallel,
    Scale,
    Servers,
    Tokens,
    parse_changes,
)

MS = 1_000_000


@pytest.mark.parametrize(
    ("change", "option", "value"),
    [
        (Cap("retrieval", 400 * MS), "cap", "retrieval=400ms"),
        (Scale("chat", 0.5), "scale", "chat=0.5"),
        (Parallel(("a, b", "c")), "parallel", '"a, b",c'),
        (Cache("retrieve", 600_000 * MS), "cache", "retrieve=600s"),
        (Drop("rerank"), "drop", "rerank"),
        (Drop("chat", 12), "drop", "chat>12"),
        (Servers("chat", 5), "servers", "chat=5"),
        (Tokens("input", 0.5), "tokens", "input=0.5"),
        (Tokens("output", most=4000), "tokens", "output<=4000"),
    ],
)
def test_each_change_is_written_as_it_is_read(change: Change, option: str, value: str) -> None:
    words = shlex.split(what_if_command("my d.duckdb", [change]))
    assert words == ["overbudget", "whatif", "my d.duckdb", f"--{option}", value]
    assert parse_changes(**{option: [value]}) == [change]  # type: ignore[arg-type]


def test_the_budget_and_the_filters_are_named() -> None:
    filters = Filters(route=["GET /a", "GET /b"], model="small")
    assert shlex.split(what_if_command("d", [DropRetries()], filters, "b.toml")) == [
        *("overbudget", "whatif", "d", "--drop-retries", "--budget", "b.toml"),
        *("--only", "route=GET /a", "--only", "route=GET /b", "--only", "model=small"),
    ]

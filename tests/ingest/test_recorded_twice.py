"""A model call that two instrumentations record is one call."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.causes.calls import read_calls
from overbudget.analysis.causes.tokens_on_path import read_path_tokens
from overbudget.analysis.consistency.consistency import consistency
from overbudget.analysis.requests.read import load_requests
from overbudget.analysis.requests.stored import load_path
from tests.span_dump import Span, dataset

ROOT = Span("POST /chat", 0, 2_000, kind="server")


def call(
    key: str, start: float, end: float, parent: str = "POST /chat", scope: str = "framework", name: str = "chat",
    answer: str | None = None, tokens: tuple[int, int] | None = (100, 20), model: str = "mist",
) -> Span:  # fmt: skip
    said: dict[str, str | int] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model}
    if tokens:
        said |= {"gen_ai.usage.input_tokens": tokens[0], "gen_ai.usage.output_tokens": tokens[1]}
    if answer is not None:
        said["gen_ai.response.id"] = answer
    return Span(name, start, end, parent, key=key, scope=scope, attributes=said)


def tokens(tmp_path: Path, *calls: Span) -> tuple[int, int]:
    connection = dataset(tmp_path / "d.duckdb", [[ROOT, *calls]])
    return connection.execute("SELECT input_tokens, output_tokens FROM requests").fetchall()[0]


def test_overlapping_spans_with_one_response_id_are_one_call(tmp_path: Path) -> None:
    assert tokens(tmp_path, call("a", 10, 900, answer="r1"), call("b", 10, 900, answer="r1")) == (100, 20)


def test_spans_with_different_response_ids_are_two_calls_however_alike(tmp_path: Path) -> None:
    twins = call("a", 10, 900, answer="r1"), call("b", 10, 900, answer="r2", scope="client")
    assert tokens(tmp_path, *twins) == (200, 40)


def test_the_same_response_again_after_the_first_came_from_a_cache_and_is_another_call(tmp_path: Path) -> None:
    assert tokens(tmp_path, call("a", 10, 500, answer="r1"), call("b", 500, 510, answer="r1")) == (200, 40)


def test_an_empty_response_id_tells_nothing(tmp_path: Path) -> None:
    assert tokens(tmp_path, call("a", 10, 900, answer=""), call("b", 10, 900, answer="")) == (200, 40)


@pytest.mark.parametrize(
    ("other", "counted"),
    [
        (call("b", 10, 1_000, scope="client"), 100),
        (call("b", 110, 1_010, scope="client"), 100),  # nine tenths of the longer one are shared
        (call("b", 111, 1_010, scope="client"), 200),
        (call("b", 10, 1_010), 200),  # of the same scope: two calls made at once
        (call("b", 10, 1_010, scope="client", tokens=(101, 20)), 200 + 1),
        (call("b", 10, 1_010, scope="client", tokens=(100, 21)), 200),
        (call("b", 10, 1_010, scope="client", model="gale"), 200),
        (call("b", 10, 1_010, scope="client", model="mist-2026-01-01"), 100),  # the version that answered
        (call("b", 10, 1_010, scope="client", answer="r2"), 100),  # only one of them records an id
    ],
)
def test_spans_of_two_scopes_with_one_model_interval_and_tokens_are_one_call(
    tmp_path: Path, other: Span, counted: int
) -> None:
    assert tokens(tmp_path, call("a", 10, 1_010), other)[0] == counted


def test_a_record_without_tokens_never_stands_for_one_that_has_them(tmp_path: Path) -> None:
    silent = call("a", 10, 900, answer="r1", scope="a", tokens=None)
    other = call("c", 1_000, 1_900, tokens=(7, 3))
    assert tokens(tmp_path, silent, call("b", 10, 900, answer="r1", scope="b"), other) == (107, 23)


def test_three_calls_at_once_that_two_scopes_record_are_three(tmp_path: Path) -> None:
    records = [call(f"{scope}{n}", 10 + n, 900 + n, scope=scope) for n in range(3) for scope in ("client", "framework")]
    assert tokens(tmp_path, *records) == (300, 60)


def test_of_spans_inside_each_other_the_outermost_that_records_tokens_counts(tmp_path: Path) -> None:
    outer = call("a", 10, 900, tokens=None)
    middle = call("b", 20, 890, "a", "client")
    inner = call("c", 30, 880, "b", "http", tokens=(90, 20))
    again = call("d", 1_000, 1_900, tokens=None), call("e", 1_010, 1_890, "d", "client", tokens=(7, 3))
    assert tokens(tmp_path, outer, middle, inner, *again) == (107, 23)


def test_calls_of_two_requests_are_never_one(tmp_path: Path) -> None:
    connection = dataset(tmp_path / "d.duckdb", [[ROOT, call("a", 10, 900, answer="r")]] * 2, apart_ms=0)
    assert connection.execute("SELECT sum(input_tokens) FROM requests").fetchall() == [(200,)]


def made(tmp_path: Path, *calls: Span) -> dict[str, int]:
    """How many calls of each name the request made."""
    connection = dataset(tmp_path / "d.duckdb", [[ROOT, *calls]])
    table = load_requests(connection)
    path = load_path(connection, table)
    found = read_calls(connection, table, path)
    return {path.name.names[code]: int(n) for code, n in enumerate(np.bincount(found.name)) if n}


def test_model_calls_of_one_name_inside_each_other_are_one_call(tmp_path: Path) -> None:
    nested = call("b", 20, 890, "a", "client"), call("c", 30, 880, "b", "http")
    assert made(tmp_path, call("a", 10, 900), *nested, call("d", 1_000, 1_900))["chat"] == 2


def test_other_calls_of_one_name_inside_each_other_are_as_many_calls(tmp_path: Path) -> None:
    walk = Span("walk", 10, 900, "POST /chat", key="a"), Span("walk", 20, 800, "a", key="b")
    assert made(tmp_path, *walk)["walk"] == 2


def test_model_calls_of_other_names_inside_each_other_are_told_apart(tmp_path: Path) -> None:
    found = made(tmp_path, call("a", 10, 900), call("b", 20, 890, "a", "client", name="POST /v1"))
    assert (found["chat"], found["POST /v1"]) == (1, 1)


def test_records_of_one_call_under_different_parents_are_one_call(tmp_path: Path) -> None:
    steps = Span("agent", 0, 1_000, "POST /chat"), Span("client", 5, 950, "agent")
    twins = call("a", 10, 900, "agent", "framework", answer="r1"), call("b", 8, 899, "client", "sdk", answer="r1")
    later = call("c", 950, 1_000, "agent", answer="r2")
    assert made(tmp_path, *steps, *twins, later)["chat"] == 2


def test_calls_at_the_same_time_under_different_parents_are_as_many_calls(tmp_path: Path) -> None:
    steps = Span("agent", 0, 1_000, "POST /chat"), Span("other", 5, 950, "POST /chat")
    calls = call("a", 10, 900, "agent", answer="r1"), call("b", 8, 899, "other", answer="r2")
    assert made(tmp_path, *steps, *calls)["chat"] == 2
    (tmp_path / "silent").mkdir()
    silent = call("a", 10, 900, "agent", tokens=None), call("b", 8, 899, "other", tokens=None)
    assert made(tmp_path / "silent", *steps, *silent)["chat"] == 2


def test_a_call_recorded_twice_costs_once_and_its_tokens_are_fitted_once(tmp_path: Path) -> None:
    def costly(one: Span) -> Span:
        return replace(one, attributes={**one.attributes, "gen_ai.usage.cost": "0.25"})

    twins = [costly(call(key, 10, 900, scope=key, answer="r1")) for key in ("a", "b")]
    longer = costly(call("c", 900, 1_000, answer="r2"))
    connection = dataset(tmp_path / "d.duckdb", [[ROOT, *twins, longer]] * 3)
    (model,) = consistency(connection).models
    assert model.cost == pytest.approx(0.5)
    table = load_requests(connection)
    tokens = read_path_tokens(connection, load_path(connection, table), table, table)
    assert tokens is not None
    assert len(tokens.fits) == 6

"""Traces that are pieces of one run, and traces that are a session of many."""

from pathlib import Path
from typing import Any

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.health.problem import Problem, Warned
from overbudget.analysis.health.runs import warned_of_runs
from overbudget.analysis.requests.read import read_requests
from overbudget.store.dataset import open_dataset
from tests.analysis.health.test_audit import START, audited, span

CHAT = {"gen_ai.operation.name": "chat"}
TOOL = {"gen_ai.operation.name": "execute_tool"}


def step(
    trace: int, start: int, end: int, about: dict[str, str] = CHAT, run: str | None = "run", **more: Any
) -> dict[str, Any]:
    said = {**about, **({"gen_ai.conversation.id": run} if run else {})}
    return span(trace, None, start, end, trace=trace, about=said, **more)


def problem(tmp_path: Path, code: str, *spans: dict[str, Any]) -> Problem | None:
    return next((one for one in audited(tmp_path, *spans).problems if one.code == code), None)


def fragments(tmp_path: Path, *spans: dict[str, Any]) -> int:
    found = problem(tmp_path, "fragments", *spans)
    return found.count if found else 0


def test_steps_of_one_run_are_fragments_of_it_and_the_run_is_none(tmp_path: Path) -> None:
    agent = step(1, 0, 3000, {"gen_ai.operation.name": "invoke_workflow"})
    found = problem(tmp_path, "fragments", agent, step(2, 10, 900), step(3, 910, 1500, TOOL), step(4, 1510, 2900))
    assert found is not None
    assert (found.count, found.services) == (3, ("api",))


def test_steps_without_a_run_around_them_are_fragments_too(tmp_path: Path) -> None:
    assert fragments(tmp_path, step(1, 0, 900), step(2, 1000, 1500, TOOL), step(3, 1600, 2000)) == 3


@pytest.mark.parametrize(("pause", "count"), [(1000, 2), (1001, 0)])
def test_they_follow_within_a_second(tmp_path: Path, pause: int, count: int) -> None:
    assert fragments(tmp_path, step(1, 0, 900), step(2, 900 + pause, 5000)) == count


def test_a_long_step_reaches_past_a_short_one_that_began_after_it(tmp_path: Path) -> None:
    assert fragments(tmp_path, step(1, 0, 9000), step(2, 100, 200), step(3, 9500, 9900)) == 3


def test_other_conversations_servers_and_single_traces_are_no_fragments(tmp_path: Path) -> None:
    assert fragments(tmp_path, step(1, 0, 900, run="a"), step(2, 910, 1500, run="b"), step(3, 910, 1500, run=None)) == 0
    other = tmp_path / "other"
    other.mkdir()
    assert fragments(other, step(1, 0, 900, kind=2), step(2, 910, 1500, kind=2)) == 0


def test_a_link_to_another_trace_makes_a_fragment(tmp_path: Path) -> None:
    linked = step(2, 950, 1500, run=None)
    linked["links"] = [{"traceId": f"{1:032x}", "spanId": f"{1:016x}"}]
    late = step(3, 2001, 2500, run=None)
    late["links"] = linked["links"]
    assert fragments(tmp_path, span(1, None, 0, 1000), linked, late) == 1


def test_a_request_cut_in_two_is_one_problem(tmp_path: Path) -> None:
    cut = {"request.id": "r-1"}
    whole = span(1, None, 0, 1000, trace=1, about=cut)
    found = audited(
        tmp_path, whole, step(2, 100, 900, {**CHAT, **cut}), span(3, None, 0, 10, trace=3, about={"request.id": "r-2"})
    )
    assert [(one.code, one.count) for one in found.problems if one.code in ("lost_context", "fragments")] == [
        ("lost_context", 1)
    ]


@pytest.mark.parametrize(("name", "count"), [("handle", 0), ("worker", 1)])
def test_requests_alike_that_share_an_id_are_no_pieces_of_each_other(tmp_path: Path, name: str, count: int) -> None:
    """A client that tries again under one id, an id of a session, a load test that sends the same ids."""
    same = {"request.id": "r-1"}
    spans = [span(n, None, 5000 * n, 5000 * n + 1000 - n, trace=n, about=same, name="handle") for n in (1, 2)]
    last = span(3, None, 5100, 5200, trace=3, about=same, name=name)
    found = problem(tmp_path, "lost_context", *spans, last)
    assert (found.count if found else 0) == count


def session(turns: int, pause: int, took: int = 1000, answers: bool = True) -> list[dict[str, Any]]:
    """
    websocket  [==========================]
      turn     [===]      [===]      [===]
        chat   [==]       [==]       [==]
    """
    spans, at = [], 0
    for number in range(turns):
        spans.append(span(10 + number, 1, at, at + took, name="turn"))
        spans.append(span(50 + number, 10 + number, at, at + took - 10, about=CHAT if answers else {}))
        at += took + pause
    return [span(1, None, 0, at, name="websocket"), *spans]


def test_a_root_over_many_turns_is_a_session_and_the_rule_to_paste_makes_turns_requests(tmp_path: Path) -> None:
    found = problem(tmp_path, "session_root", *session(4, 5000))
    assert found is not None
    assert found.count == 1
    rule = found.remedy.split("in the budget file: ")[1]
    turns = read_requests(open_dataset(tmp_path / "d.duckdb"), parse_budget(rule))
    assert (turns.latency_ns // 10**6).tolist() == [1000] * 4
    assert turns.start_ns[0] == START


@pytest.mark.parametrize(
    "spans",
    [
        session(2, 5000),  # too few turns to know
        session(4, 999),  # steps of an agent
        session(6, 1000, took=3000),  # it works most of the time
        session(4, 5000, answers=False),  # no model answers
    ],
)
def test_what_is_no_session(tmp_path: Path, spans: list[dict[str, Any]]) -> None:
    assert problem(tmp_path, "session_root", *spans) is None


def test_a_review_is_warned_of_pieces_and_of_sessions_and_of_nothing_else(tmp_path: Path) -> None:
    cut = {"request.id": "r-1"}
    audited(
        tmp_path,
        *session(4, 5000),
        step(101, 0, 900),
        step(102, 910, 1500, TOOL),
        step(103, 910, 1500, run="another"),
        span(201, None, 0, 1000, trace=201, about=cut),
        span(202, None, 10, 900, trace=202, about=cut, name="worker"),
    )
    warned = warned_of_runs(open_dataset(tmp_path / "d.duckdb"))
    assert warned == (Warned("fragments", 2), Warned("lost_context", 1), Warned("session_root", 1))
    other = tmp_path / "other"
    other.mkdir()
    audited(other, step(1, 0, 900), step(2, 9000, 9500))
    assert warned_of_runs(open_dataset(other / "d.duckdb")) == ()


def test_a_call_inside_a_request_is_no_step_of_its_own(tmp_path: Path) -> None:
    inside = span(2, 1, 0, 1000, about={**CHAT, "gen_ai.conversation.id": "run"})
    root = span(1, None, 0, 1000, about={"gen_ai.conversation.id": "run"})
    assert fragments(tmp_path, root, inside, step(3, 1000, 1500)) == 1

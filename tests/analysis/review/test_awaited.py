"""Where most of a culprit's time was only offered to it, the answer says that nothing shows it was waited for."""

from pathlib import Path

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.review.review import review
from overbudget.app.text.headline import headline
from tests.span_dump import Span, dataset

LLM = {"gen_ai.operation.name": "chat"}
CLAUSE = "it ran then, and the trace does not show that the request waited for it"


def answer(path: Path, chat_end: float, save_start: float) -> tuple[float, str]:
    """
    POST /chat   [====================]   200 ms
      chat       .[==============]        from 10 ms to `chat_end`
      save       .............[======]    from `save_start` to the end
    """
    request = [
        Span("POST /chat", 0, 200),
        Span("chat", 10, chat_end, "POST /chat", attributes=LLM),
        Span("save", save_start, 200, "POST /chat"),
    ]
    found = review(dataset(path / "d.duckdb", [request] * 60), parse_budget('[budget]\np50 = "150ms"'))
    culprit = found.made_of(50).culprit
    assert culprit is not None
    assert culprit.operation is not None
    assert (culprit.stage, culprit.operation.name) == ("inference", "chat")
    return culprit.operation.awaited_share, " ".join(headline(found))


def test_a_call_that_runs_on_beside_the_next_step_only_ran(tmp_path: Path) -> None:
    share, words = answer(tmp_path, 190, 180)
    assert share == 0
    assert CLAUSE in words


def test_a_call_that_ends_before_the_next_step_was_awaited(tmp_path: Path) -> None:
    share, words = answer(tmp_path, 180, 180)
    assert share == 1
    assert CLAUSE not in words


@pytest.mark.parametrize(("first_ends", "told"), [(100, False), (99, True)])
def test_the_clause_stands_where_less_than_half_was_awaited(tmp_path: Path, first_ends: int, told: bool) -> None:
    """
    POST /chat   [==============================]   300 ms
      chat       [=========]                        awaited, to `first_ends`
      chat       ..........[===========]            offered 100 ms, until `save` starts
      save       .....................[=========]
    """
    request = [
        Span("POST /chat", 0, 300),
        Span("chat", 0, first_ends, "POST /chat", key="first", attributes=LLM),
        Span("chat", 100, 210, "POST /chat", key="second", attributes=LLM),
        Span("save", 200, 300, "POST /chat"),
    ]
    found = review(dataset(tmp_path / "d.duckdb", [request] * 60), parse_budget('[budget]\np50 = "150ms"'))
    assert (CLAUSE in " ".join(headline(found))) == told


def test_own_time_while_an_answer_streams_on_after_the_end_is_the_spans_own(tmp_path: Path) -> None:
    """
    POST /chat   [==================]
      chat       [==================]     the culprit itself
        stream   .....[================]  runs on after the request: owns nothing
    """
    request = [
        Span("POST /chat", 0, 200),
        Span("chat", 0, 200, "POST /chat", attributes=LLM),
        Span("stream", 50, 300, "chat"),
    ]
    found = review(dataset(tmp_path / "d.duckdb", [request] * 60), parse_budget('[budget]\np50 = "150ms"'))
    operation = found.made_of(50).culprit.operation  # type: ignore[union-attr]
    assert operation is not None
    assert (operation.name, operation.awaited_share) == ("chat", 1)

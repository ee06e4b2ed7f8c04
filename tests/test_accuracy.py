"""A world asked from end to end, as `make accuracy` asks hundreds."""

from dataclasses import replace

import pytest

from bench.worlds.case import Case
from bench.worlds.questions import ASKED, ask
from bench.worlds.score import QUESTIONS, Mark, Score

WORLD = "noisy tenant"
SURE = ("headline", "culprit", "attribute", "compare")  # what is right of this world whatever is still to be mended


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(WORLD, 1, tmp_path_factory.mktemp("world"), requests=500)


@pytest.fixture(scope="module")
def marks(case: Case) -> list[Mark]:
    return list(ask(case))


def test_every_question_that_arises_is_asked(marks: list[Mark]) -> None:
    assert {mark.question for mark in marks} == set(QUESTIONS) - {"load", "advice", "model call"}
    assert sum(mark.question == "silence" for mark in marks) == 4


def test_a_tenant_whose_queries_are_slow_is_found(marks: list[Mark]) -> None:
    asked = [mark for mark in marks if mark.question in SURE]
    assert {mark.question for mark in asked} == set(SURE)
    assert [mark for mark in asked if mark.score != Score.RIGHT] == []


@pytest.mark.parametrize("question", ["culprit", "attribute", "why", "compare"])
def test_the_same_answers_held_against_another_truth_are_misleading(case: Case, question: str) -> None:
    said = case.truth
    other = replace(
        said,
        culprits=said.culprits if question == "why" else frozenset({("somebody", "else", None)}),
        attributes=frozenset({("tenant.id", "nobody")}),
        why=frozenset({"how_often"}),
    )
    case.truth = other
    try:
        assert [score for score, _ in ASKED[question](case)] == [Score.MISLEADING]
    finally:
        case.truth = said

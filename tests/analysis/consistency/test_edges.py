"""Consistency at its edges: whose good answer it was, and what is within a cap."""

from pathlib import Path

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.consistency.consistency import Consistency, consistency
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work


def told(tmp_path: Path, builder: DatasetBuilder, budget: str = "") -> Consistency:
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    return consistency(connection, parse_budget(budget) if budget else None)


def asked(*asks: tuple[str, int, bool | None]) -> DatasetBuilder:
    """Requests of two seconds: conversation, second of its start, whether its answer was good."""
    builder = DatasetBuilder()
    for who, at, good in asks:
        builder.request(Work("inference", 2 * S), start_ns=FIRST_START_NS + at * S, good=good, conversation_id=who)
    return builder


@pytest.mark.parametrize(
    "asks",
    [
        [("a", 0, False), ("b", 1, True)],  # the next one's
        [("b", 0, True), ("a", 1, False)],  # the one before's
        [("a", 0, False), ("b", 1, True), ("a", 2, False), ("c", 3, True)],
    ],
)
def test_another_conversations_good_answer_is_not_ones_own(
    tmp_path: Path, asks: list[tuple[str, int, bool | None]]
) -> None:
    talks = told(tmp_path, asked(*asks)).conversations
    assert talks is not None
    others = len({who for who, _, _ in asks}) - 1
    assert (talks.conversations, talks.reached, talks.asks) == (others + 1, others, 1.0)


def test_no_good_answer_anywhere_is_none_reached(tmp_path: Path) -> None:
    talks = told(tmp_path, asked(("a", 0, False), ("b", 1, False))).conversations
    assert talks is not None
    assert (talks.conversations, talks.reached, talks.asks, talks.p50_ns) == (2, 0, None, None)


def test_a_good_answer_after_the_first_good_one_does_not_count(tmp_path: Path) -> None:
    talks = told(tmp_path, asked(("a", 0, False), ("a", 5, True), ("a", 9, True))).conversations
    assert talks is not None
    assert talks.asks == 2


@pytest.mark.parametrize(("cap", "within"), [("100ms", 1.0), ("99ms", 0.0)])
def test_a_request_at_its_cap_is_within_it(tmp_path: Path, cap: str, within: float) -> None:
    builder = DatasetBuilder()
    for _ in range(60):
        builder.request(Work("inference", 100 * MS, "chat"), model="m", good=True)
    found = told(tmp_path, builder, f'[budget]\np95 = "{cap}"\n')
    assert found.total is not None
    assert found.total.within_budget == within
    assert found.models[0].good_within_budget == within

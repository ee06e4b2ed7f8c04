"""Good answers against the others, and the time to a conversation's first good answer, in the review."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.table import BAD, GOOD, RequestTable
from overbudget.analysis.review.good_answers import against_others
from overbudget.analysis.review.review import review
from overbudget.app.text.review import good_sentences
from overbudget.kernels.arrow import Coded
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work
from tests.made_up_requests import evidence


def table(seed: int, slower: float, n: int = 800) -> RequestTable:
    """Half of the answers are good; the others take `slower` times as long."""
    random = np.random.default_rng(seed)
    good = random.random(n) < 0.5
    stage_ns = np.zeros((n, 4), np.int64)
    stage_ns[:, 1] = random.gamma(8, 50 * MS, n) * np.where(good, 1, slower)
    return evidence(stage_ns, scored=np.where(good, GOOD, BAD)).requests


def test_good_answers_that_take_as_long_as_the_others_are_seldom_said_to_differ() -> None:
    said = sum(
        any(one.verdict in ("slower", "faster") for one in against_others(table(seed, 1.0))) for seed in range(200)
    )
    assert said <= 10  # 5 % of 200


def test_good_answers_that_take_shorter_are_said_to() -> None:
    found = [against_others(table(seed, 1.4)) for seed in range(20)]
    assert all(one[0].verdict == "faster" for one in found)
    assert not any(row.verdict == "slower" for one in found for row in one)


def test_the_percentiles_are_those_of_each_side() -> None:
    requests = table(3, 1.4)
    for row in against_others(requests):
        good, others = (requests.latency_ns[requests.good == one] for one in (GOOD, BAD))
        assert row.good_ns == pytest.approx(np.quantile(good, row.percentile / 100), abs=1)
        assert row.others_ns == pytest.approx(np.quantile(others, row.percentile / 100), abs=1)


def test_a_route_whose_answers_are_worse_and_slower_makes_no_difference() -> None:
    random = np.random.default_rng(5)
    slow = random.random(4000) < 0.5
    good = random.random(4000) < np.where(slow, 0.1, 0.9)
    stage_ns = np.zeros((4000, 4), np.int64)
    stage_ns[:, 1] = random.gamma(20, 10 * MS, 4000) * np.where(slow, 10, 1)
    requests = evidence(stage_ns, scored=np.where(good, GOOD, BAD)).requests
    assert against_others(requests)[0].verdict == "faster"
    routed = replace(requests, route=Coded(slow.astype(np.int32), ("fast", "slow")))
    assert all(row.verdict in ("same", "unknown") for row in against_others(routed))


def test_where_all_answers_are_good_there_is_nothing_to_compare() -> None:
    requests = table(1, 1.0)
    assert against_others(replace(requests, good=np.full(800, GOOD, np.int8))) == ()


def test_the_review_says_how_long_conversations_take_to_a_good_answer(tmp_path: Path) -> None:
    """100 conversations of two requests, ten seconds apart: in every fourth only the second answer is good."""
    builder = DatasetBuilder()
    for number in range(200):
        talk, turn = divmod(number, 2)
        builder.request(
            Work("inference", (400 + number % 9) * MS),
            start_ns=FIRST_START_NS + talk * 60 * S + turn * 10 * S,
            conversation_id=f"talk {talk}",
            score=0.1 if turn == 0 and talk % 4 == 0 else 0.9,
        )
    connection = open_dataset(builder.write(tmp_path / "talks.duckdb"))
    budget = parse_budget("[good]\nscore = { at_least = 0.5 }\n")
    found = review(connection, budget)
    assert found.good is not None
    talks = found.good.conversations
    assert talks is not None
    assert (talks.conversations, talks.reached) == (100, 100)
    assert talks.asks == pytest.approx(1.25)
    assert talks.p50_ns is not None
    assert talks.p50_ci_low_ns is not None
    assert talks.p50_ci_high_ns is not None
    assert talks.p50_ci_low_ns <= talks.p50_ns <= talks.p50_ci_high_ns < S
    assert talks.p95_ns is not None
    assert talks.p95_ns > 10 * S
    assert talks.reached_share is not None
    assert talks.reached_share["share"] == 1.0
    assert any("100 of 100 conversations got a good answer" in said for said in good_sentences(found))
    assert found.good.others == 25

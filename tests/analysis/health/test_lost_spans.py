"""Incomplete requests that are slower are told; a route that loses more spans, ties and chance are not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from overbudget.analysis.health.lost_spans import LEAST, compare_incomplete
from overbudget.analysis.requests.table import RequestTable
from tests.dataset_builder import MS
from tests.made_up_requests import STAGES, evidence


def table(latency_ms: np.ndarray, complete: np.ndarray, routes: list[str] | None = None) -> RequestTable:
    stage_ns = np.zeros((len(latency_ms), len(STAGES)), np.int64)
    stage_ns[:, 0] = (latency_ms * MS).astype(np.int64)
    return replace(evidence(stage_ns, routes).requests, complete=complete)


def test_the_p_value_is_the_one_of_the_rank_sum_test_ties_included() -> None:
    random = np.random.default_rng(3)
    complete = random.random(300) < 0.8
    latency = random.integers(1, 30, 300) + 2 * ~complete
    found = compare_incomplete(table(latency, complete))
    assert found is not None
    told = mannwhitneyu(latency[~complete], latency[complete], alternative="greater", method="asymptotic").pvalue
    assert found.p_value == pytest.approx(told, rel=1e-9)


def test_slower_ones_are_told_and_faster_ones_are_not() -> None:
    complete = np.arange(200) % 10 != 0
    latency = np.arange(200.0) % 17 + 1
    assert compare_incomplete(table(latency + 30 * ~complete, complete)).slower  # type: ignore[union-attr]
    assert not compare_incomplete(table(latency + 30 * complete, complete)).slower  # type: ignore[union-attr]
    assert not compare_incomplete(table(np.full(200, 5.0), complete)).slower  # type: ignore[union-attr]


def test_a_slow_route_that_loses_more_spans_is_not_taken_for_slow_requests() -> None:
    routes = ["fast"] * 200 + ["slow"] * 200
    complete = np.array([i % 50 != 0 for i in range(200)] + [i % 2 != 0 for i in range(200)])
    latency = np.array([10.0 + i * 7 % 13 for i in range(200)] + [100.0 + i * 7 % 13 for i in range(200)])
    found = compare_incomplete(table(latency, complete, routes))
    assert found is not None
    assert not found.slower
    assert found.incomplete_median_ns > 5 * found.complete_median_ns


@pytest.mark.parametrize(("lost", "told"), [(LEAST - 1, False), (LEAST, True)])
def test_with_fewer_than_five_nothing_is_said(lost: int, told: bool) -> None:
    assert (compare_incomplete(table(np.arange(50.0) + 1, np.arange(50) >= lost)) is not None) is told


def test_open_and_missing_entries_do_not_count_because_their_length_is_unknown() -> None:
    complete = np.arange(100) >= 10
    made = table(np.arange(100.0) + 1, complete)
    assert compare_incomplete(replace(made, open=~complete)) is None
    assert compare_incomplete(replace(made, missing=~complete)) is None

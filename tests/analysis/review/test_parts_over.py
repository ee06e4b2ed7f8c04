"""In how much of the time a percentile was over its cap, and since when: told where no verdict can be."""

from dataclasses import replace

import numpy as np
import pytest

from overbudget.analysis.requests.table import RequestTable
from overbudget.analysis.review.parts_over import parts_over
from tests.dataset_builder import MS
from tests.made_up_requests import STAGES, evidence

CAP = 100 * MS


def arriving(latency_ms: np.ndarray) -> RequestTable:
    """Requests with these latencies, one a second in this order."""
    stage_ns = np.zeros((len(latency_ms), len(STAGES)), np.int64)
    stage_ns[:, 0] = (latency_ms * MS).astype(np.int64)
    return evidence(stage_ns).requests


@pytest.mark.parametrize(
    ("slow", "over", "last"),
    [
        (range(0), 0, 0),
        (range(300, 400), 5, 5),  # a part has 20 requests
        (range(100), 5, 0),
        (range(400), 20, 20),
        ([*range(20), *range(380, 400)], 2, 1),
        ([399], 0, 0),  # one of twenty is what p95 allows
        ([398, 399], 1, 1),
    ],
)
def test_parts_are_counted_and_those_at_the_end_told_apart(slow: range, over: int, last: int) -> None:
    latency = np.full(400, 100.0)  # at the cap is within it
    latency[list(slow)] = 101
    table = arriving(latency)
    found = parts_over(table, 95, CAP)
    assert found is not None
    assert (found.parts, found.over, found.last) == (20, over, last)
    assert (found.since is not None) is (last > 0)
    shuffled = table.take(np.random.default_rng(1).permutation(400))
    assert parts_over(shuffled, 95, CAP) == found  # by arrival, in whatever order they are stored


def test_a_request_counts_for_as_many_as_it_stands_for() -> None:
    latency = np.full(400, 50.0)
    latency[399] = 500
    table = arriving(latency)
    heavy = replace(table, weight=np.where(latency > 100, 10.0, 1.0))
    assert parts_over(table, 95, CAP).over == 0  # type: ignore[union-attr]
    assert parts_over(heavy, 95, CAP).over == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(("n", "told"), [(39, False), (40, True)])
def test_it_takes_forty_requests(n: int, told: bool) -> None:
    assert (parts_over(arriving(np.full(n, 200.0)), 95, CAP) is not None) is told

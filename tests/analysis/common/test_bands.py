"""Requests near a percentile: those that can be used, and one that makes most of their spread."""

import numpy as np
import pytest

from overbudget.analysis.common.bands import Band


def even(n: int) -> Band:
    return Band(np.arange(n), np.full(n, 1 / max(n, 1)))


@pytest.mark.parametrize(
    ("latencies", "found"),
    [
        ([100, 100, 100, 300], (300, 0.75)),
        ([29, 29, 29, 33], None),  # a tenth of the mean from it
        ([29, 29, 29, 34], (34, 0.75)),
        ([100, 100, 200, 200], None),  # a quarter of the spread each
        ([100, 100, 100, 100], None),
        ([], None),
    ],
)
def test_an_extreme_makes_more_than_a_third_of_the_spread_and_is_a_tenth_away(
    latencies: list[int], found: tuple[int, float] | None
) -> None:
    extreme = even(len(latencies)).extreme(np.array(latencies, np.int64))
    assert extreme == (None if found is None else (found[0], pytest.approx(found[1])))


def test_of_a_band_only_what_is_usable_is_kept_and_weighs_one_together() -> None:
    band = Band(np.array([2, 5, 7]), np.array([0.2, 0.3, 0.5]))
    usable = np.ones(8, bool)
    assert band.among(usable) is band
    usable[5] = False
    assert band.among(usable).rows.tolist() == [2, 7]
    assert band.among(usable).weights.tolist() == pytest.approx([2 / 7, 5 / 7])
    none = band.among(np.zeros(8, bool))
    assert (len(none.rows), len(none.weights)) == (0, 0)


@pytest.mark.parametrize(("requests", "known"), [(5, True), (4, False)])
def test_a_band_of_five_requests_says_something(requests: int, known: bool) -> None:
    assert even(requests).known is known

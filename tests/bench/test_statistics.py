"""The statistics that `make accuracy` counts: what it draws is what it says, and rates are held to their aims."""

import numpy as np
import pytest

from bench.accuracy.statistics import MEDIAN_NS, SPREAD, UPPER, Rate, coverage, latencies, power


def test_requests_are_as_alike_as_asked_for() -> None:
    for correlation in (0.0, 0.5, 0.9):
        drawn = np.log(latencies(np.random.default_rng(1), 40_000, correlation))
        assert np.corrcoef(drawn[1:], drawn[:-1])[0, 1] == pytest.approx(correlation, abs=0.03)
        assert drawn.std() == pytest.approx(SPREAD, rel=0.05)


def test_the_true_percentiles_are_those_of_what_is_drawn() -> None:
    drawn = latencies(np.random.default_rng(2), 200_000)
    for percentile, at in UPPER.items():
        assert np.quantile(drawn, percentile / 100) == pytest.approx(MEDIAN_NS * np.exp(SPREAD * at), rel=0.01)


def test_intervals_of_independent_requests_cover_and_are_as_wide_as_needed() -> None:
    for one in coverage(runs=60, sizes=(400,)):
        if one.correlation == 0:
            assert one.told >= 0.9
            assert one.covers >= 0.85
            assert 0.6 < one.width < 1.6


def test_ten_percent_more_is_seen_among_five_thousand() -> None:
    slower, same, wrong = power(runs=6)
    assert (slower.share, same.share >= 0.5, wrong.share <= 0.5) == (1.0, True, True)


@pytest.mark.parametrize(
    ("share", "aim", "most", "met"),
    [(0.8, 0.8, False, True), (0.79, 0.8, False, False), (0.05, 0.05, True, True), (0.051, 0.05, True, False),
     (0.5, None, False, None)],
)  # fmt: skip
def test_an_aim_is_met_at_its_edge(share: float, aim: float | None, most: bool, met: bool | None) -> None:
    assert Rate("it", 10, share, aim, most).met is met


def test_nothing_measured_meets_no_aim() -> None:
    assert Rate("it", 0, float("nan"), 0.8).met is None

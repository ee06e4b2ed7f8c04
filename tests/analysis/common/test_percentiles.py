"""Percentiles, what can be known of them, and the requests that stand for one."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overbudget.analysis.common.bands import Ranking, whole_parts
from overbudget.analysis.common.binomial import interval_ranks, least_n
from overbudget.analysis.common.percentiles import quantiles, share_of

LATENCIES = arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 10**11))
TIED = arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 5))


def at_most(k: int, n: int, percentile: int) -> Fraction:
    """P(B <= k) of a binomial(n, percentile / 100), exactly."""
    q = Fraction(percentile, 100)
    return sum((comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(k + 1)), Fraction(0))


@given(LATENCIES, st.integers(1, 99))
def test_quantiles_interpolate_as_numpy_does(values: np.ndarray, percentile: int) -> None:
    ((found,),) = quantiles(values, [percentile])
    assert found.n == len(values)
    assert found.value_ns == pytest.approx(np.quantile(values, percentile / 100), abs=0.51)


def test_every_column_of_a_matrix_is_its_own_sample() -> None:
    values = np.random.default_rng(1).integers(0, 10**9, (500, 3))
    together = quantiles(values, (50, 95))
    assert together == [quantiles(values[:, column], (50, 95))[0] for column in range(3)]


def test_no_values_have_no_percentiles() -> None:
    ((found,),) = quantiles(np.zeros(0, np.int64), [95])
    assert (found.n, found.value_ns, found.low_ns, found.high_ns) == (0, None, None, None)


# Ranks of the two-sided 95 % interval for the median, as every table of the sign test has them.
@pytest.mark.parametrize(
    ("n", "low", "high"),
    [(6, 1, 6), (8, 1, 8), (9, 2, 8), (10, 2, 9), (15, 4, 12), (20, 6, 15), (25, 8, 18), (50, 18, 33), (100, 40, 61)],
)
def test_the_interval_of_the_median_is_the_tabulated_one(n: int, low: int, high: int) -> None:
    assert interval_ranks(n, 50) == (low, high)


@pytest.mark.parametrize("n", [5, 6, 13, 36, 71, 72, 80, 150, 367, 368, 500])
@pytest.mark.parametrize("percentile", [10, 50, 75, 90, 95, 99])
def test_each_end_misses_with_at_most_two_and_a_half_percent_and_no_tighter_end_would(n: int, percentile: int) -> None:
    low, high = interval_ranks(n, percentile)
    tail = Fraction(25, 1000)
    if low is None:
        assert at_most(0, n, percentile) > tail
    else:
        assert at_most(low - 1, n, percentile) <= tail < at_most(low, n, percentile)
    if high is None:
        assert 1 - at_most(n - 1, n, percentile) > tail
    else:
        assert 1 - at_most(high - 1, n, percentile) <= tail < 1 - at_most(high - 2, n, percentile)


@pytest.mark.parametrize(
    ("percentile", "needed"), [(50, 6), (75, 13), (90, 36), (95, 72), (99, 368), (1, 368), (5, 72)]
)
def test_an_interval_needs_so_many_values_and_exists_from_there(percentile: int, needed: int) -> None:
    assert least_n(percentile) == needed
    assert None in interval_ranks(needed - 1, percentile)
    assert None not in interval_ranks(needed, percentile)


def test_eighty_requests_bound_p99_from_below_and_not_from_above() -> None:
    ((found,),) = quantiles(np.random.default_rng(3).permutation(80), [99])
    assert found.independence == "held"
    assert not found.known
    assert found.reached is False
    assert found.needs == 368
    assert found.high_ns is None
    assert found.low_ns == 76  # rank 77
    assert found.value_ns == 78


def test_the_interval_of_a_million_values_is_narrow_and_around_the_estimate() -> None:
    low, high = interval_ranks(1_000_000, 99)
    assert (low, high) == (989_805, 990_196)


@pytest.mark.parametrize(("percentile", "n"), [(50, 40), (95, 200), (99, 600)])
def test_in_repeated_samples_the_interval_covers_the_true_percentile_often_enough(percentile: int, n: int) -> None:
    random = np.random.default_rng(20261123)
    samples = random.lognormal(20, 1, (n, 4000))  # a column each; the scale makes rounding to ns negligible
    truth = np.exp(20 + {50: 0.0, 95: 1.6448536269514722, 99: 2.3263478740408408}[percentile])
    columns = quantiles(samples.astype(np.int64), [percentile])
    told = [found for (found,) in columns if found.known]
    assert len(told) >= 0.9 * len(columns)  # by chance alone, runs look too alike in a few
    covered = np.mean([found.low_ns <= truth <= found.high_ns for found in told])
    # 4,000 trials of a 95 % interval miss this by more than 3 standard errors once in a thousand
    assert covered >= 0.95 - 3 * (0.95 * 0.05 / 4000) ** 0.5
    assert covered <= 0.996  # conservative, not useless


@given(LATENCIES, st.integers(1, 99))
def test_the_interval_encloses_the_estimate(values: np.ndarray, percentile: int) -> None:
    ((found,),) = quantiles(values, [percentile])
    assert found.low_ns is None or found.low_ns <= found.value_ns
    assert found.high_ns is None or found.value_ns <= found.high_ns


@given(st.one_of(LATENCIES, TIED), st.integers(1, 99))
def test_a_bands_weights_sum_to_one_and_are_positive(values: np.ndarray, percentile: int) -> None:
    band = Ranking(values).band(percentile)
    assert (band.weights > 0).all()
    assert np.all(np.diff(band.rows) > 0)
    if len(band.rows):
        assert band.weights.sum() == pytest.approx(1)
    assert band.known == (len(band.rows) >= 5)


@given(st.one_of(LATENCIES, TIED), st.integers(1, 99), st.randoms(use_true_random=False))
def test_a_band_does_not_depend_on_the_order_of_the_requests(
    values: np.ndarray, percentile: int, random: object
) -> None:
    shuffled = np.array(random.sample(range(len(values)), len(values)), np.int64)  # type: ignore[attr-defined]
    one, other = Ranking(values).band(percentile), Ranking(values[shuffled]).band(percentile)
    weights, moved = np.zeros(len(values)), np.zeros(len(values))
    weights[one.rows], moved[shuffled[other.rows]] = one.weights, other.weights
    # without ties every request keeps its weight; with ties every latency does
    for latency in np.unique(values):
        assert weights[values == latency] == pytest.approx(moved[values == latency])


@given(st.integers(1, 300), st.integers(1, 99))
def test_ranks_are_symmetric_about_the_median(n: int, percentile: int) -> None:
    ranking = Ranking(np.arange(n))
    one, mirrored = ranking.band(percentile), ranking.band(100 - percentile)
    assert (n - 1 - mirrored.rows[::-1]).tolist() == one.rows.tolist()
    assert mirrored.weights[::-1] == pytest.approx(one.weights)


@pytest.mark.parametrize(("percentile", "half"), [(50, 5), (90, 5), (95, 5), (97, 3), (99, 1), (2, 2)])
def test_a_band_reaches_at_most_five_points_and_never_past_the_fastest_or_slowest(percentile: int, half: int) -> None:
    band = Ranking(np.arange(1000)).band(percentile)
    places = (band.rows + 0.5) / 10
    assert places.min() > percentile - half
    assert places.max() < percentile + half
    assert len(band.rows) == pytest.approx(2 * half * 10, abs=1)
    assert (band.weights * places).sum() == pytest.approx(percentile)  # symmetric weights
    assert band.weights.argmax() in (len(band.rows) // 2, len(band.rows) // 2 - 1)


def test_the_typical_band_counts_each_request_alike() -> None:
    band = Ranking(np.arange(100)).between(40, 60)
    assert band.rows.tolist() == list(range(40, 60))
    assert set(band.weights.round(12)) == {0.05}


def test_requests_of_equal_latency_stand_for_a_percentile_together() -> None:
    band = Ranking(np.full(30, 7)).band(95)
    assert band.rows.tolist() == list(range(30))
    assert band.weights == pytest.approx(1 / 30)


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1e12)))
def test_whole_parts_sum_to_the_whole_and_stay_within_one(parts: np.ndarray) -> None:
    total = round(float(parts.sum()))
    whole = whole_parts(parts, total)
    assert sum(whole) == total
    assert np.abs(np.array(whole) - parts).max() <= 1


def test_below_forty_requests_an_interval_stands_only_on_the_assumption_that_they_are_independent() -> None:
    shuffled = np.random.default_rng(5).permutation(40)
    ((few,),) = quantiles(shuffled[:39], [50])
    assert (few.independence, few.known, few.n_effective, few.needs) == ("assumed", False, None, 40)
    assert few.low_ns is not None
    assert few.high_ns is not None
    ((enough,),) = quantiles(shuffled, [50])
    assert (enough.independence, enough.known, enough.n_effective) == ("held", True, 40.0)


def test_the_order_of_arrival_decides_what_requests_are_worth_not_the_order_they_stand_in() -> None:
    random = np.random.default_rng(6)
    mornings = np.repeat(random.permutation(40), 50) * 1_000 + random.integers(0, 100, 2000)  # slow and fast stretches
    shuffle = random.permutation(2000)
    assert quantiles(mornings[shuffle], [50, 95], shuffle) == quantiles(mornings, [50, 95])
    assert quantiles(mornings[shuffle], [50])[0][0].n_effective == 2000
    assert (quantiles(mornings, [50])[0][0].n_effective or 0) < 1000


def test_a_share_has_an_interval_around_it() -> None:
    random = np.random.default_rng(7)
    found = share_of(random.random(1000) < 0.1, np.arange(1000))
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.share < found.high
    assert found.high - found.low < 0.05


def test_no_requests_have_no_share() -> None:
    assert share_of(np.zeros(0, bool), np.zeros(0, np.int64)) is None


def test_where_none_of_a_hundred_failed_up_to_three_and_a_half_percent_may() -> None:
    found = share_of(np.zeros(100, bool), np.arange(100))
    assert found is not None
    assert (found.share, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025**0.01)  # the exact bound without any event


weighted = st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 5)), min_size=1, max_size=60)


@given(weighted, st.integers(1, 99), st.floats(0.1, 1e4))
def test_equal_weights_change_nothing(values: list[tuple[int, int]], percentile: int, weight: float) -> None:
    plain = np.array([value for value, _ in values])
    assert quantiles(plain, [percentile], weights=np.full(len(plain), weight)) == quantiles(plain, [percentile])


@given(weighted, st.integers(1, 99))
def test_weighted_percentiles_stay_within_the_values_and_rise(values: list[tuple[int, int]], percentile: int) -> None:
    plain, weight = (np.array(column) for column in zip(*values, strict=True))
    assume(len(set(weight.tolist())) > 1)
    low, high = quantiles(plain, [percentile, 99], weights=weight.astype(float))[0]
    assert plain.min() <= (low.value_ns or 0) <= (high.value_ns or 0) <= plain.max()
    for one in (low, high):
        assert one.low_ns is None or one.low_ns <= (one.value_ns or 0)
        assert one.high_ns is None or one.high_ns >= (one.value_ns or 0)


def test_a_heavy_request_pulls_the_median_to_it() -> None:
    values, weight = np.arange(1, 101) * 1_000, np.ones(100)
    weight[:10] = 20  # 200 of 290
    assert (quantiles(values, [50], weights=weight)[0][0].value_ns or 0) < 10_000


def test_requests_of_different_weights_are_worth_fewer() -> None:
    values, weight = np.arange(400) * 171 % 400, np.ones(400)
    weight[::2] = 3
    one = quantiles(values, [50], weights=weight)[0][0]
    assert one.n == 400
    assert one.n_effective == pytest.approx(320)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 99))
def test_a_band_of_weighted_requests_is_unchanged_by_equal_weights(values: list[int], percentile: int) -> None:
    latency = np.array(values)
    plain, same = Ranking(latency).band(percentile), Ranking(latency, np.full(len(latency), 7.0)).band(percentile)
    assert plain.rows.tolist() == same.rows.tolist()
    assert plain.weights.tolist() == same.weights.tolist()


def test_in_a_band_a_request_counts_for_as_many_as_it_stands_for() -> None:
    latency, weight = np.concatenate([np.full(50, 100), np.full(50, 900)]), np.repeat([10.0, 1.0], 50)
    ranking = Ranking(latency, weight)
    assert ranking.band(50).mean(latency) == pytest.approx(100)
    assert Ranking(latency).band(50).mean(latency) == pytest.approx(500)
    tie = Ranking(np.full(6, 5), np.array([1.0, 2, 1, 1, 1, 4])).band(50)
    assert tie.weights.tolist() == pytest.approx([0.1, 0.2, 0.1, 0.1, 0.1, 0.4])

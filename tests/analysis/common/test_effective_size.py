"""How many independent requests some requests are worth, on series whose truth is known because they are drawn."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overbudget.analysis.common.effective_size import (
    clustered_sizes,
    design_effect,
    effective_size,
    effective_sizes,
    variation,
)
from overbudget.analysis.common.percentiles import quantiles

NORMAL = {50: 0.0, 95: 1.6448536269514722, 99: 2.3263478740408408}
LATENCIES = arrays(np.int64, st.integers(20, 400), elements=st.integers(0, 10**11))


def drawn(n: int, rho: float, seed: int) -> np.ndarray:
    """Latencies in ns, lognormal, of n requests in order; neighbours correlated by rho before they are made lognormal."""
    random = np.random.default_rng(seed)
    new = random.standard_normal(n) * (1 - rho**2) ** 0.5
    found = np.empty(n)
    before = random.standard_normal()
    for i in range(n):
        before = rho * before + new[i]
        found[i] = before
    return np.exp(18 + 0.5 * found).astype(np.int64)


def answers(n: int, rho: float, percentile: int, times: int) -> list[tuple[int, int] | None]:
    """The interval of each of so many samples; None where none is told."""
    found: list[tuple[int, int] | None] = []
    for seed in range(times):
        values = drawn(n, rho, seed)
        ordered = np.sort(values)
        size = effective_sizes(values, {p: float(np.percentile(ordered, p)) for p in {50, 90, percentile}})[percentile]
        low, high = size.ranks(percentile)
        assert (size.n_effective is None) == (size.independence == "unknown")
        found.append((int(ordered[low - 1]), int(ordered[high - 1])) if low and high else None)
    return found


def covered(found: list[tuple[int, int]], percentile: int) -> float:
    truth = np.exp(18 + 0.5 * NORMAL[percentile])
    return float(np.mean([low <= truth <= high for low, high in found]))


@pytest.mark.parametrize(("percentile", "n"), [(50, 200), (50, 1000), (95, 1000), (99, 5000)])
def test_independent_requests_are_nearly_always_told_and_covered(percentile: int, n: int) -> None:
    found = answers(n, 0.0, percentile, 300)
    told = [one for one in found if one is not None]
    assert len(told) >= 0.95 * len(found)
    assert covered(told, percentile) >= 0.93  # 95 % but for three standard errors of 300 trials


@pytest.mark.parametrize(("rho", "n"), [(0.5, 1000), (0.9, 5000)])
@pytest.mark.parametrize("percentile", [50, 95])
def test_correlated_requests_are_covered_where_an_interval_is_told(rho: float, n: int, percentile: int) -> None:
    found = answers(n, rho, percentile, 150)
    told = [one for one in found if one is not None]
    assert len(told) >= 0.85 * len(found)
    assert covered(told, percentile) >= 0.90


def test_an_interval_that_took_them_for_independent_would_miss_every_third_time() -> None:
    truth = np.exp(18.0)
    hits = []
    for seed in range(150):
        ordered = np.sort(drawn(5000, 0.9, seed))
        hits.append(ordered[2430] <= truth <= ordered[2569])  # the plain binomial ranks of the median of 5,000
    assert np.mean(hits) < 0.7


def test_nearly_constant_conditions_are_mostly_not_told() -> None:
    found = answers(1000, 0.98, 95, 100)
    assert np.mean([one is not None for one in found]) < 0.35


def test_the_effective_size_is_near_what_theory_says() -> None:
    # the mean of an AR(1) series is worth n (1 - rho) / (1 + rho) independent values
    taus = [variation(np.log(drawn(20_000, 0.5, seed))).tau for seed in range(40)]
    assert np.mean(taus) == pytest.approx(3.0, rel=0.2)


def test_true_and_false_vary_like_the_numbers_one_and_zero() -> None:
    happened = np.random.default_rng(1).random(1234) < 0.3
    plain, numbers = variation(happened), variation(happened.astype(np.int64))
    assert plain.tau == pytest.approx(numbers.tau)
    assert plain.drift == pytest.approx(numbers.drift)


def test_tau_is_the_formula_written_out() -> None:
    series = np.random.default_rng(2).integers(0, 100, 105)
    above = series > 50
    m, edges = above.mean(), [j * 105 // 20 for j in range(21)]
    total = sum((above[a:b].sum() - m * (b - a)) ** 2 for a, b in itertools.pairwise(edges))
    assert variation(above).tau == pytest.approx(total * 20 / 19 / (105 * m * (1 - m)))


def test_a_steady_trend_is_too_alike_to_tell() -> None:
    found = effective_sizes(np.arange(1000), {50: 499, 90: 899, 95: 949})
    assert {p: one.independence for p, one in found.items()} == {50: "unknown", 90: "unknown", 95: "unknown"}


@pytest.mark.parametrize(("n", "said"), [(39, "assumed"), (40, "held")])
def test_below_forty_nothing_is_said_of_dependence(n: int, said: str) -> None:
    alternating = np.arange(n) % 2
    assert effective_sizes(alternating, {50: 0, 90: 1})[50].independence == said
    assert effective_size(alternating > 0).independence == said


def test_constant_latencies_are_independent_as_far_as_anyone_can_tell() -> None:
    assert effective_sizes(np.full(500, 7), {50: 7, 90: 7})[50].independence == "held"


def test_above_p90_a_percentile_is_worth_no_more_than_p90() -> None:
    random = np.random.default_rng(4)
    bursts = np.repeat(random.random(100) < 0.12, 50)  # a tenth of the stretches slow, all their requests above p90
    series = np.where(bursts, 1_000, 10) + random.random(5000)
    at = {p: float(np.percentile(series, p)) for p in (50, 90, 99)}
    found = effective_sizes(series, at)
    assert variation(series > at[99]).tau < variation(series > at[90]).tau
    if found[99].n_effective is not None and found[90].n_effective is not None:
        assert found[99].n_effective <= found[90].n_effective


@given(LATENCIES)
def test_requests_are_never_worth_more_than_their_number(values: np.ndarray) -> None:
    for one in quantiles(values, [50, 90, 95])[0]:
        assert one.n_effective is None or 0 < one.n_effective <= one.n
        assert (one.n_effective is None) == (one.independence in ("assumed", "unknown"))


@given(LATENCIES, st.integers(1, 10**6))
def test_the_scale_of_latencies_changes_nothing(values: np.ndarray, factor: int) -> None:
    one, other = quantiles(values, [95])[0][0], quantiles(values * factor, [95])[0][0]
    assert (one.n_effective, one.independence) == (other.n_effective, other.independence)


# -- clusters


def test_values_of_one_each_are_worth_what_they_are_without_clusters() -> None:
    values = np.random.default_rng(2).normal(size=300)
    at = {p: float(np.quantile(values, p / 100)) for p in (50, 90, 95)}
    assert clustered_sizes(values, np.arange(300), at) == effective_sizes(values, at)


def test_clusters_of_equal_values_are_worth_one_value_each() -> None:
    levels = np.random.default_rng(2).normal(size=200)
    values, cluster = np.repeat(levels, 4), np.repeat(np.arange(200), 4)
    at = {p: float(np.quantile(values, p / 100)) for p in (50, 90)}
    size = clustered_sizes(values, cluster, at)[50]
    assert size.independence == "corrected"
    assert size.n_effective == pytest.approx(200, rel=0.02)
    assert design_effect(values > at[50], cluster, 200) == pytest.approx(4, rel=0.02)


def test_fewer_than_forty_clusters_show_no_interval_of_their_own() -> None:
    values, cluster = np.arange(39 * 50.0), np.repeat(np.arange(39), 50)
    at = {50: 900.0, 90: 1800.0}
    assert clustered_sizes(values, cluster, at)[50].independence == "assumed"


def test_the_interval_of_clustered_values_covers_in_nineteen_of_twenty_worlds() -> None:
    covered = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        cluster = np.repeat(np.arange(150), random.integers(1, 8, 150))
        values = (1e8 + 1e7 * (random.normal(size=150)[cluster] + 0.3 * random.normal(size=len(cluster)))).astype(
            np.int64
        )
        (median,) = quantiles(values, (50,), clusters=cluster)[0]
        covered += median.low_ns is not None and median.high_ns is not None and median.low_ns <= 1e8 <= median.high_ns
    assert covered >= 182  # the 0.1 % point of a binomial of 200 at 0.95

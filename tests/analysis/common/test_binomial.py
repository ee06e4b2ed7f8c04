"""Binomial ranks and shares without a statistics library, against one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, norm
from scipy.stats import t as student

from overbudget.analysis.common.binomial import (
    interval_ranks,
    scaled_ranks,
    share_interval,
    student_quantile,
    student_tail,
)


@pytest.mark.parametrize("tail", [0.4, 0.1, 0.025, 0.0125, 0.005, 1e-4])
def test_students_t_with_19_degrees_of_freedom_is_the_tabulated_one(tail: float) -> None:
    assert student_quantile(tail) == pytest.approx(student.ppf(1 - tail, 19), rel=1e-9)
    assert student_tail(tail) == pytest.approx(norm.sf(student.ppf(1 - tail, 19)), rel=1e-7)


@given(st.integers(1, 3000), st.data())
def test_a_shares_interval_is_that_of_clopper_and_pearson(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    low, high = share_interval(k, n)
    assert low == pytest.approx(beta.ppf(0.025, k, n - k + 1) if k else 0.0, abs=1e-9)
    assert high == pytest.approx(beta.ppf(0.975, k + 1, n - k) if k < n else 1.0, abs=1e-9)


@given(st.integers(2, 5000), st.integers(1, 5000), st.integers(1, 99))
def test_scaled_ranks_are_in_range_in_order_and_mirror_each_other(n: int, worth: int, percentile: int) -> None:
    low, high = scaled_ranks(n, min(worth, n), percentile)
    assert low is None or 1 <= low <= n
    assert high is None or 1 <= high <= n
    assert low is None or high is None or low <= high
    mirrored = scaled_ranks(n, min(worth, n), 100 - percentile)
    assert mirrored == (None if high is None else n + 1 - high, None if low is None else n + 1 - low)


@given(st.integers(400, 5000), st.integers(1, 99))
def test_requests_worth_fewer_never_bound_a_percentile_more_tightly(n: int, percentile: int) -> None:
    widths = []
    for worth in (n, n // 2, n // 4):
        low, high = scaled_ranks(n, worth, percentile)
        widths.append((high or n + 1) - (low or 0))
    plain_low, plain_high = interval_ranks(n, percentile)
    assert widths[0] >= (plain_high or n + 1) - (plain_low or 0)
    assert widths[0] <= widths[1] + 2  # a rank or two is lost in rounding
    assert widths[1] <= widths[2] + 4

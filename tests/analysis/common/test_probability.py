"""Tails are those of scipy, at the edges too."""

import numpy as np
import pytest
from scipy import stats

from overbudget.analysis.common.probability import (
    binomial_up_to,
    false_discovery_shares,
    hypergeometric_from,
    student_above,
)


def test_the_tail_of_student_is_that_of_scipy() -> None:
    t = np.array([-np.inf, -40.0, -3.0, -0.5, 0.0, 1e-9, 0.5, 1.96, 3.0, 8.0, 40.0, np.inf])
    for freedom in (0.5, 1.0, 2.3, 5.0, 29.7, 1_000.0, 123_456.0):
        np.testing.assert_allclose(student_above(t, freedom), stats.t.sf(t, freedom), rtol=1e-9, atol=1e-300)
    assert np.isnan(student_above(np.nan, 3.0))
    assert student_above(np.array([[1.0], [2.0]]), np.array([3.0, 4.0])).shape == (2, 2)


@pytest.mark.parametrize("n", [1, 2, 7, 400, 100_000])
def test_the_tail_of_a_binomial_is_that_of_scipy(n: int) -> None:
    for share in (0.5, 0.01, 0.97):
        for k in {-1, 0, 1, n // 3, n // 2, n - 1, n, n + 1}:
            assert binomial_up_to(k, n, share) == pytest.approx(stats.binom.cdf(k, n, share), rel=1e-8, abs=1e-300)


def test_the_tail_of_a_hypergeometric_is_that_of_scipy() -> None:
    rng = np.random.default_rng(3)
    for of, drawn in ((1, 1), (2, 1), (105, 21), (10_000, 5_000)):
        marked = rng.integers(0, of + 1, 200)
        hits = np.minimum(rng.integers(0, drawn + 1, 200), marked)
        expected = stats.hypergeom.sf(hits - 1, of, marked, drawn)
        np.testing.assert_allclose(hypergeometric_from(hits, of, marked, drawn), np.minimum(expected, 1), rtol=1e-7)
    assert hypergeometric_from(np.array([21]), 105, np.array([21]), 21)[0] == pytest.approx(
        float(stats.fisher_exact([[21, 0], [0, 84]], alternative="greater").pvalue)
    )


def test_shares_of_false_discoveries_are_those_of_scipy() -> None:
    p = np.random.default_rng(4).uniform(0, 1, 300) ** 4
    for some in (p, p[:1], np.array([0.02, 0.02, 0.5, 1.0]), np.zeros(3)):
        np.testing.assert_allclose(false_discovery_shares(some), stats.false_discovery_control(some))

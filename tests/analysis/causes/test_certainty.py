"""Whether requests certainly call a cause more often."""

from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.causes.certainty import _larger, _mean_and_square, calls_more_often
from tests.analysis.causes.test_spending import request, spending
from tests.span_dump import Span

FEW = np.array([0.2] * 5 + [0.0] * 5)
MANY = FEW[::-1]


def test_a_mean_has_the_standard_error_of_its_values() -> None:
    mean, square = _mean_and_square(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.25))
    assert (mean, square) == (2.5, pytest.approx(np.var([1, 2, 3, 4], ddof=1) / 4))
    weighted = _mean_and_square(np.array([1.0, 3.0, 9.0]), np.array([1.0, 3.0, 0.0]))
    assert weighted == (2.5, pytest.approx((0.25**2 * 1.5**2 + 0.75**2 * 0.5**2) * 2))


@pytest.mark.parametrize(("mean", "larger"), [(0.81, True), (0.79, False)])  # 2.54 standard errors are 0.803
def test_a_larger_mean_is_certain_from_the_quantile_of_student_on(mean: float, larger: bool) -> None:
    value = np.array([0.0] * 5 + [mean - 1, mean, mean + 1, mean, mean])
    assert _larger(value, FEW, MANY) is larger
    assert _larger(value, MANY, FEW) is False


def test_of_four_requests_nothing_is_certain() -> None:
    value = np.array([0.0] * 5 + [9.0] * 5)
    assert _larger(value, FEW, MANY) is True
    assert _larger(value, FEW, np.where(np.arange(10) == 9, 0, MANY)) is False
    assert _larger(value, np.where(np.arange(10) == 0, 0, FEW), MANY) is False


def test_calls_of_the_cause_are_counted_for_each_request(tmp_path: Path) -> None:
    def calls(count: int, name: str) -> list[Span]:
        return [Span(name, 10 * k, 10 * k + 5, "GET /", key=f"{name}{k}") for k in range(count)]

    found = spending(
        tmp_path, *(request(*calls(1 if number < 5 else 3, "query"), *calls(2, "other")) for number in range(10))
    )
    assert calls_more_often(found, ("api", "query", None), FEW, MANY)
    assert not calls_more_often(found, ("api", "query", None), MANY, FEW)
    assert not calls_more_often(found, ("api", "other", None), FEW, MANY)

"""Verdicts at their edges: latency at the cap, and failures beside it."""

import pytest

from overbudget.analysis.common.percentiles import Quantile, Share
from overbudget.analysis.review.verdicts import failure_verdict, percentile_row, verdict

CAP = 100


def quantile(value: int, low: int | None, high: int | None, percentile: int = 95, **more: object) -> Quantile:
    return Quantile(percentile, 1000, value, low, high, 1000.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (100, 90, 110, "within"), (101, 100, 110, "at_risk"), (102, 101, 110, "over"), (100, 100, 100, "within"),
        (101, 101, 101, "over"),
    ],
)  # fmt: skip
def test_over_needs_an_interval_beyond_the_cap_and_at_the_cap_is_within(
    value: int, low: int, high: int, said: str
) -> None:
    assert verdict(quantile(value, low, high), CAP) == said
    assert verdict(quantile(value, low, high), None) is None


def share(value: float, low: float) -> Share:
    return Share(value, low, min(1.0, value + 0.02), 1000, 1000.0)


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        (share(0.04, 0.03), None),
        (share(0.05, 0.04), None),
        (share(0.06, 0.05), "at_risk"),
        (share(0.07, 0.051), "over"),
    ],
)
def test_more_than_five_in_a_hundred_must_fail_for_certain_to_break_p95(failed: Share, said: str | None) -> None:
    assert failure_verdict(failed, 95) == said
    assert failure_verdict(None, 95) is None


FINE, RISK, OVER = quantile(90, 80, 95), quantile(105, 90, 120), quantile(120, 110, 130)


@pytest.mark.parametrize(
    ("latency", "failed", "said", "by_failures"),
    [
        (FINE, share(0.01, 0.0), "within", False),
        (FINE, share(0.06, 0.04), "at_risk", True),
        (FINE, share(0.2, 0.1), "over", True),
        (RISK, share(0.06, 0.04), "at_risk", False),  # no worse than what latency says
        (RISK, share(0.2, 0.1), "over", True),
        (OVER, share(0.06, 0.04), "over", False),
        (OVER, share(0.2, 0.1), "over", False),
    ],
)
def test_failures_make_a_verdict_worse_and_never_better(
    latency: Quantile, failed: Share, said: str, by_failures: bool
) -> None:
    row = percentile_row(latency, {95: CAP}, failed)
    assert (row.verdict, row.failed) == (said, by_failures)


@pytest.mark.parametrize(("percentile", "budget", "said"), [(95, CAP, "over"), (50, CAP, "over"), (99, None, None)])
def test_a_borrowed_cap_judges_nothing_not_even_failures(percentile: int, budget: int | None, said: str | None) -> None:
    slow = quantile(120, 110, 130, percentile)
    row = percentile_row(slow, {95: CAP}, share(0.6, 0.55))
    assert (row.budget_ns, row.verdict) == (budget, said)

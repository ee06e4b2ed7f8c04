"""Models side by side: the ratio's interval against worlds whose ratio is known, the shares against counts."""

import math
from dataclasses import replace

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.consistency.side_by_side import ModelSide, ratio_interval, side_by_side, steadiest
from overbudget.analysis.requests.table import BAD, GOOD, UNKNOWN, RequestTable
from overbudget.app.text.side_by_side import side_by_side_blocks
from overbudget.app.text.terminal import text
from overbudget.kernels.arrow import Coded
from tests.dataset_builder import MS
from tests.made_up_requests import evidence


def table(latency_ms: np.ndarray, model: np.ndarray, **columns: object) -> RequestTable:
    stage_ns = np.zeros((len(latency_ms), 4), np.int64)
    stage_ns[:, 1] = latency_ms * MS
    names = ("big", "small")
    return replace(evidence(stage_ns).requests, model=Coded(model.astype(np.int32), names), **columns)


def two(n: int = 1000, seed: int = 1, **columns: object) -> RequestTable:
    """A big model that is fast and erratic, and a small one that is slower and steady."""
    random = np.random.default_rng(seed)
    model = np.arange(n) % 2
    latency = np.where(model == 0, random.lognormal(6.0, 0.8, n), random.lognormal(6.4, 0.2, n))
    return table(latency, model, **columns)


def test_the_ratio_s_interval_holds_the_true_one_in_at_least_95_of_100_worlds() -> None:
    held = []
    for seed in range(300):
        values = np.random.default_rng(seed).lognormal(20, 0.6, 400).astype(np.int64)
        p50, p95 = quantiles(values, (50, 95))[0]
        interval = ratio_interval(p95, p50)
        if interval is not None:  # a twentieth is taken for dependent by chance, and some of those for unknown
            held.append(interval[0] <= math.exp(0.6 * 1.6448536) <= interval[1])
    assert len(held) >= 285
    assert sum(held) / len(held) >= 0.95


def test_the_ratio_s_interval_is_that_of_the_two_percentiles_combined() -> None:
    p50, p95 = quantiles(np.random.default_rng(4).lognormal(20, 0.6, 400).astype(np.int64), (50, 95))[0]
    assert p50.value_ns
    assert p50.low_ns
    assert p50.high_ns
    assert p95.value_ns
    assert p95.low_ns
    assert p95.high_ns
    below = math.hypot(math.log(p95.value_ns / p95.low_ns), math.log(p50.high_ns / p50.value_ns))
    above = math.hypot(math.log(p95.high_ns / p95.value_ns), math.log(p50.value_ns / p50.low_ns))
    ratio = p95.value_ns / p50.value_ns
    assert ratio_interval(p95, p50) == pytest.approx((ratio * math.exp(-below), ratio * math.exp(above)))


def test_a_steady_model_beats_an_erratic_one_for_certain() -> None:
    found = side_by_side(two(), parse_budget(""))
    assert [one.name for one in found] == ["small", "big"]
    first = steadiest(found)
    assert first is not None
    assert first.name == "small"
    assert first.steadiness == pytest.approx(math.exp(0.2 * 1.645), rel=0.1)


def test_models_that_are_alike_have_no_steadiest() -> None:
    random = np.random.default_rng(8)
    named = 0
    for _ in range(40):
        found = side_by_side(table(random.lognormal(6, 0.5, 800), np.arange(800) % 2), parse_budget(""))
        named += steadiest(found) is not None
    assert named <= 1


def test_the_shares_are_counted_per_model_and_failed_requests_keep_no_cap() -> None:
    n = 400
    model, number = np.arange(n) % 2, np.arange(n)
    latency = np.where(number % 8 == 0, 3000.0, 500.0)
    failed = number % 40 == 1
    good = np.where(number % 4 < 2, np.where(number % 8 < 4, GOOD, BAD), UNKNOWN).astype(np.int8)
    found = side_by_side(table(latency, model, failed=failed, good=good), parse_budget('[budget]\np95 = "1s"\n'))
    big, small = (next(one for one in found if one.name == name) for name in ("big", "small"))
    assert big.within_budget is not None
    assert small.within_budget is not None
    assert big.good is not None
    assert big.within_budget["share"] == pytest.approx(150 / 200)
    assert small.within_budget["share"] == pytest.approx(190 / 200)
    assert big.good["share"] == 0.5
    assert big.good["n"] == 100
    low, high = big.within_budget["ci_low"], big.within_budget["ci_high"]
    assert low is not None
    assert high is not None
    assert low < 0.75 < high


def test_a_route_is_held_to_its_own_cap() -> None:
    route = Coded(np.arange(200, dtype=np.int32) // 2 % 2, ("a", "b"))
    budget = parse_budget('[budget]\np95 = "1s"\n[routes.b]\np95 = "100ms"\n')
    found = side_by_side(table(np.full(200, 500.0), np.arange(200) % 2, route=route), budget)
    assert [one.within_budget and one.within_budget["share"] for one in found] == [0.5, 0.5]


@pytest.mark.parametrize(("n", "told"), [(140, False), (144, True)])
def test_with_too_few_requests_for_p95_no_ratio_is_given(n: int, told: bool) -> None:
    found = side_by_side(two(n), parse_budget(""))
    assert all((one.steadiness is not None) == told for one in found)
    assert told or steadiest(found) is None


def test_one_model_or_none_has_nothing_beside_it() -> None:
    assert side_by_side(table(np.full(100, 50.0), np.zeros(100)), parse_budget("")) == ()
    assert side_by_side(table(np.full(100, 50.0), np.full(100, -1)), parse_budget("")) == ()


def test_the_table_leaves_out_shares_that_nobody_has() -> None:
    one = ModelSide("big", 10, MS, None, None, None, None, None, None)
    said = text(side_by_side_blocks((one, replace(one, name="small", steadiness=1.234, p95_ns=2 * MS))))
    assert "cap" not in said
    assert "good answers" not in said
    assert "1.23" in said
    assert "unknown" in said
    share = {"share": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n": 10, "n_effective": 10.0}
    told = text(side_by_side_blocks((one, replace(one, within_budget=share, good=share))))
    assert "within the p95 cap" in told
    assert "40.0% – 60.0%" in told

"""Verdicts, breakdowns that add up, blame and culprits."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.percentiles import Quantile
from overbudget.analysis.review.measure import measure
from overbudget.analysis.review.review import TOTAL, judge, over, verdict
from tests.dataset_builder import MS, S
from tests.made_up_requests import STAGES, budgets, evidence, of, stage_matrices, times

# -- percentiles and verdicts


@pytest.mark.parametrize(
    ("low", "value", "high", "cap", "said"),
    [
        (90, 100, 110, None, None),
        (90, 100, 110, 80, "over"),
        (90, 100, 110, 89, "over"),
        (90, 100, 110, 90, "at_risk"),
        (90, 100, 110, 99, "at_risk"),
        (90, 100, 110, 100, "within"),
        (90, 100, 110, 105, "within"),
        (90, 100, None, 80, "over"),
        (90, 100, None, 95, "unknown"),
        (90, 100, None, 200, "unknown"),
        (None, 100, 110, 95, "unknown"),
        (None, 100, 110, 100, "within"),
        (None, 100, None, 1000, "unknown"),
        (None, None, None, 1, "unknown"),
    ],
)
def test_a_verdict_says_no_more_than_the_interval_does(
    low: int | None, value: int | None, high: int | None, cap: int | None, said: str | None
) -> None:
    assert verdict(Quantile(95, 100, value, low, high), cap) == said


@given(st.lists(st.integers(0, 1000), min_size=3, max_size=3), st.integers(0, 1000), st.integers(0, 1000))
def test_a_more_generous_cap_never_has_a_worse_verdict(bounds: list[int], cap: int, more: int) -> None:
    low, value, high = sorted(bounds)
    order = ["over", "at_risk", "within"]
    found = Quantile(50, 100, value, low, high)
    assert order.index(verdict(found, cap + more) or "") >= order.index(verdict(found, cap) or "")


def test_percentiles_are_those_of_the_requests_and_carry_their_interval() -> None:
    matrix = times()
    found = of(matrix)
    for row in found.end_to_end:
        assert row.latency_ns == pytest.approx(np.quantile(matrix.sum(1), row.percentile / 100), abs=1)
        assert row.ci_low_ns is not None
        assert row.ci_high_ns is not None
        assert row.ci_low_ns < (row.latency_ns or 0) < row.ci_high_ns
        assert (row.n, row.needs, row.budget_ns, row.verdict) == (1000, None, None, None)
    assert found.row(95, "retrieval").latency_ns == pytest.approx(np.quantile(matrix[:, 0], 0.95), abs=1)


def test_above_the_highest_given_percentile_a_cap_serves_blame_and_no_verdict() -> None:
    found = of(times(), '[budget]\np95 = "600ms"\n[stages.retrieval]\np95 = "100ms"')
    assert found.row(95).verdict == "over"
    assert found.row(90).budget_ns == 600 * MS
    assert (found.row(99).budget_ns, found.row(99).verdict) == (None, None)
    assert (found.row(99, "retrieval").budget_ns, found.row(99, "retrieval").verdict) == (None, None)
    retrieval = found.made_of(99).stages[0]
    assert (retrieval.budget_ns, retrieval.borrowed) == (100 * MS, True)
    assert retrieval.overrun_ns == retrieval.mean_ns - 100 * MS


def test_p99_of_eighty_requests_is_not_known() -> None:
    found = of(times(n=80), '[budget]\np99 = "10s"')
    row = found.row(99)
    assert (row.n, row.needs, row.ci_high_ns, row.verdict) == (80, 368, None, "unknown")
    assert found.row(95).verdict == "within"  # 72 are enough for p95


def test_a_lower_bound_is_enough_to_be_over_but_not_from_fewer_than_forty_requests() -> None:
    assert of(times(n=41), '[budget]\np95 = "1ms"').row(95).verdict == "over"
    assert of(times(n=39), '[budget]\np95 = "1ms"').row(95).verdict == "unknown"


def test_requests_too_alike_for_an_interval_settle_what_every_one_of_them_agrees_on() -> None:
    trend = np.stack([np.arange(1, 401) * MS] * 4, 1)
    assert of(trend).row(95).independence == "unknown"
    for cap, said in [("3ms", "over"), ("4ms", "unknown"), ("1599ms", "unknown"), ("1600ms", "within")]:
        assert of(trend, f'[budget]\np95 = "{cap}"').row(95).verdict == said


def test_a_capped_stage_that_no_span_belongs_to_is_not_known_to_be_fast() -> None:
    found = of(times(), '[stages.safety]\np95 = "10ms"')
    assert found.row(95, "safety").verdict == "unknown"
    assert found.unmatched["stages"] == ["safety"]


# -- breakdown, overrun, blame


@given(stage_matrices, budgets)
def test_what_a_request_is_made_of_adds_up_and_blame_is_shared_out(matrix: np.ndarray, budget: Budget) -> None:
    found = judge(measure(evidence(matrix)), budget)
    for made_of in found.breakdown:
        if made_of.band_latency_ns is None:
            assert made_of.band_requests < 5
            assert (made_of.stages, made_of.culprit) == ((), None)
            continue
        assert made_of.band_requests >= 5
        assert sum(stage.mean_ns for stage in made_of.stages) == made_of.band_latency_ns
        assert sum(stage.share for stage in made_of.stages) == pytest.approx(1)
        blame = sum(stage.blame for stage in made_of.stages)
        overrun = sum(stage.overrun_ns for stage in made_of.stages)
        if made_of.culprit is None:
            assert (blame, overrun) == (0, 0)
        else:
            assert blame == pytest.approx(1)
            worst = max(made_of.stages, key=lambda stage: stage.overrun_ns)
            assert (made_of.culprit.stage, made_of.culprit.overrun_ns) == (worst.stage, worst.overrun_ns)
            assert made_of.culprit.blame == pytest.approx(worst.overrun_ns / overrun)
        if made_of.culprit is not None and made_of.culprit.basis == "cap":
            for stage in made_of.stages:
                assert stage.overrun_ns == (0 if stage.budget_ns is None else max(0, stage.mean_ns - stage.budget_ns))
    json.dumps(found.as_dict(), allow_nan=False)


@given(stage_matrices, budgets, st.randoms(use_true_random=False))
def test_the_order_of_the_requests_changes_nothing(matrix: np.ndarray, budget: Budget, random: object) -> None:
    order = random.sample(range(len(matrix)), len(matrix))  # type: ignore[attr-defined]
    one = judge(measure(evidence(matrix)), budget)
    other = judge(measure(evidence(matrix[order], arrival=np.array(order))), budget)
    assert (one.end_to_end, one.stages) == (other.end_to_end, other.stages)
    for a, b in zip(one.breakdown, other.breakdown, strict=True):
        assert (a.band_requests, a.culprit and a.culprit.stage) == (b.band_requests, b.culprit and b.culprit.stage)
        assert [s.mean_ns for s in a.stages] == pytest.approx([s.mean_ns for s in b.stages], abs=2)


@given(stage_matrices, budgets)
def test_what_is_over_is_listed(matrix: np.ndarray, budget: Budget) -> None:
    found = judge(measure(evidence(matrix)), budget)
    listed = {(entry.stage, entry.percentile) for entry in over(found)}
    rows = [(TOTAL, row) for row in found.end_to_end] + [(row.stage, row) for row in found.stages]
    assert listed == {(stage, row.percentile) for stage, row in rows if row.verdict == "over"}


def test_the_band_at_a_percentile_is_made_of_requests_about_that_slow() -> None:
    matrix = times(n=2000)
    latency = np.sort(matrix.sum(1))
    found = of(matrix)
    for made_of in found.breakdown:
        p, half = made_of.percentile, min(5, made_of.percentile, 100 - made_of.percentile)
        inside = latency[int((p - half) * 20) : int((p + half) * 20)]
        assert inside[0] < (made_of.band_latency_ns or 0) < inside[-1]
        assert made_of.band_requests == pytest.approx(2 * half * 20, abs=1)


def test_the_culprit_is_the_stage_furthest_over_its_cap_and_its_operation_the_one_that_grew() -> None:
    found = of(times(), '[budget]\np95 = "900ms"\n[stages.retrieval]\np95 = "200ms"\n[stages.inference]\np95 = "380ms"')
    culprit = found.made_of(95).culprit
    assert culprit is not None
    assert (culprit.stage, culprit.basis) == ("retrieval", "cap")
    assert culprit.operation is not None
    assert (culprit.operation.service_name, culprit.operation.name, culprit.operation.hop_to) == (
        "api",
        "do retrieval",
        None,
    )
    assert culprit.operation.tail
    assert culprit.operation.excess_ns == culprit.operation.mean_ns - (culprit.operation.typical_ns or 0)


def test_without_a_stage_over_its_cap_the_overrun_is_counted_from_typical_requests() -> None:
    for budget in ('[budget]\np95 = "700ms"', '[budget]\np95 = "900ms"\n[stages.inference]\np95 = "890ms"'):
        found = of(times(), budget)
        made_of = found.made_of(95)
        assert found.row(95).verdict == "over"
        assert made_of.culprit is not None
        assert (made_of.culprit.stage, made_of.culprit.basis) == ("retrieval", "typical")
        assert found.typical is not None
        typical = {stage["stage"]: stage["mean_ns"] for stage in found.typical.stages}
        for stage in made_of.stages:
            assert stage.overrun_ns == max(0, stage.mean_ns - typical[stage.stage])


def test_a_request_within_its_budget_has_no_culprit() -> None:
    found = of(times(), '[budget]\np95 = "5s"')
    assert [made_of.culprit for made_of in found.breakdown] == [None] * 5
    assert over(found) == []


def test_without_a_budget_the_tail_still_has_a_culprit_and_the_typical_request_has_none() -> None:
    found = of(times())
    assert found.budget is None
    assert found.made_of(50).culprit is None
    culprit = found.made_of(95).culprit
    assert culprit is not None
    assert (culprit.stage, culprit.basis) == ("retrieval", "typical")


def test_a_stage_that_is_slow_in_every_request_is_not_blamed_on_what_grew_a_little() -> None:
    matrix = times()
    matrix[:, 2] = 800 * MS + np.arange(1000) % 7 * MS
    culprit = of(matrix, '[stages.tools]\np95 = "100ms"').made_of(95).culprit
    assert culprit is not None
    assert culprit.stage == "tools"
    assert culprit.operation is not None
    assert not culprit.operation.tail
    assert culprit.operation.name == "do tools"


def test_stages_come_in_one_order_with_the_users_own_and_unattributed_last() -> None:
    found = of(
        times(),
        '[stages.zebra]\np95 = "1s"\nmatch = { name = "z" }\n[stages.apple]\np95 = "1s"\nmatch = { name = "a" }',
    )
    assert list(dict.fromkeys(row.stage for row in found.stages)) == [
        "retrieval", "inference", "tools", "apple", "zebra", "unattributed",
    ]  # fmt: skip
    assert [stage.stage for stage in found.made_of(95).stages] == list(dict.fromkeys(row.stage for row in found.stages))


# -- streaming


def test_inference_is_parted_into_the_wait_for_the_first_token_and_writing() -> None:
    stage_ns = times(n=400)
    inference = stage_ns[:, STAGES.index("inference")]
    waiting = np.where(np.arange(400) % 4 == 0, 0, inference // 3)  # one answer in four records no first token
    writing = np.where(waiting > 0, inference - waiting, 0)
    for made_of in of(stage_ns, parts_ns=np.stack([waiting, writing], 1)).breakdown:
        parts = made_of.streaming
        whole = next(stage.mean_ns for stage in made_of.stages if stage.stage == "inference")
        assert parts is not None
        assert parts.waiting_ns + parts.writing_ns + parts.untold_ns == whole
        assert parts.writing_ns == pytest.approx(2 * parts.waiting_ns, rel=0.01)
        assert parts.untold_ns > 0


def test_parts_are_no_more_than_the_inference_that_a_budget_leaves() -> None:
    stage_ns = times(n=100)
    made_of = of(stage_ns, parts_ns=np.full((100, 2), 100 * S)).breakdown[0]
    assert made_of.streaming is not None
    assert (made_of.streaming.writing_ns, made_of.streaming.untold_ns) == (0, 0)


def test_without_recorded_first_tokens_nothing_is_said_of_streaming() -> None:
    assert all(made_of.streaming is None for made_of in of(times()).breakdown)


# -- everything slow, natural spread


def test_where_typical_requests_are_over_the_cap_too_growth_names_nobody() -> None:
    random = np.random.default_rng(8)
    matrix = np.stack([random.uniform(0, 60, 400), np.full(400, 5_000), np.full(400, 20), np.full(400, 5)], 1) * MS
    found = of(matrix.astype(np.int64), '[budget]\np50 = "300ms"\np95 = "1s"')
    for percentile in (50, 95):
        made_of = found.made_of(percentile)
        assert made_of.everything_slow
        assert made_of.culprit is not None
        assert (made_of.culprit.stage, made_of.culprit.basis) == ("inference", "largest")


def test_of_several_parts_each_as_long_as_the_time_over_none_is_the_culprit() -> None:
    matrix = np.tile(np.array([700, 690, 20, 5]) * MS, (400, 1))
    made_of = of(matrix, '[budget]\np50 = "1s"').made_of(50)
    assert made_of.culprit is None
    assert [one.stage for one in made_of.any_of] == ["retrieval", "inference"]
    assert sum(stage.overrun_ns for stage in made_of.stages) == 0


@pytest.mark.parametrize(("largest", "named"), [(1000, "retrieval"), (999, None)])
def test_the_largest_part_is_named_from_half_of_the_band_on(largest: int, named: str | None) -> None:
    matrix = np.tile(np.array([largest, 2000 - largest - 500, 490, 10]) * MS, (400, 1))
    made_of = of(matrix, '[budget]\np50 = "100ms"').made_of(50)
    assert (made_of.culprit.stage if made_of.culprit else None) == named
    assert named is not None or [one.stage for one in made_of.any_of] == ["retrieval"]


def test_while_typical_requests_keep_the_cap_growth_names_the_culprit_however_large_inference_is() -> None:
    made_of = of(times(), '[budget]\np95 = "1s"').made_of(95)
    assert made_of.culprit is not None
    assert (made_of.culprit.stage, made_of.culprit.basis) == ("retrieval", "typical")


def test_without_a_budget_parts_that_all_grow_alike_are_the_natural_spread() -> None:
    load = np.random.default_rng(9).lognormal(0, 0.4, 1000)
    matrix = (load[:, None] * np.array([100, 400, 60, 10]) * MS).astype(np.int64)
    made_of = of(matrix).made_of(95)
    assert made_of.natural_spread
    assert made_of.culprit is None
    assert not of(times()).made_of(95).natural_spread

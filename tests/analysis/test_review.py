"""The review: verdicts, breakdowns that add up, blame, culprits, routes and good answers."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.budget import Budget, StageBudget, parse_budget
from analysis.measure import DatasetFacts, Evidence, Measured, measure
from analysis.path import PathTable, find_causes
from analysis.percentiles import Quantile
from analysis.requests import UNKNOWN, Coded, Filters, RequestTable
from analysis.review import TOTAL, Review, judge, over, review, verdict
from store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, S, Work

STAGES = ("retrieval", "inference", "tools", "unattributed")


def evidence(stage_ns: np.ndarray, routes: list[str] | None = None, scored: np.ndarray | None = None) -> Evidence:
    """Requests with the given stage times (ns; columns as STAGES), one operation per stage, without any dataset."""
    n = len(stage_ns)
    route = routes or ["POST /chat"] * n
    names = tuple(dict.fromkeys(route)) or ("POST /chat",)
    nothing = Coded(np.full(n, -1, np.int32), ())
    good = np.full(n, UNKNOWN, np.int8) if scored is None else scored.astype(np.int8)
    table = RequestTable(
        request_no=np.arange(n, dtype=np.int32),
        start_ns=np.arange(n, dtype=np.int64) * S,
        latency_ns=stage_ns.sum(1),
        complete=np.ones(n, bool),
        route=Coded(np.array([names.index(r) for r in route], np.int32), names),
        service=nothing,
        model=nothing,
        status=nothing,
        score=np.full(n, np.nan),
        scored=good != UNKNOWN,
        good=good,
        stages=STAGES,
        present=(True,) * len(STAGES),
        stage_ns=stage_ns,
    )
    codes = np.tile(np.arange(len(STAGES), dtype=np.int32), n)
    path = PathTable(
        request_no=np.repeat(table.request_no, len(STAGES)),
        operation=codes,
        hop=np.full(n * len(STAGES), -1, np.int32),
        stage=codes.astype(np.int16),
        duration_ns=stage_ns.ravel(),
        service=Coded(np.zeros(len(STAGES), np.int32), ("api",)),
        name=Coded(np.arange(len(STAGES), dtype=np.int32), tuple(f"do {stage}" for stage in STAGES)),
        places=(),
    )
    facts = DatasetFacts(n, n, n, 0, None, None)
    return Evidence(facts, table, find_causes(path, table))


def of(stage_ns: np.ndarray, budget: str = "", **more: object) -> Review:
    return judge(measure(evidence(stage_ns, **more)), parse_budget(budget) if budget else None)  # type: ignore[arg-type]


def times(seed: int = 1, n: int = 1000, slow_share: float = 0.1, slow_ms: float = 900) -> np.ndarray:
    """Requests whose tail is retrieval."""
    random = np.random.default_rng(seed)
    retrieval = random.gamma(4, 10 * MS, n) + (random.random(n) < slow_share) * slow_ms * MS
    parts = [retrieval, random.gamma(20, 20 * MS, n), random.gamma(4, 5 * MS, n), np.full(n, 2 * MS)]
    return np.stack(parts, 1).astype(np.int64)


stage_matrices = st.builds(
    lambda seed, n, spread: np.random.default_rng(seed).gamma(spread, 1e8, (n, len(STAGES))).astype(np.int64),
    st.integers(0, 10**6),
    st.integers(1, 400),
    st.sampled_from([0.05, 0.5, 3.0]),
)
caps = st.dictionaries(st.sampled_from([50, 75, 95, 99]), st.integers(MS, 2 * S), max_size=3).map(
    lambda found: dict(zip(sorted(found), sorted(found.values()), strict=True))
)
budgets = st.builds(
    lambda total, stages: Budget(total, {stage: StageBudget(own) for stage, own in stages.items()}),
    caps,
    st.dictionaries(st.sampled_from(STAGES), caps, max_size=4),
)


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


def test_a_lower_bound_is_enough_to_be_over_but_not_from_fewer_than_five_requests() -> None:
    assert of(times(n=5), '[budget]\np95 = "1ms"').row(95).verdict == "over"
    assert of(times(n=4), '[budget]\np95 = "1ms"').row(95).verdict == "unknown"


def test_a_capped_stage_that_no_span_belongs_to_is_not_known_to_be_fast() -> None:
    found = of(times(), '[stages.safety]\np95 = "10ms"')
    assert found.row(95, "safety").verdict == "unknown"
    assert found.unmatched["stages"] == ["safety"]


# -- breakdown, overrun, blame


@settings(deadline=None)
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


@settings(deadline=None)
@given(stage_matrices, budgets, st.randoms(use_true_random=False))
def test_the_order_of_the_requests_changes_nothing(matrix: np.ndarray, budget: Budget, random: object) -> None:
    order = random.sample(range(len(matrix)), len(matrix))  # type: ignore[attr-defined]
    one, other = (judge(measure(evidence(m)), budget) for m in (matrix, matrix[order]))
    assert (one.end_to_end, one.stages) == (other.end_to_end, other.stages)
    for a, b in zip(one.breakdown, other.breakdown, strict=True):
        assert (a.band_requests, a.culprit and a.culprit.stage) == (b.band_requests, b.culprit and b.culprit.stage)
        assert [s.mean_ns for s in a.stages] == pytest.approx([s.mean_ns for s in b.stages], abs=2)


@settings(deadline=None)
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


# -- routes, good answers, few requests


def test_a_routes_own_caps_judge_that_route_and_the_general_ones_all_together() -> None:
    routes = ["POST /chat"] * 700 + ["GET /slow"] * 300
    matrix = times()
    matrix[700:, 1] += 2 * S
    slow_route = '[routes."GET /slow"]\np50 = "2s"\n[routes."GET /slow".stages.inference]\np50 = "1s"\n'
    budget = f'[budget]\np50 = "900ms"\n{slow_route}[routes.x]'
    found = of(matrix, budget, routes=routes)
    assert found.row(50).verdict == "within"
    chat, slow = found.routes
    assert (chat.route, chat.requests, slow.route, slow.requests) == ("POST /chat", 700, "GET /slow", 300)
    assert slow.end_to_end[0].verdict == "over"
    assert {row.verdict for row in chat.end_to_end} == {None}
    assert [(entry.route, entry.stage, entry.percentile) for entry in over(found)] == [
        ("GET /slow", TOTAL, 50),
        ("GET /slow", "inference", 50),
    ]
    assert found.unmatched["routes"] == ["x"]


def test_requests_of_one_route_alone_are_held_to_that_routes_budget() -> None:
    routes = ["POST /chat"] * 500 + ["GET /slow"] * 500
    budget = parse_budget('[budget]\np95 = "1ms"\n[routes."POST /chat"]\np95 = "5s"')
    found = judge(measure(evidence(times(), routes), Filters(route="POST /chat")), budget)
    assert found.row(95).verdict == "within"
    assert found.routes == ()
    assert found.selected == {
        "requests": 500, "incomplete_left_out": 0, "include_incomplete": False, "filters": {"route": "POST /chat"},
    }  # fmt: skip


def test_of_very_many_routes_the_busiest_and_the_named_are_told() -> None:
    routes = [f"GET /{i % 90:02}" for i in range(1000)]
    measured = measure(evidence(times(), routes), routes=["GET /89"])
    found = judge(measured, parse_budget('[routes."GET /89"]\np50 = "1ms"'))
    assert (len(found.routes), found.other_routes) == (51, 39)
    assert [row.route for row in found.routes][:2] == ["GET /00", "GET /01"]
    assert found.routes[-1].route == "GET /89"
    assert {entry.route for entry in over(found)} == {"GET /89"}


def test_good_answers_count_and_so_do_those_good_in_time() -> None:
    matrix = np.full((8, 4), 25 * MS)
    matrix[:4] *= 10
    scored = np.array([1, 1, 0, -1, 1, 0, -1, -1])
    found = of(matrix, '[budget]\np50 = "1ms"\np95 = "500ms"', scored=scored).good
    assert found is not None
    assert (found.requests_scored, found.good, found.good_within_budget, found.budget_ns) == (5, 3, 1, 500 * MS)
    assert [row.n for row in found.end_to_end] == [3] * 5
    without = of(matrix, scored=scored).good
    assert without is not None
    assert (without.good, without.good_within_budget, without.budget_ns) == (3, None, None)
    assert of(matrix).good is None


def test_a_few_requests_are_still_told_what_they_are_made_of() -> None:
    found = of(times(n=2), '[budget]\np95 = "1ms"')
    assert {row.verdict for row in found.end_to_end} == {"unknown", None}
    assert [made_of.band_latency_ns for made_of in found.breakdown] == [None] * 5
    assert found.overall is not None
    assert sum(stage["mean_ns"] for stage in found.overall.stages) == found.overall.latency_ns


def test_no_requests_give_an_empty_review() -> None:
    found = of(np.zeros((0, 4), np.int64), '[budget]\np95 = "1s"\n[stages.tools]\np95 = "1s"')
    assert [(row.n, row.latency_ns) for row in found.end_to_end] == [(0, None)] * 5
    assert found.row(95).verdict == "unknown"
    assert (found.typical, found.overall, found.good) == (None, None, None)
    json.dumps(found.as_dict(), allow_nan=False)


# -- from a dataset


def slow_hops() -> DatasetBuilder:
    """One request in ten waits for `cart` before it starts; the provider is as fast as ever."""
    random = np.random.default_rng(3)
    builder = DatasetBuilder()
    for number in range(300):
        waits = 480 * MS if number % 10 == 0 else 3 * MS
        builder.request(
            Work("tools", int(waits + random.integers(0, MS)), "GET /cart", hop_to="cart", callee_ns=12 * MS),
            Work("inference", int(200 * MS + random.integers(0, 90 * MS)), "chat", hop_to="openai"),
            rest_ns=MS,
        )
    return builder


def test_time_that_passes_before_a_service_starts_is_blamed_on_the_hop_to_it(tmp_path: Path) -> None:
    connection = open_dataset(slow_hops().write(tmp_path / "hops.duckdb"))
    found = review(connection, parse_budget('[stages.tools]\np95 = "100ms"'))
    culprit = found.made_of(95).culprit
    assert culprit is not None
    assert culprit.operation is not None
    operation = culprit.operation
    assert (operation.service_name, operation.name, operation.hop_to) == ("api", "GET /cart", "cart")
    assert operation.mean_ns == pytest.approx(480 * MS, rel=0.01)
    assert operation.excess_ns == pytest.approx(477 * MS, rel=0.01)
    assert operation.callee_ns == 12 * MS
    connection.close()


def test_the_json_of_a_review_has_the_promised_keys(tmp_path: Path) -> None:
    connection = open_dataset(slow_hops().write(tmp_path / "hops.duckdb"))
    found = review(connection, parse_budget('[budget]\np95 = "1s"\n[stages.tools]\np95 = "100ms"')).as_dict()
    connection.close()
    assert list(found["dataset"]) == ["spans", "traces", "requests", "incomplete", "start", "end"]
    assert (found["dataset"]["spans"], found["dataset"]["traces"], found["dataset"]["requests"]) == (1200, 300, 300)
    assert found["dataset"]["start"] == "2026-09-21T14:13:20.000000Z"
    assert found["budget"] == {"budget": {"p95": "1s"}, "stages": {"tools": {"p95": "100ms"}}}
    assert found["percentiles"] == [50, 75, 90, 95, 99]
    row = {"percentile", "latency_ns", "ci_low_ns", "ci_high_ns", "n", "budget_ns", "verdict"}
    assert all(row <= set(entry) for entry in found["end_to_end"])
    assert all({"stage"} | row <= set(entry) for entry in found["stages"])
    made_of = found["breakdown"][3]
    assert {"percentile", "band_requests", "band_latency_ns", "stages", "culprit"} <= set(made_of)
    assert {"stage", "mean_ns", "share", "budget_ns", "overrun_ns", "blame"} <= set(made_of["stages"][0])
    assert {"stage", "overrun_ns", "blame", "operation"} <= set(made_of["culprit"])
    assert {"service_name", "name", "hop_to", "excess_ns"} <= set(made_of["culprit"]["operation"])
    assert found["good"] is None


def test_without_requests_that_a_match_names_there_is_nothing_to_review(tmp_path: Path) -> None:
    connection = open_dataset(slow_hops().write(tmp_path / "hops.duckdb"))
    found = review(connection, parse_budget('[request]\nmatch = { name = "nothing" }'))
    connection.close()
    assert (found.dataset.requests, found.dataset.spans, found.selected["requests"]) == (0, 1200, 0)


def test_judging_again_needs_no_measuring_again() -> None:
    measured: Measured = measure(evidence(times()))
    strict, lax = (judge(measured, parse_budget(f'[budget]\np95 = "{cap}"')) for cap in ("1ms", "1h"))
    assert (strict.row(95).verdict, lax.row(95).verdict) == ("over", "within")
    assert strict.row(95).latency_ns == lax.row(95).latency_ns

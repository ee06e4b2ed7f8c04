"""The review: routes, good answers, few requests, and what a dataset makes of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.measure import Measured, measure
from overbudget.analysis.review.review import TOTAL, judge, over, review
from overbudget.app.text.headline import headline
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import MS, DatasetBuilder, S, Work
from tests.made_up_requests import evidence, of, times

# -- routes, good answers, few requests


def test_a_routes_own_caps_judge_that_route_and_the_general_ones_all_together() -> None:
    routes = (["POST /chat"] * 7 + ["GET /slow"] * 3) * 100
    matrix = times()
    matrix[[route == "GET /slow" for route in routes], 1] += 2 * S
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
    routes = [f"GET /{i % 90:02}" for i in range(4500)]
    measured = measure(evidence(times(n=4500), routes), routes=["GET /89"])
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
    assert list(found["dataset"]) == [
        "spans",
        "traces",
        "requests",
        "incomplete",
        "start",
        "end",
        "sampled",
        "warnings",
    ]
    assert found["dataset"]["warnings"] == []
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


@pytest.mark.parametrize("percentile", [0, 100, -1, 101])
def test_only_percentiles_from_1_to_99_are_reviewed(percentile: int) -> None:
    with pytest.raises(OverbudgetError, match="from p1 to p99"):
        measure(evidence(times()), percentiles=[percentile])


def test_judging_again_needs_no_measuring_again() -> None:
    measured: Measured = measure(evidence(times()))
    strict, lax = (judge(measured, parse_budget(f'[budget]\np95 = "{cap}"')) for cap in ("1ms", "1h"))
    assert (strict.row(95).verdict, lax.row(95).verdict) == ("over", "within")
    assert strict.row(95).latency_ns == lax.row(95).latency_ns


def test_a_loop_that_runs_more_often_is_told_as_how_often_and_the_parts_sum_to_the_excess(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    builder = DatasetBuilder()
    for number in range(300):
        times = 10 if number % 10 == 0 else 4
        builder.request(*(Work("inference", int(random.uniform(90, 110) * MS), "chat") for _ in range(times)))
    found = review(open_dataset(builder.write(tmp_path / "loop.duckdb")))
    operation = found.made_of(95).culprit.operation  # type: ignore[union-attr]
    assert operation is not None
    assert operation.why is not None
    why = operation.why
    assert (why.calls_before, why.calls_after) == (4, 10)
    assert why.how_often_ns + why.how_large_ns + why.how_slow_ns == operation.excess_ns
    assert why.how_often_ns > 0.9 * operation.excess_ns
    assert "(10 calls a request instead of 4, each as long as before)" in headline(found)[1]

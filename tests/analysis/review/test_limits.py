"""Limits that no request may exceed."""

from pathlib import Path

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.compare.compare import deciding_percentiles
from overbudget.analysis.review.over import over
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.review import review
from overbudget.app.text.check import check_sentences
from overbudget.app.text.tables import percentile_rows
from overbudget.stages.name_template import template
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import MS, DatasetBuilder, Work


def reviewed(tmp_path: Path, budget: str, *times: int, routes: tuple[str, ...] = ("POST /chat",)) -> Review:
    """Requests of which retrieval takes `times` ms, and 100 ms nothing; routes in turn."""
    builder = DatasetBuilder()
    for number, ms in enumerate(times):
        builder.request(Work("retrieval", ms * MS), rest_ns=100 * MS, route=routes[number % len(routes)])
    return review(open_dataset(builder.write(tmp_path / "d.duckdb")), parse_budget(budget))


@pytest.mark.parametrize(("limit", "exceeded"), [(50, 0), (49, 1)])
def test_one_request_over_a_limit_is_over_it_however_many_keep_it(tmp_path: Path, limit: int, exceeded: int) -> None:
    found = reviewed(tmp_path, f"[stages.retrieval]\nmax = '{limit}ms'", *[10] * 99, 50)
    (row,) = found.limits
    assert (row.stage, row.route, row.requests, row.exceeded, row.longest_ns) == (
        "retrieval",
        None,
        100,
        exceeded,
        50 * MS,
    )
    assert [entry.requests for entry in over(found)] == [1] * exceeded
    said = check_sentences(found, over(found))
    assert ("1 request exceeds the limit of 49 ms on retrieval; the longest takes 50 ms." in said) == bool(exceeded)
    assert ("Every cap is met." in said) != bool(exceeded)


def test_a_limit_on_the_whole_request_and_one_of_a_route(tmp_path: Path) -> None:
    budget = "[budget]\nmax = '140ms'\n[routes.'B']\nmax = '120ms'"
    found = reviewed(tmp_path, budget, 30, 30, 50, 10, routes=("A", "B"))
    assert [(row.route, row.limit_ns // MS, row.requests, row.exceeded) for row in found.limits] == [
        (None, 140, 2, 1),
        ("B", 120, 2, 1),
    ]


def test_a_limit_of_a_route_that_the_budget_names_with_an_id_holds_there(tmp_path: Path) -> None:
    budget = "[budget]\nmax = '1s'\n[routes.'GET /orders/1234567']\nmax = '120ms'"
    found = reviewed(tmp_path, budget, 30, 50, routes=(template("GET /orders/1234567"), "B"))
    assert [(row.route, row.limit_ns // MS, row.requests, row.exceeded) for row in found.limits] == [
        (None, 1000, 1, 0),
        (template("GET /orders/1234567"), 120, 1, 1),
    ]


def test_few_requests_are_judged_too_because_a_limit_needs_no_interval(tmp_path: Path) -> None:
    found = reviewed(tmp_path, "[budget]\nmax = '140ms'", 50)
    assert [row.exceeded for row in found.limits] == [1]
    assert check_sentences(found, over(found))[-1].startswith(
        "1 request exceeds the limit of 140 ms on the whole request"
    )


def test_it_is_judged_by_requests_and_not_by_percentiles(tmp_path: Path) -> None:
    found = reviewed(tmp_path, "[budget]\np50 = '120ms'\nmax = '200ms'", *range(5, 95))
    assert [row.budget_ns for row in found.end_to_end] == [120 * MS, *[None] * 4]
    assert percentile_rows(found)[0].caps == "120 ms p50, 200 ms max"


def test_a_limit_below_a_cap_is_a_mistake_with_its_line() -> None:
    with pytest.raises(
        OverbudgetError, match=r"line 3.*max = 100ms is less than p95 = 200ms in line 2.*no request may exceed it"
    ):
        parse_budget("[stages.retrieval]\np95 = '200ms'\nmax = '100ms'")
    assert parse_budget("[stages.retrieval]\np95 = '200ms'\nmax = '200ms'").stage_caps("retrieval") == {
        95: 200 * MS,
        100: 200 * MS,
    }


def test_limits_are_not_added_up_and_decide_no_comparison() -> None:
    budget = parse_budget("[budget]\nmax = '1s'\n[stages.retrieval]\nmax = '900ms'\n[stages.inference]\nmax = '900ms'")
    assert budget.remarks == ()
    assert deciding_percentiles(budget) == (50, 95)

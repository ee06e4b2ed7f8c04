"""Limits that no request may exceed."""

from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.compare.compare import deciding_percentiles
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.over import over
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.review import review
from overbudget.app.text.check import check_sentences
from overbudget.app.text.headline import headline
from overbudget.app.text.notes import notes
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


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("max = '194ms'", "the longest takes 194 ms, within the limit of 194 ms."),
        ("max = '193ms'", "the budget has a limit for the whole request, and no cap at a percentile."),
        ("", "the budget has no cap for the whole request."),
    ],
)
def test_a_budget_with_a_limit_alone_is_not_said_to_cap_nothing(tmp_path: Path, budget: str, said: str) -> None:
    times = np.random.default_rng(5).permutation(range(5, 95)).tolist()
    found = reviewed(tmp_path, f"[budget]\n{budget}", *times)
    assert headline(found)[0].endswith(f"; {said}")


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


def told(found: Review) -> list[tuple[str, int, int, int | None, str]]:
    return [(row.stage, row.requests, row.without, row.longest_ns, row.verdict) for row in found.limits]


def test_a_limit_on_what_nothing_records_is_no_pass(tmp_path: Path) -> None:
    budget = "[first_token]\nmax = '1s'\n[stages.tools]\nmax = '1s'\n[stages.inference]\nmax = '1s'\n[stages.retrieval]\nmax = '1s'"
    found = reviewed(tmp_path, budget, 10, 20)
    assert told(found) == [
        ("first_token", 0, 2, None, "unknown"),
        ("tools", 0, 0, None, "unknown"),
        ("inference", 0, 0, None, "unknown"),
        ("retrieval", 2, 0, 20 * MS, "within"),
    ]
    said = check_sentences(found, over(found))
    assert said == [
        "NOT JUDGED: 3 of 4 caps could not be judged (the limit on the first token: nothing records it). This is not a pass.",
        "No cap is known to be broken.",
    ]
    assert "No request records a first token of its answer, so its cap cannot be judged." in notes(found)
    assert "No span is classified as tools, so its cap cannot be judged." in notes(found)


def test_a_limit_on_a_stage_that_no_span_shows_says_so(tmp_path: Path) -> None:
    found = reviewed(tmp_path, "[stages.tools]\nmax = '1s'", 10)
    assert "(the limit on tools: no span says how long it takes)" in check_sentences(found, over(found))[0]


def test_where_most_requests_record_no_first_token_only_a_broken_limit_on_it_is_judged(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for ttft_ns in (30 * MS, None, None):
        builder.request(Work("inference", 100 * MS), ttft_ns=ttft_ns)
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    kept, broken = (review(connection, parse_budget(f"[first_token]\nmax = '{ms}ms'")) for ms in (30, 29))
    assert told(kept) == [("first_token", 1, 2, 30 * MS, "unknown")]
    assert told(broken) == [("first_token", 1, 2, 30 * MS, "over")]
    assert "(the limit on the first token: 1 of 3 record it)" in check_sentences(kept, [])[0]


def test_a_limit_on_a_stage_that_only_other_requests_have_is_kept(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    builder.request(Work("retrieval", 10 * MS), route="A")
    builder.request(Work("tools", 10 * MS), route="B")
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    found = review(connection, parse_budget("[stages.tools]\nmax = '1ms'"), Filters(route="A"))
    assert told(found) == [("tools", 0, 0, None, "within")]
    assert check_sentences(found, over(found)) == ["Every cap is met."]


def test_a_limit_is_not_judged_where_no_request_is_left(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    builder.request(Work("retrieval", 10 * MS), route="A")
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    found = review(connection, parse_budget("[budget]\nmax = '1s'"), Filters(route="B"))
    assert told(found) == [("total", 0, 0, None, "unknown")]
    assert check_sentences(found, over(found))[0].startswith("NOT JUDGED: 1 of 1 cap could not be judged")

"""The objective over weeks in words: what is spent and what is unknown, the same in every form of the answer."""

from dataclasses import replace
from pathlib import Path

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.objective.error_budget import Burn, BurnedBy, ErrorBudget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.review import review
from overbudget.app.html.report import review_html
from overbudget.app.text.markdown import markdown
from overbudget.app.text.objective import burn_cell, objective_sentences
from overbudget.app.text.review import review_blocks
from overbudget.store.dataset import open_dataset
from tests.analysis.objective.test_error_budget import BUDGET, DAY, weeks

KEPT = ErrorBudget(
    within_target=0.999,
    window_ns=28 * DAY,
    covered_ns=28 * DAY,
    requests=10_000,
    within=9_996,
    spent=0.4,
    burn=(Burn("1h", 0.0, 0.0, 0.5, 20), Burn("1d", 1.2, 0.8, 1.9, 400), Burn("7d", 0.4, None, None, 2500)),
    stages=(BurnedBy("retrieval", 0.75),),
    failed=0.25,
    unexplained=0.0,
)


def test_an_objective_that_is_kept_says_how_much_is_spent_and_by_what() -> None:
    aim, by = objective_sentences(KEPT)
    assert aim == (
        "The objective is 99.9% of requests that do not fail and keep the cap at p95, over 28 days. "
        "9,996 of 10,000 requests did: 40% of the error budget is spent."
    )
    assert by == "Of what is spent, 75% by requests that take too long in retrieval and 25% by requests that failed."


@pytest.mark.parametrize(
    ("spent", "said"),
    [(0.0, "none of the error budget is spent"), (1.0, "100% of"), (1.26, "overspent, 1.3 times what is allowed")],
)
def test_what_is_spent_is_said_up_to_all_of_it_and_beyond(spent: float, said: str) -> None:
    assert said in objective_sentences(replace(KEPT, spent=spent))[0]


def test_only_a_burn_rate_that_is_certainly_too_fast_is_said_to_be() -> None:
    assert not any("faster than allowed" in one for one in objective_sentences(KEPT))
    fast = replace(KEPT, burn=(Burn("1h", 3.2, 1.0, 6.0, 20), Burn("1d", 2.0, 1.01, 4.0, 400)))
    assert "It is spent faster than allowed: 2 times in the last day." in objective_sentences(fast)


def test_what_is_unknown_is_said() -> None:
    few = replace(KEPT, covered_ns=37 * DAY // 24, burn=(KEPT.burn[0], Burn("1d", None, None, None, 3)))
    said = objective_sentences(few, sampled=True)
    assert "over 28 days (the data covers 37 hours). 9,996 of 10,000 requests that were recorded, did" in said[0]
    assert said[-1].startswith("The burn rate of the last day is unknown")
    assert "cannot be judged" in objective_sentences(replace(KEPT, spent=None))[0]


@pytest.mark.parametrize(
    ("one", "text", "mark"),
    [
        (Burn("1h", 2.0, 1.1, 3.0, 9), "2", "over"),
        (Burn("1h", 2.0, 1.0, 3.0, 9), "2", "at_risk"),
        (Burn("1h", 1.0, 0.5, 3.0, 9), "1", "within"),
        (Burn("1h", 2.0, None, None, 9), "2", None),
        (Burn("1h", None, None, None, 9), "unknown", "unknown"),
    ],
)
def test_a_burn_rate_is_marked_by_its_interval(one: Burn, text: str, mark: str | None) -> None:
    cell = burn_cell(one)
    assert (cell.text, cell.mark) == (text, mark)


def test_text_markdown_and_report_say_it(tmp_path: Path) -> None:
    connection = open_dataset(weeks(tmp_path / "weeks.duckdb"))
    budget = parse_budget(BUDGET)
    found = review(connection, budget)
    assert found.objective is not None
    spoken = objective_sentences(found.objective)[0]
    assert spoken in markdown(review_blocks(found))
    report = review_html(connection, "weeks", found, budget, Filters())
    assert spoken in report
    assert "last 7 days" in report
    assert found.as_dict()["objective"]["burn"][1]["window"] == "1d"
    assert review(connection, parse_budget('[budget]\np95 = "1s"\n')).as_dict()["objective"] is None

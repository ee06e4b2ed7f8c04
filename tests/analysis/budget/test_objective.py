"""The section [objective] of a budget file: read strictly, with what was meant."""

import pytest

from overbudget.analysis.budget.file import edit_budget, parse_budget
from overbudget.analysis.budget.objective import Objective, window_literal
from overbudget.store.errors import OverbudgetError

DAY = 24 * 3600 * 10**9


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ('within = 0.99\nwindow = "28d"', Objective(0.99, 28 * DAY)),
        ("within = 0.999", Objective(0.999, 28 * DAY)),
        ('within = 0.5\nwindow = "4w"', Objective(0.5, 28 * DAY)),
        ('within = 0.5\nwindow = " 36 h "', Objective(0.5, DAY * 3 // 2)),
        ('within = 0.5\nwindow = "366d"', Objective(0.5, 366 * DAY)),
        ("", None),
    ],
)
def test_a_share_and_a_window_are_read(text: str, objective: Objective | None) -> None:
    assert parse_budget(f'[budget]\np95 = "1s"\n[objective]\n{text}\n').objective == objective


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('window = "28d"', 1, "needs `within`"),
        ("within = 99", 2, "did you mean 0.99?"),
        ("within = 99.9", 2, "did you mean 0.999?"),
        ('within = "99%"', 2, "did you mean 0.99?"),
        ('within = "0.99"', 2, "did you mean 0.99?"),
        ("within = 1", 2, "no objective"),
        ("within = 0", 2, "no objective"),
        ("within = 100", 2, "no objective"),
        ("within = true", 2, "a share without quotes"),
        ("within = nan", 2, "a share without quotes"),
        ("within = 0.9\nwindow = 28", 3, 'did you mean window = "28d"?'),
        ('within = 0.9\nwindow = "28 days"', 3, 'did you mean window = "28d"?'),
        ('within = 0.9\nwindow = "0d"', 3, "in days, weeks or hours"),
        ('within = 0.9\nwindow = "30m"', 3, "in days, weeks or hours"),
        ('within = 0.9\nwindow = "367d"', 3, "longer than a year"),
        ("wihtin = 0.9", 2, "Did you mean `within`?"),
    ],
)
def test_a_slip_is_reported_with_its_line_and_what_was_meant(text: str, line: int, said: str) -> None:
    with pytest.raises(OverbudgetError) as caught:
        parse_budget(f"[objective]\n{text}\n")
    assert f"line {line}: " in str(caught.value)
    assert said in str(caught.value)


def test_an_objective_without_any_cap_is_remarked() -> None:
    (remark,) = parse_budget("\n[objective]\nwithin = 0.9\n").remarks
    assert remark.startswith("Line 2: the objective counts requests within the cap")
    assert parse_budget('[objective]\nwithin = 0.9\n[routes.x]\np95 = "1s"\n').remarks == ()


def test_editing_a_cap_leaves_the_objective_and_its_comments_as_they_were() -> None:
    text = '[budget]\np95 = "1s"\n\n[objective]  # agreed in May\nwithin = 0.99  # of all\nwindow = "28d"\n'
    assert edit_budget(text, {("budget", "p95"): 2 * 10**9}) == text.replace('"1s"', '"2s"')


def test_a_window_is_written_as_it_is_read() -> None:
    assert (window_literal(28 * DAY), window_literal(DAY * 3 // 2)) == ("28d", "36h")

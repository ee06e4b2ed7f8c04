"""Which cap holds: at the percentile given, between two, above the highest, and on routes."""

import pytest

from overbudget.analysis.budget.caps import Cap, cap_of, caps_by_route, held_to, total_cap
from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.budget.model import cap_at

BUDGET = parse_budget('[budget]\np50 = "1ms"\np95 = "3ms"\n[routes."POST /a"]\np95 = "9ms"\n')
MS = 1_000_000


@pytest.mark.parametrize(
    ("percentile", "cap"),
    [(50, (1, False)), (51, (3, False)), (94, (3, False)), (95, (3, False)), (96, (3, True)), (99, (3, True))],
)
def test_the_next_higher_cap_holds_and_above_the_highest_it_is_borrowed(percentile: int, cap: tuple[int, bool]) -> None:
    assert cap_at({50: 1, 95: 3}, percentile) == cap
    assert cap_of({50: 1, 95: 3}, percentile) == Cap(cap[0], percentile, cap[1])


def test_without_caps_nothing_holds() -> None:
    assert cap_at({}, 95) == (None, False)
    assert cap_of({}) is None
    assert total_cap(None, ["POST /a"]) is None
    assert caps_by_route(None, ["POST /a"]).tolist() == [-1]


def test_a_request_is_within_budget_at_p95_by_its_routes_own_cap() -> None:
    assert caps_by_route(BUDGET, ["POST /a", "POST /b"]).tolist() == [9 * MS, 3 * MS]
    assert caps_by_route(BUDGET, ["POST /a", "POST /b"], 50).tolist() == [9 * MS, MS]


def test_one_route_alone_is_held_to_its_own_caps_and_several_to_the_general_ones() -> None:
    assert total_cap(BUDGET, ["POST /a"]) == Cap(9 * MS, 95, False)
    assert total_cap(BUDGET, ["POST /a", "POST /a"]) == Cap(9 * MS, 95, False)
    assert total_cap(BUDGET, ["POST /a", "POST /b"]) == Cap(3 * MS, 95, False)
    assert total_cap(BUDGET, ["POST /b"]) == Cap(3 * MS, 95, False)
    assert held_to(BUDGET, []) is BUDGET

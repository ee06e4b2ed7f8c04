"""When a request has spent its cap."""

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.trace.result import Segment, Trace, TraceRequest
from overbudget.analysis.trace.runs_out import Spent, spent_at, spent_caps

PATH = [("retrieval", 0, 300), ("user", 300, 1300), ("inference", 1300, 1800), ("tools", 1800, 1900)]
REQUEST = TraceRequest(
    "a", "POST /chat", 1900, 1000, True, [Segment("s", start, end, stage, None) for stage, start, end in PATH]
)


@pytest.mark.parametrize(
    ("cap", "expected"),
    [
        (299, Spent(299, "retrieval", 601, 299)),
        (300, Spent(1300, "inference", 600, 300)),  # spent while a person is asked, exceeded once work goes on
        (799, Spent(1799, "inference", 101, 799)),
        (800, Spent(1800, "tools", 100, 800)),
        (899, Spent(1899, "tools", 1, 899)),
        (900, None),
    ],
)
def test_it_is_spent_in_the_stage_that_has_the_path_then(cap: int, expected: Spent | None) -> None:
    assert spent_at(REQUEST, cap) == expected


OF_TRACE = Trace("t", [], [REQUEST])
RULES = (
    '[stages.user]\nmatch = [{name = "llm_request"}]',
    '[request]\nmatch = {name = "authorize"}',
    '[background]\nmatch = {name = "log"}',
)


def test_a_trace_is_held_to_the_cap_at_p95() -> None:
    assert spent_caps(OF_TRACE, parse_budget('[budget]\np95 = "700ns"')) == {"a": Spent(1700, "inference", 200, 700)}
    assert spent_caps(OF_TRACE, None) == {}


@pytest.mark.parametrize("rules", RULES)
def test_no_cap_is_held_against_requests_that_the_budget_reads_otherwise(rules: str) -> None:
    budget = parse_budget(f'[budget]\np95 = "700ns"\n{rules}')
    assert budget.reads_otherwise()
    assert spent_caps(OF_TRACE, budget) == {}

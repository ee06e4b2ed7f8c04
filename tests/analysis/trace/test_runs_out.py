"""When a request has spent its cap."""

import pytest

from overbudget.analysis.trace.result import Segment, TraceRequest
from overbudget.analysis.trace.runs_out import Spent, spent_at

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

"""Names that carry ids or counters on both sides of a comparison."""

from overbudget.analysis.compare.compare import Side, compare
from tests.span_dump import Span, dataset


def side(path, first, took):
    """40 requests, each with a route, a step and a page of its own."""
    traces = (
        [
            Span(f"run-{first + n}", 0, 100 + took),
            Span(f"step-{first + n}", 10, 10 + took, parent=f"run-{first + n}"),
            Span(
                f"GET /wiki/word{chr(97 + n % 26)}{chr(97 + (first + n) // 26)}",
                10 + took,
                60 + took,
                parent=f"run-{first + n}",
            ),
        ]
        for n in range(40)
    )
    return Side(dataset(path, traces))


def test_what_differs_in_counters_and_words_is_compared_as_one(tmp_path):
    found = compare(side(tmp_path / "base.duckdb", 0, 100), side(tmp_path / "slow.duckdb", 100, 200))
    assert (found.base["only_here"], found.candidate["only_here"]) == (0, 0)
    assert {one.name: one.change_ns for one in found.operations} == {
        "step-{n}": 100_000_000,
        "GET /wiki/{name}": 0,
        "run-{n}": 0,
    }
    assert all(one.only_in is None for one in found.operations)
    (why,) = [one.why for one in found.operations if one.name == "step-{n}"]
    assert why.how_slow_ns == 100_000_000

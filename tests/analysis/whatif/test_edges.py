"""What-ifs at their edges: at the cap, and of the cap itself."""

from pathlib import Path
from typing import Any

import pytest

import overbudget
from tests.dataset_builder import MS, DatasetBuilder, Work


@pytest.fixture(scope="module")
def ties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty requests of 100 ms, 60 of them retrieval."""
    builder = DatasetBuilder()
    for _ in range(60):
        builder.request(Work("retrieval", 60 * MS, "search"), Work("inference", 40 * MS, "chat"))
    return builder.write(tmp_path_factory.mktemp("ties") / "d.duckdb")


@pytest.mark.parametrize(("cap", "before", "after"), [("100ms", 1, 1), ("99ms", 0, 1), ("70ms", 0, 1), ("69ms", 0, 0)])
def test_a_request_at_the_cap_is_within_budget(ties: Path, cap: str, before: int, after: int) -> None:
    budget = {"budget": {"p95": cap}}
    said = overbudget.open(ties).what_if(scale={"retrieval": 0.5}, budget=budget).as_dict()
    assert said["within_budget"] == {"before": before, "after": after}


@pytest.mark.parametrize(("cap", "changed"), [("60ms", 0), ("59ms", 60), ("61ms", 0)])
def test_a_stage_at_its_cap_stays_as_it_is(ties: Path, cap: str, changed: int) -> None:
    said = overbudget.open(ties).what_if(cap={"retrieval": cap}).as_dict()
    assert said["requests_changed"] == changed
    least = min(60, int(cap[:2]))
    assert {row["after_ns"] for row in said["percentiles"]} == {(40 + least) * MS}


def losing_spans(folder: Path, lost: int) -> dict[str, Any]:
    """900 requests of 100 ms and 100 of 200 ms, of which `lost` lost their model call; with model calls in half the time."""
    builder = DatasetBuilder()
    for n in range(1_000):
        took = (200 if n < 100 else 100) * MS
        chat = Work("inference", took - 20 * MS, "chat")
        if n < lost:
            builder.request(rest_ns=took, complete=False)
        else:
            builder.request(chat, rest_ns=took - chat.ns)
    return overbudget.open(builder.write(folder / "d.duckdb")).what_if(scale={"inference": 0.5}).as_dict()


def test_requests_that_lost_spans_count_and_make_a_bound(tmp_path: Path) -> None:
    said = losing_spans(tmp_path, 60)
    p95 = next(row for row in said["percentiles"] if row["percentile"] == 95)
    assert p95["before_ns"] == 200 * MS  # as every other answer says
    assert p95["after_ns"] == 200 * MS  # what is not recorded stays as it was
    assert (said["bound"], said["doubts"]) == ("at_most", [{"why": "lost_spans", "operation": None}])


@pytest.mark.parametrize(("lost", "bound"), [(0, None), (2, None), (3, "at_most")])
def test_one_slow_request_in_fifty_may_have_lost_spans(tmp_path: Path, lost: int, bound: str | None) -> None:
    assert losing_spans(tmp_path, lost)["bound"] == bound

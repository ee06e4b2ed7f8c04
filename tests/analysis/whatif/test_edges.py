"""What-ifs at their edges: at the cap, and of the cap itself."""

from pathlib import Path

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

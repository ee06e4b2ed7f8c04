"""Comparisons at their edges: intervals that touch zero or the margin, caps that are borrowed, days that lie apart."""

from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.causes.growth_shares import growth_shares
from overbudget.analysis.compare.compare import FAR_APART_NS, Side, compare, deciding_percentiles
from overbudget.analysis.compare.percentile_change import verdict_of
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1, 9, "slower"), (0, 9, "same"), (0, 10, "same"), (0, 11, "unknown"), (-9, -1, "faster"), (-9, 0, "same"),
        (-10, 10, "same"), (-11, 0, "unknown"), (None, 5, "unknown"), (5, None, "unknown"),
    ],
)  # fmt: skip
def test_a_change_is_certain_beyond_zero_and_none_within_the_margin(
    low: int | None, high: int | None, verdict: str
) -> None:
    assert verdict_of(low, high, 10) == verdict


@pytest.mark.parametrize(
    ("caps", "deciding"),
    [
        ("", (50, 95)), ('p99 = "9s"', (99,)), ('p50 = "1s"\np90 = "2s"\np99 = "3s"', (50, 90, 99)),
        ('p50 = "1s"\np75 = "1s"\np90 = "2s"\np99 = "3s"', (50, 90, 99)),
    ],
)  # fmt: skip
def test_what_is_capped_decides_and_at_most_three(caps: str, deciding: tuple[int, ...]) -> None:
    assert deciding_percentiles(parse_budget(f"[budget]\n{caps}\n")) == deciding


def side(path: Path, start_ns: int, n: int = 300, slower_ms: int = 0, seed: int = 1) -> Side:
    random, builder = np.random.default_rng(seed), DatasetBuilder()
    for number in range(n):
        took = int(random.gamma(9, 10 * MS)) + slower_ms * MS
        builder.request(Work("inference", took, "chat"), start_ns=start_ns + number * S)
    return Side(open_dataset(builder.write(path)))


def test_a_cap_holds_up_to_its_percentile_and_is_never_borrowed_above_it(tmp_path: Path) -> None:
    base = side(tmp_path / "a.duckdb", FIRST_START_NS)
    other = side(tmp_path / "b.duckdb", FIRST_START_NS, slower_ms=100, seed=2)
    budget = parse_budget('[budget]\np95 = "900ms"\n[stages.inference]\np50 = "90ms"\n')
    found = compare(base, other, budget)
    held = {one.percentile: one.budget_ns for one in found.end_to_end}
    assert held == {50: 900 * MS, 75: 900 * MS, 90: 900 * MS, 95: 900 * MS, 99: None}
    assert [one.percentile for one in found.stages if one.stage == "inference" and one.budget_ns] == [50]
    assert {one.percentile for one in found.regressions} <= {50, 95}


@pytest.mark.parametrize(("gap_ns", "far"), [(FAR_APART_NS, True), (FAR_APART_NS - 1, False)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_base_from_half_a_day_before_or_after_is_far_apart(
    gap_ns: int, far: bool, turned: bool, tmp_path: Path
) -> None:
    base = side(tmp_path / "a.duckdb", FIRST_START_NS, 60)
    other = side(tmp_path / "b.duckdb", FIRST_START_NS + 59 * S + gap_ns, 60, seed=3)
    sides = (other, base) if turned else (base, other)
    assert compare(*sides).far_apart is far


def test_shares_are_of_what_grew() -> None:
    assert growth_shares([30, 10, -40]) == [0.75, 0.25, 0.0]
    assert growth_shares([0, -1]) == [0.0, 0.0]
    assert growth_shares([]) == []

"""Limits for every stage from one total: against what follows from how requests are made, and against new requests."""

from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.allocate.allocate import Allocation, allocate, budget_changes
from overbudget.analysis.budget.file import edit_budget, parse_budget
from overbudget.analysis.budget.model import LIMIT
from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import MS, DatasetBuilder, Work

STAGES = ("retrieval", "inference", "tools")


def drawn(seed: int, n: int = 400) -> np.ndarray:
    """int64[n, stage]: retrieval and inference of every request, tools of about a fifth of them."""
    random = np.random.default_rng(seed)
    retrieval = random.lognormal(np.log(100 * MS), 0.5, n)
    inference = random.lognormal(np.log(600 * MS), 0.4, n)
    tools = np.where(random.random(n) < 0.2, random.lognormal(np.log(400 * MS), 0.5, n), 0)
    return np.stack([retrieval, inference, tools], axis=1).astype(np.int64)


def bench(tmp_path: Path, times: np.ndarray, rest_ns: int = 20 * MS) -> Workbench:
    builder = DatasetBuilder()
    for row in times.tolist():
        builder.request(*(Work(stage, ns) for stage, ns in zip(STAGES, row, strict=True) if ns), rest_ns=rest_ns)
    return Workbench(open_dataset(builder.write(tmp_path / "d.duckdb")))


def limits_of(found: Allocation) -> dict[str, int]:
    return {one.stage: one.ns for one in found.limits}


def latency(times: np.ndarray, limits: dict[str, int], rest_ns: int = 20 * MS) -> np.ndarray:
    held = [np.minimum(times[:, place], limits.get(stage, 10**18)) for place, stage in enumerate(STAGES)]
    return np.sum(held, axis=0) + rest_ns


def p95_with(times: np.ndarray, limits: dict[str, int]) -> float:
    return float(np.quantile(latency(times, limits), 0.95))


def test_the_limits_enforced_on_new_requests_keep_the_total(tmp_path: Path) -> None:
    found = allocate(bench(tmp_path, drawn(1, 1000)), 95, 1400 * MS)
    assert found.feasible
    assert 0.5 < found.level < 1
    assert set(limits_of(found)) == set(STAGES)
    for seed in range(2, 12):
        fresh = drawn(seed, 4000)
        assert p95_with(fresh, {}) > 1400 * MS
        assert p95_with(fresh, limits_of(found)) <= 1.02 * 1400 * MS


def test_the_level_is_the_largest_at_which_the_total_is_kept_for_certain(tmp_path: Path) -> None:
    times, cap_ns = drawn(3), 1400 * MS
    found = allocate(bench(tmp_path, times), 95, cap_ns)

    def highest(level: float) -> int:
        columns = zip(STAGES, times.T, strict=True)
        limits = {stage: int(np.quantile(took[took > 0], level)) for stage, took in columns}
        return quantiles(latency(times, limits), [95])[0][0].high_ns or 0

    assert highest(found.level) <= cap_ns < highest(found.level + 0.001)
    assert found.after_high_ns is not None
    assert found.after_high_ns <= cap_ns
    assert dict(found.after)[95] == quantiles(latency(times, limits_of(found)), [95])[0][0].value_ns


def test_of_few_requests_the_limits_are_for_these_alone(tmp_path: Path) -> None:
    times = drawn(3, 30)
    cap_ns = int(0.95 * np.quantile(latency(times, {}), 0.95))
    found = allocate(bench(tmp_path, times), 95, cap_ns)
    assert found.feasible
    assert found.after_high_ns is None
    assert dict(found.after)[95] <= cap_ns


def test_a_stage_that_a_fifth_of_the_requests_have_is_held_to_what_those_take(tmp_path: Path) -> None:
    times = drawn(4)
    found = allocate(bench(tmp_path, times), 95, 1400 * MS)
    (tools,) = [one for one in found.limits if one.stage == "tools"]
    took = times[times[:, 2] > 0, 2]
    assert tools.requests == len(took)
    assert tools.ns == pytest.approx(np.quantile(took, found.level), rel=0.06)
    assert tools.now_ns == pytest.approx(np.quantile(took, 0.95), abs=1)
    assert tools.cut == (took > tools.ns).sum()


def test_limits_have_two_digits_and_the_replay_keeps_the_total_with_them(tmp_path: Path) -> None:
    found = allocate(bench(tmp_path, drawn(5)), 95, 1450 * MS)
    assert all(len(str(ns).rstrip("0")) <= 2 for ns in limits_of(found).values())
    assert dict(found.after)[95] <= 1450 * MS
    assert found.over_ns == 0


def test_where_not_even_the_medians_fit_it_says_by_how_much(tmp_path: Path) -> None:
    times = drawn(6)
    found = allocate(bench(tmp_path, times), 95, 500 * MS)
    assert not found.feasible
    assert found.level == 0.5
    medians = {stage: int(np.quantile(took[took > 0], 0.5)) for stage, took in zip(STAGES, times.T, strict=True)}
    assert limits_of(found) == medians
    assert found.over_ns == (quantiles(latency(times, medians), [95])[0][0].high_ns or 0) - 500 * MS
    assert found.typical_over_ns == pytest.approx(np.median(times.sum(1)) + 20 * MS - 500 * MS, abs=2)


def test_what_keeps_the_total_today_is_cut_nowhere(tmp_path: Path) -> None:
    times = drawn(7)
    exactly = quantiles(latency(times, {}), [95])[0][0].high_ns or 0
    found = allocate(bench(tmp_path, times), 95, exactly)
    assert found.kept_today
    assert all(one.cut == 0 for one in found.limits)
    assert not allocate(bench(tmp_path, times), 95, exactly - 1).kept_today


def test_fixed_stages_keep_their_time_and_the_others_give_more(tmp_path: Path) -> None:
    here = bench(tmp_path, drawn(8))
    free, fixed = allocate(here, 95, 1500 * MS), allocate(here, 95, 1500 * MS, fixed=["inference"])
    assert set(limits_of(fixed)) == {"retrieval", "tools"}
    assert fixed.fixed == ("inference", "unattributed")
    assert limits_of(fixed)["retrieval"] < limits_of(free)["retrieval"]


def test_a_fixed_stage_that_does_not_occur_is_named_with_what_was_meant(tmp_path: Path) -> None:
    here = bench(tmp_path, drawn(9, 50))
    with pytest.raises(OverbudgetError, match=r"no stage `retreival`.*`retrieval`"):
        allocate(here, 95, 1500 * MS, fixed=["retreival"])
    with pytest.raises(OverbudgetError, match="No stage is left"):
        allocate(here, 95, 1500 * MS, fixed=list(STAGES))


WRITTEN = """# ours
[budget]  # agreed in May
p50 = "1s"
p90 = "1.5s"
p99 = "1.2s"

[stages.tools]
p95 = "30s"  # generous
p50 = "1ms"
"""


@pytest.mark.parametrize("route", [None, "POST /chat"])
def test_written_into_a_budget_they_replace_what_contradicts_them_and_nothing_else(
    tmp_path: Path, route: str | None
) -> None:
    found = allocate(bench(tmp_path, drawn(8)), 95, 1400 * MS)
    text = WRITTEN.replace('p99 = "1.2s"\n', "")
    if route is not None:
        text = f'{text}\n[routes."POST /chat"]\np99 = "900ms"\n'
    changed = edit_budget(text, budget_changes(found, parse_budget(text), route))
    budget = parse_budget(changed).for_route("POST /chat")
    assert budget.caps == ({50: 1000 * MS, 95: 1400 * MS} if route is None else {95: 1400 * MS})
    limits = {stage: budget.stage_caps(stage)[LIMIT] for stage in STAGES}
    assert limits == limits_of(found)
    assert budget.stage_caps("tools").get(95) is None
    assert budget.stage_caps("tools").get(50) == (MS if route is None else None)
    assert "# ours" in changed
    assert "# agreed in May" in changed

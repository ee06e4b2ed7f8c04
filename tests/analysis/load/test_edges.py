"""Load at its edges: which cap is meant, and where a service breaks."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_ind

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.load.load import LEAST_IN_BIN, arrival_rate, bin_cuts, first_to_grow, holm, load, welch
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, S, Work
from tests.made_up_requests import evidence


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One request a second of 100 to 299 ms, one after the other."""
    builder = DatasetBuilder()
    for number in range(400):
        builder.request(Work("inference", (100 + number * 7 % 200) * MS, "chat"))
    return builder.write(tmp_path_factory.mktemp("load") / "d.duckdb")


@pytest.mark.parametrize(
    ("caps", "cap_ms", "verdict"),
    [
        ('p50 = "150ms"\np95 = "900ms"\np99 = "2s"', 900, "within"),  # the one of p95, not the highest, not the lowest
        ('p99 = "250ms"', 250, "over"),  # who promises it at p99 promises it at p95
        ('p50 = "150ms"', None, None),  # borrowed: it judges no p95
        ("", None, None),
    ],
)
def test_p95_under_load_is_held_to_the_cap_at_p95(
    dataset: Path, caps: str, cap_ms: int | None, verdict: str | None
) -> None:
    found = load(open_dataset(dataset), parse_budget(f"[budget]\n{caps}\n"))
    assert found.budget_ns == (None if cap_ms is None else cap_ms * MS)
    assert {bin_.verdict for bin_ in found.bins} == {verdict}
    assert (found.breaks_at is not None) == (verdict == "over")


def test_a_p95_at_the_cap_is_within_it(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for _ in range(200):
        builder.request(Work("inference", 100 * MS, "chat"))
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    found = load(connection, parse_budget('[budget]\np95 = "100ms"\n'))
    assert ({bin_.verdict for bin_ in found.bins}, found.breaks_at, found.may_break_at) == ({"within"}, None, None)
    found = load(connection, parse_budget('[budget]\np95 = "99.999ms"\n'))
    assert ({bin_.verdict for bin_ in found.bins}, found.breaks_at, found.may_break_at) == ({"over"}, 0, 0)


@pytest.mark.parametrize(("more", "bins"), [(0, 2), (-1, 1)])
def test_a_bin_begins_where_twenty_requests_are_left(more: int, bins: int) -> None:
    loads = np.array([0.0] * LEAST_IN_BIN + [1.0] * (LEAST_IN_BIN + more))
    assert len(bin_cuts(loads)) == bins
    assert len(bin_cuts(np.zeros(500))) == 1
    assert bin_cuts(np.zeros(0)) == []


def test_the_median_and_the_p95_of_a_bin_are_those_of_its_requests(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(200):
        builder.request(Work("inference", (101 + number * 3 % 200) * MS, "chat"))
    found = load(open_dataset(builder.write(tmp_path / "d.duckdb")))
    (alone,) = found.bins
    assert (alone.requests, alone.p50_ns, alone.p95_ns) == (200, 200_500_000, 290_050_000)
    inference = next(stage for stage in alone.stages if stage["stage"] == "inference")
    assert inference["mean_ns"] == 200_500_000


def test_arrivals_count_the_request_itself_and_none_that_is_as_old_as_the_window() -> None:
    rate, window = arrival_rate(np.array([0, S, 2 * S], np.int64))
    assert window == 20 * 2 * S // 3
    assert rate.tolist() == pytest.approx([1e9 / window, 2e9 / window, 3e9 / window])
    rate, window = arrival_rate(np.array([0] + [window * 30 // 31 for window in range(31)], np.int64))
    assert window == S  # the least
    starts = np.array([0, S, S + 1], np.int64)
    rate, window = arrival_rate(np.repeat(starts, 20))
    assert window == S
    assert rate[0] == 20
    assert rate[20] == 20  # those of a whole window ago are out
    assert rate[40] == 40


def grown(*changes: tuple[int, int], rest: int = 0) -> tuple[str | None, int | None]:
    """Of retrieval and inference: ms in the first bin of twenty requests, and in the next."""
    low, high = ([change[side] for change in changes] + [rest, 0] for side in (0, 1))
    stage_ns = np.array([low] * 20 + [high] * 20, np.int64) * MS
    return first_to_grow(evidence(stage_ns).requests, np.repeat([0, 1], 20), [1, 7])


def test_a_stage_has_grown_that_takes_a_fifth_longer() -> None:
    assert grown((100, 120), (50, 50)) == ("retrieval", 7)
    assert grown((100, 119), (50, 50)) == (None, None)


def test_of_two_stages_that_grow_the_one_that_grows_most_is_told() -> None:
    assert grown((100, 150), (50, 101)) == ("inference", 7)
    assert grown((100, 152), (50, 101)) == ("retrieval", 7)


def test_growth_is_two_hundredths_of_the_request_at_least() -> None:
    assert grown((5, 7), (5, 5), rest=90) == ("retrieval", 7)
    assert grown((5, 7), (5, 5), rest=91) == (None, None)


def test_welchs_test_of_summaries_is_that_of_the_values() -> None:
    one, other = np.array([5.0, 7.0, 9.0, 12.0]), np.array([4.0, 5.0, 5.5, 6.0, 7.0])
    given = [np.array([part]) for part in (one.mean(), one.var(ddof=1), 4, other.mean(), other.var(ddof=1), 5)]
    expected = ttest_ind(one, other, equal_var=False, alternative="greater").pvalue
    assert welch(*given)[0] == pytest.approx(expected, rel=1e-6)
    zero, ten = np.zeros(1), np.array([10.0])
    assert [welch(np.array([mean]), zero, ten, ten, zero, ten)[0] for mean in (11.0, 10.0)] == [0.0, 1.0]


def test_chances_are_corrected_from_the_smallest_on() -> None:
    assert holm(np.array([0.04, 0.01, 0.03])).tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert holm(np.array([0.9, 0.6])).tolist() == [1.0, 1.0]

"""Advice on how often something is called, at each threshold: what is said, and from where on."""

from pathlib import Path

import pytest

from overbudget.analysis.advice.proposal import Proposal
from overbudget.analysis.advice.steps import loops_that_run_more_often, many_calls_in_a_row
from overbudget.analysis.whatif.changes import Drop, Parallel
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


def bench(tmp_path: Path, *requests: list[Work]) -> Workbench:
    builder = DatasetBuilder()
    for work in requests:
        builder.request(*work)
    return Workbench(open_dataset(builder.write(tmp_path / "d.duckdb")))


def in_a_row(tmp_path: Path, *requests: list[Work]) -> list[Proposal]:
    return list(many_calls_in_a_row(bench(tmp_path, *requests)))


QUERY, CHAT = Work("database", 20 * MS, "SELECT item"), Work("inference", 50 * MS, "chat")


def test_calls_in_a_row_are_told_with_their_median_and_their_most(tmp_path: Path) -> None:
    (found,) = in_a_row(tmp_path, *[[QUERY] * 5] * 15, *[[QUERY] * 7] * 16, [QUERY] * 9, [QUERY] * 4)
    assert (found.kind, found.operations) == ("batch_calls", (("api", "SELECT item"),))
    assert found.changes == (Parallel(("SELECT item",)),)
    assert (
        found.evidence[0] == "`SELECT item` is called 7 times in a row at the median, up to 9 times, under 32 parents"
    )
    assert found.against[-1] == "no inputs and outputs are recorded that could show whether one needs another"


@pytest.mark.parametrize(("parents", "told"), [(20, 1), (19, 0)])
def test_fewer_than_twenty_parents_tell_nothing(tmp_path: Path, parents: int, told: int) -> None:
    assert len(in_a_row(tmp_path, *[[QUERY] * 5] * parents)) == told


@pytest.mark.parametrize(("others", "told"), [(2, 1), (3, 0)])
def test_of_what_runs_from_the_first_to_the_last_four_in_five_are_the_same_call(
    tmp_path: Path, others: int, told: int
) -> None:
    assert len(in_a_row(tmp_path, *[[QUERY, *[CHAT] * others, *[QUERY] * 7]] * 20)) == told


def test_calls_before_the_first_and_after_the_last_do_not_part_a_row(tmp_path: Path) -> None:
    assert len(in_a_row(tmp_path, *[[CHAT] * 9 + [QUERY] * 5 + [CHAT] * 9] * 20)) == 1


def test_model_calls_in_a_row_are_no_batch(tmp_path: Path) -> None:
    assert in_a_row(tmp_path, *[[CHAT] * 9] * 20) == []


def loops(
    tmp_path: Path, often: int, usually: int = 4, longer: int = 100, requests: int = 200, stage: str = "inference"
) -> list[Proposal]:
    """One request in ten calls `often`, each call `longer` per cent as long as of the others, which call `usually`."""
    usual = [Work(stage, 100 * MS, "step")] * usually
    slow = [Work(stage, longer * MS, "step")] * often
    return list(loops_that_run_more_often(bench(tmp_path, *(slow if n % 10 == 0 else usual for n in range(requests)))))


def test_a_loop_is_to_end_as_the_typical_ones_do(tmp_path: Path) -> None:
    (found,) = loops(tmp_path, 12)
    assert (found.kind, found.operations, found.changes) == (
        "fewer_steps",
        (("api", "step"),),
        (Drop("step", after=4),),
    )
    assert found.evidence[0].startswith(
        "`step` runs 12.0 times in slow requests (the slowest tenth) instead of 4.0 in typical ones"
    )
    assert found.evidence[1].endswith("that end as in typical requests, after 4 calls")


@pytest.mark.parametrize(
    ("often", "usually", "told"),
    [
        (6, 4, 1),  # half as often again
        (7, 5, 0),
        (3, 1, 1),  # two more
        (2, 1, 0),
    ],
)
def test_it_runs_half_as_often_again_and_two_times_more_at_least(
    tmp_path: Path, often: int, usually: int, told: int
) -> None:
    assert len(loops(tmp_path, often, usually)) == told


@pytest.mark.parametrize(("longer", "told"), [(125, 1), (126, 0)])
def test_calls_that_are_slower_themselves_are_no_loop(tmp_path: Path, longer: int, told: int) -> None:
    assert len(loops(tmp_path, 12, longer=longer)) == told


@pytest.mark.parametrize(("requests", "told"), [(100, 1), (99, 1), (90, 0), (39, 0)])
def test_ten_slow_requests_are_needed(tmp_path: Path, requests: int, told: int) -> None:
    assert len(loops(tmp_path, 12, requests=requests)) == told


def test_a_loop_that_no_model_call_drives_is_not_told(tmp_path: Path) -> None:
    assert loops(tmp_path, 12, stage="tools") == []

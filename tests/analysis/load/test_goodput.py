"""Good answers a second by load: against counting instant by instant."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.load.goodput import Activity, Goodput, goodput_of, kept_all, peak_of
from overbudget.analysis.load.load import Load, load
from overbudget.analysis.requests.read import read_requests
from overbudget.app.text.load import goodput_table, sentences
from overbudget.stages.waits_for_person import Waits
from overbudget.store.dataset import open_dataset
from tests.analysis.load.test_load import service
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work


def activity(*times: tuple[int, int], waits: tuple[tuple[int, int, int], ...] = ()) -> Activity:
    """Times in seconds; waits are of a request, from, until."""
    start, end = np.array(times, np.int64).T * S
    of, since, until = np.array(waits, np.int64).reshape(-1, 3).T
    return Activity(start, end, Waits(of.astype(np.int32), since * S, until * S) if waits else None)


def rates(found: list[Goodput | None]) -> list[tuple[int, float] | None]:
    return [one and (one.finished, one.seconds) for one in found]


def test_a_request_counts_under_the_load_in_which_it_ends() -> None:
    """
    0 [=========]        alone from 0 to 2 and from 6 to 8, two in flight from 2 to 6
    2   [=====]
    """
    found = goodput_of(activity((0, 8), (2, 6)), np.array([True, True]), [0, 1])
    assert rates(found) == [(1, 4.0), (1, 4.0)]
    assert [one and one.per_second for one in found] == [0.25, 0.25]


def test_what_is_no_good_answer_is_load_but_does_not_count() -> None:
    found = goodput_of(activity((0, 8), (2, 6)), np.array([True, False]), [0, 1])
    assert rates(found) == [(1, 4.0), (0, 4.0)]
    assert found[1] == Goodput(0.0, 0.0, 0.75, 0, 4.0)


def test_who_waits_for_a_person_is_not_in_flight() -> None:
    found = goodput_of(activity((0, 10), (3, 5), waits=((0, 2, 7),)), np.array([True, True]), [0, 1])
    assert rates(found) == [(2, 7.0), None]  # the first from 0 to 2 and from 7 to 10, the other alone from 3 to 5


def test_one_that_ends_as_another_begins_never_had_company() -> None:
    assert rates(goodput_of(activity((0, 2), (2, 5)), np.array([True, True]), [0, 1])) == [(2, 5.0), None]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20)), min_size=1, max_size=12),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_it_is_what_counting_second_by_second_gives(drawn: list[tuple[int, int]], width: int, random: object) -> None:
    times = [(start, start + took) for start, took in drawn]
    good = np.array([place % 3 != 0 for place in range(len(times))])
    cuts = list(range(0, 12, width))
    seconds, finished = np.zeros(len(cuts)), np.zeros(len(cuts), int)
    for now in range(60):
        running = sum(start <= now < end for start, end in times)
        if running:
            seconds[min((running - 1) // width, len(cuts) - 1)] += 1
            ending = sum(good[place] for place, (_, end) in enumerate(times) if end == now + 1)
            finished[min((running - 1) // width, len(cuts) - 1)] += ending
    found = goodput_of(activity(*times), good, cuts)
    assert rates(found) == [(int(n), s) if s else None for n, s in zip(finished, seconds, strict=True)]


def one(rate: float, low: float, high: float) -> Goodput:
    return Goodput(rate, low, high, 100, 100 / rate)


@pytest.mark.parametrize(
    ("found", "peak"),
    [
        ([one(1, 0.8, 1.2), one(3, 2.5, 3.5), one(2, 1.8, 2.49)], 1),
        ([one(1, 0.8, 1.2), one(3, 2.5, 3.5), one(2, 1.8, 2.5)], None),  # the last may be as good
        ([one(1, 0.8, 1.2), one(2, 1.8, 2.2), one(3, 2.5, 3.5)], None),  # it still grows
        ([one(1, 0.8, 1.2), None], None),
        ([], None),
    ],
)
def test_it_peaks_where_it_certainly_falls_again(found: list[Goodput | None], peak: int | None) -> None:
    assert peak_of(found) == peak


def loaded(tmp_path: Path, builder: DatasetBuilder, budget: str | None) -> Load:
    return load(open_dataset(builder.write(tmp_path / "d.duckdb")), parse_budget(budget) if budget else None)


def test_a_service_whose_queue_breaks_the_budget_peaks_at_its_slots(tmp_path: Path) -> None:
    found = loaded(tmp_path, service(1, slots=6), "[budget]\np95 = '1.5s'")
    assert found.goodput_peaks_at is not None
    assert 2 <= found.goodput_peaks_at <= 8
    best = max(bin_.goodput.per_second for bin_ in found.bins if bin_.goodput)
    assert best == pytest.approx(6 / 1.05, rel=0.25)  # six slots, a second each
    assert found.bins[-1].goodput is not None
    assert found.bins[-1].goodput.per_second < 0.1 * best


def test_where_there_is_room_for_all_it_grows_with_the_load(tmp_path: Path) -> None:
    found = loaded(tmp_path, service(2, slots=None), "[budget]\np95 = '1.5s'")
    assert found.goodput_peaks_at is None
    known = [bin_.goodput.per_second for bin_ in found.bins if bin_.goodput]
    assert known[-1] > 2 * known[0]


CALLS_ALONE = "[stages.inference]\ncall_first_token.p95 = '1ms'\n[models.'*']\ncall_per_output_token.max = '1ms'"


@pytest.mark.parametrize("budget", [None, "[good]\nscore = { at_least = 0.5 }", CALLS_ALONE])
def test_without_caps_of_requests_there_is_none(tmp_path: Path, budget: str | None) -> None:
    found = loaded(tmp_path, service(2, None, 40), budget)
    assert all(bin_.goodput is None for bin_ in found.bins)
    assert found.goodput_caps == ()
    assert goodput_table(found) == []
    assert not any("keep" in said for said in sentences(found))


@pytest.mark.parametrize(
    ("budget", "caps", "said"),
    [
        ("[budget]\np95 = '1.5s'", ("total",), "the p95 cap on the whole request"),
        ("[stages.inference]\np95 = '1.5s'", ("inference",), "the p95 cap on inference"),
        (
            "[budget]\np95 = '1.5s'\n[first_token]\np95 = '1s'\n[stages.queue]\np95 = '1s'\n[stages.inference]\ncall_first_token.p95 = '1s'",
            ("total", "first_token", "queue"),
            "the p95 caps on the whole request, the first token and queue",
        ),
        (
            "".join(f"[stages.{stage}]\np95 = '1.5s'\n" for stage in ("queue", "tools", "inference")),
            ("queue", "tools", "inference"),
            "the p95 caps on 3 stages",
        ),
        ("[routes.'POST /chat']\np95 = '1.5s'", ("total",), "the p95 cap on the whole request"),
    ],
)
def test_the_sentence_and_the_table_say_which_caps_are_kept(
    tmp_path: Path, budget: str, caps: tuple[str, ...], said: str
) -> None:
    found = loaded(tmp_path, service(2, None), budget)
    assert found.goodput_caps == caps
    assert sentences(found)[-1].startswith(f"Requests that do not fail and keep {said} come at ")
    (shown,) = goodput_table(found)
    assert shown.title == f"Goodput: requests a second that do not fail and keep {said}"


def test_where_answers_are_judged_it_speaks_of_good_ones(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(80):
        start_ns = FIRST_START_NS + (number // 2) * S
        builder.request(Work("tools", 100 * MS), start_ns=start_ns + number % 2, good=True, score=0.9)
    found = loaded(tmp_path, builder, "[budget]\np95 = '1s'")
    assert sentences(found)[-1].startswith(
        "Requests that do not fail, are good and keep the p95 cap on the whole request come at "
    )


@pytest.mark.parametrize(
    ("said", "budget", "counts"),
    [
        ({}, "[budget]\np95 = '200ms'", True),
        ({}, "[budget]\np95 = '199ms'", False),
        ({}, "[budget]\np99 = '200ms'", True),
        ({"status": "ERROR"}, "[budget]\np95 = '1s'", False),
        ({"good": False, "score": 0.1}, "[budget]\np95 = '1s'", False),
        ({"good": True, "score": 0.9}, "[budget]\np95 = '1s'", True),
        ({}, "[stages.inference]\np95 = '150ms'", True),
        ({}, "[stages.inference]\np95 = '149ms'", False),
        ({}, "[budget]\np95 = '1s'\n[routes.'POST /chat']\np95 = '100ms'", False),
    ],
)
def test_it_counts_what_kept_its_caps_did_not_fail_and_is_good(
    tmp_path: Path, said: dict[str, object], budget: str, counts: bool
) -> None:
    builder = DatasetBuilder()
    for _ in range(30):
        builder.request(Work("inference", 150 * MS), rest_ns=50 * MS, **said)  # type: ignore[arg-type]
    (bin_,) = loaded(tmp_path, builder, budget).bins
    assert bin_.goodput is not None
    assert bin_.goodput.finished == (30 if counts else 0)
    assert bin_.goodput.seconds == pytest.approx(30 * 0.2)


def test_a_late_first_token_and_a_part_over_its_cap_are_no_good_answers(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    told = {"first_token_ns": 30 * MS, "writing_ns": 70 * MS}
    for ttft_ns in (30 * MS, 31 * MS, None):
        builder.request(Work("inference", 100 * MS, "chat", call=told), ttft_ns=ttft_ns)
    table = read_requests(open_dataset(builder.write(tmp_path / "late.duckdb")))
    assert kept_all(table, parse_budget('[first_token]\np95 = "30ms"')).tolist() == [True, False, True]
    for cap, kept in (("70ms", True), ("69ms", False)):
        budget = parse_budget(f'[stages."inference.writing"]\np95 = "{cap}"')
        assert kept_all(table, budget).tolist() == [kept] * 3

"""Latency against load: bins, where the budget breaks, which stage grows first."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.load.load import Load, arrival_rate, bin_cuts, holm, load, others_in_flight, welch
from overbudget.analysis.requests.read import read_requests
from overbudget.app.server.workspace import SAMPLES
from overbudget.app.text.load import sentences
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work
from tests.span_dump import Span, dataset


def service(seed: int, slots: int | None, seconds: int = 400) -> DatasetBuilder:
    """Arrivals from 1 to 8 per second, an inference of 1 s each; beyond `slots` in flight they wait in a queue."""
    random = np.random.default_rng(seed)
    builder, at, free = DatasetBuilder(), 0.0, [0.0] * (slots or 10_000)
    while at < seconds:
        at += random.exponential(1 / (1 + 7 * at / seconds))
        took, waited = random.uniform(0.9, 1.1), max(0.0, min(free) - at)
        free[free.index(min(free))] = at + waited + took
        builder.request(
            Work("queue", int(waited * S) + MS),
            Work("retrieval", int(random.uniform(30, 60) * MS)),
            Work("inference", int(took * S)),
            start_ns=1_790_000_000 * S + int(at * S),
        )
    return builder


def loaded(tmp_path: Path, builder: DatasetBuilder, budget: str | None = None) -> Load:
    connection = open_dataset(builder.write(tmp_path / "d.duckdb"))
    return load(connection, parse_budget(budget) if budget else None)


def test_the_queue_grows_first_once_the_slots_are_taken(tmp_path: Path) -> None:
    found = loaded(tmp_path, service(1, slots=6), "[budget]\np95 = '1.5s'")
    assert found.first_to_grow == "queue"
    assert found.grows_at is not None
    assert 4 <= found.grows_at <= 12
    assert found.breaks_at is not None
    assert 6 <= found.breaks_at <= 16
    assert found.may_break_at is not None
    assert found.may_break_at <= found.breaks_at
    assert found.bins[0].verdict == "within"
    assert found.bins[-1].verdict == "over"


def test_nothing_grows_where_there_is_room_for_all(tmp_path: Path) -> None:
    found = loaded(tmp_path, service(2, slots=None), "[budget]\np95 = '1.5s'")
    assert (found.first_to_grow, found.breaks_at, found.may_break_at) == (None, None, None)


def test_no_stage_is_said_to_grow_in_19_of_20_services_with_room(tmp_path: Path) -> None:
    grown = [loaded(tmp_path, service(seed, slots=None, seconds=100)).first_to_grow for seed in range(20)]
    assert sum(stage is not None for stage in grown) <= 1


def test_the_sample_that_is_driven_until_it_breaks(tmp_path: Path) -> None:
    ingest([SAMPLES / "load_ramp.otlp.jsonl.gz"], tmp_path / "d.duckdb")
    budget = parse_budget((SAMPLES / "load_ramp.budget.toml").read_text())
    found = load(open_dataset(tmp_path / "d.duckdb"), budget)
    assert found.first_to_grow == "queue"
    assert found.breaks_at is not None
    assert found.bins[-1].p95_ns > 2 * found.bins[0].p95_ns


def test_without_requests_there_is_nothing_to_say(tmp_path: Path) -> None:
    found = loaded(tmp_path, DatasetBuilder())
    assert (found.bins, found.arrivals, found.first_to_grow, found.breaks_at) == ((), (), None, None)


def test_times_that_the_inference_server_reports_are_shown_in_each_bin(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for number in range(60):
        queue = "0.25" if number % 2 else "0.75"
        builder.request(Work("inference", S, attributes={"gen_ai.latency.time_in_queue": queue}))
    found = loaded(tmp_path, builder)
    assert [bin_.server for bin_ in found.bins] == [{"gen_ai.latency.time_in_queue": S // 2}]


@given(st.lists(st.integers(0, 30), max_size=300))
def test_bins_hold_every_request_once_and_twenty_at_least(loads: list[int]) -> None:
    values = np.array(loads, float)
    cuts = bin_cuts(values)
    count = np.bincount(np.searchsorted(cuts[1:], values, side="right"), minlength=len(cuts)) if cuts else np.zeros(0)
    assert count.sum() == len(loads)
    assert cuts == sorted(set(cuts))
    assert len(cuts) <= 1 or count.min() >= 20


def test_arrivals_are_counted_in_the_window_before(tmp_path: Path) -> None:
    rate, window = arrival_rate(np.array([0, S, 2 * S, 3 * S, 100 * S], np.int64))
    assert window == 60 * S
    assert (rate * 60).tolist() == [1, 2, 3, 4, 1]


def test_welch_gives_what_scipy_gives() -> None:
    random = np.random.default_rng(5)
    a, b = random.normal(10, 3, 40), random.normal(9, 1, 70)
    ours = welch(*(np.array(x) for x in (a.mean(), a.var(ddof=1), 40.0, b.mean(), b.var(ddof=1), 70.0)))
    assert float(ours) == pytest.approx(stats.ttest_ind(a, b, equal_var=False, alternative="greater").pvalue)


def test_holm_gives_the_known_corrections() -> None:
    # by hand: 4·0.005, 3·0.01, 2·0.03, and no less than the one before
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_who_waits_for_a_person_is_in_flight_before_and_after_that_and_not_meanwhile(tmp_path: Path) -> None:
    """
    asks     [==........==]      (from 1 s to 9 s it waits for a person)
    meanwhile      [=]
    after               [=]
    """
    asks = [Span("turn", 0, 10_000, kind="server"), Span("permission prompt", 1_000, 9_000, "turn", key="p")]
    others = [[Span("turn", at, at + 200, kind="server")] for at in (500, 5_000, 9_500, 10_500)]
    connection = dataset(tmp_path / "d.duckdb", [asks, *others], apart_ms=0)
    everyone = read_requests(connection)
    assert everyone.user_ns.tolist() == [8 * S, 0, 0, 0, 0]
    expected = [0, 1, 0, 1, 0]
    assert others_in_flight(connection, everyone).tolist() == expected
    stored = connection.sql("SELECT in_flight FROM requests ORDER BY request_no").fetchall()
    assert [one for (one,) in stored] == expected


def test_a_wait_that_a_budgets_own_rules_name_counts_as_the_last_of_its_request(tmp_path: Path) -> None:
    asks = [Span("turn", 0, 10_000, kind="server"), Span("sign off", 1_000, 9_000, "turn", key="p")]
    connection = dataset(tmp_path / "d.duckdb", [asks, [Span("turn", 1_500, 1_600, kind="server")]], apart_ms=0)
    budget = parse_budget("[stages.user]\nmatch = [{ name = 'sign off' }]")
    everyone = read_requests(connection, budget)
    assert everyone.user_ns.tolist() == [8 * S, 0]
    assert others_in_flight(connection, everyone).tolist() == [0, 1]


def test_the_part_that_grows_with_load_is_named_below_its_stage(tmp_path: Path) -> None:
    """Under company the first token waits; writing takes as long as alone."""
    builder = DatasetBuilder()
    for number in range(120):
        busy = number % 2
        told = {"first_token_ns": (900 if busy else 100) * MS + number * MS // 10, "writing_ns": 300 * MS}
        work = Work("inference", told["first_token_ns"] + told["writing_ns"], "chat", call=told)
        start = FIRST_START_NS + number // 2 * 10 * S + busy * 50 * MS
        builder.request(work, start_ns=start)
    found = load(open_dataset(builder.write(tmp_path / "busy.duckdb")))
    assert (found.first_to_grow, found.part_to_grow) == ("inference", "inference.first_token")
    means = {part["stage"]: round(part["mean_ns"] / MS) for part in found.bins[-1].parts}
    assert means == {"inference.first_token": 906, "inference.writing": 300}
    assert "(most of it waiting for the first token in inference)" in " ".join(sentences(found))

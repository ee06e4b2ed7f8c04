"""What changed between two datasets, like with like."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.common.binomial import interval_ranks
from overbudget.analysis.compare.compare import Comparison, Side, _difference, _Weighted, compare, hold_to
from overbudget.analysis.requests.table import Filters
from overbudget.app.text.compare import sentences
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work

REAL_FAULTS = Path(os.environ.get("OVERBUDGET_SHARED", "../shared")) / "real_traces" / "train_ticket_faults"


def requests(seed: int, n: int = 400, slower: float = 1.0, reports: float = 0.3, model: str = "m") -> DatasetBuilder:
    """Short chats and long reports; `slower` stretches the inference of both."""
    random = np.random.default_rng(seed)
    builder = DatasetBuilder()
    for _ in range(n):
        report = random.random() < reports
        time = random.lognormal(0, 0.3) * (3000 if report else 300) * MS * slower
        work = [Work("retrieval", int(random.uniform(20, 40) * MS), "search"), Work("inference", int(time), "chat")]
        builder.request(*work, rest_ns=2 * MS, route="POST /report" if report else "POST /chat", model=model)
    return builder


def compared(tmp_path: Path, base: DatasetBuilder, candidate: DatasetBuilder, budget: str = "") -> Comparison:
    sides = [Side(open_dataset(b.write(tmp_path / f"{i}.duckdb"))) for i, b in enumerate((base, candidate))]
    return compare(sides[0], sides[1], parse_budget(budget) if budget else None)


def test_a_slower_model_is_found_and_named(tmp_path: Path) -> None:
    found = compared(tmp_path, requests(1), requests(2, slower=1.5))
    assert found.verdict == "slower"
    assert {change.verdict for change in found.stages if change.stage == "retrieval"} <= {"same", "unknown"}
    assert (found.operations[0].name, found.operations[0].only_in) == ("chat", None)
    assert found.services[0].service_name == "api"
    for change in found.end_to_end:
        assert change.change_ns == change.candidate_ns - change.base_ns  # type: ignore[operator]


def test_a_change_in_what_is_asked_is_no_change_in_how_fast_it_is_answered(tmp_path: Path) -> None:
    found = compared(tmp_path, requests(1, reports=0.1), requests(2, reports=0.6))
    assert found.verdict == "same"
    medians = [change for change in found.end_to_end if change.percentile == 50]
    assert medians[0].candidate_ns > 1_000 * MS  # type: ignore[operator]


def test_what_only_one_side_has_is_counted_apart(tmp_path: Path) -> None:
    candidate = requests(2, n=100)
    for _ in range(7):
        candidate.request(Work("tools", 9_000 * MS, "crawl"), route="POST /crawl")
    found = compared(tmp_path, requests(1, n=100), candidate)
    assert (found.base["only_here"], found.candidate["only_here"]) == (0, 7)
    assert found.verdict == "same"


def test_halves_of_one_dataset_are_the_same_in_at_least_95_of_100_splits() -> None:
    random = np.random.default_rng(3)
    alarms = 0
    for _ in range(400):
        values = random.lognormal(0, 0.8, 300).astype(np.float64) * 1e9
        half = [_Weighted(part.astype(np.int64), np.full(150, 1 / 150)) for part in (values[:150], values[150:])]
        differences = [_difference(half, p, 0.04 / 5 / 2) for p in (50, 75, 90, 95)]
        alarms += any(low is not None and high is not None and not low <= 0 <= high for low, high in differences)
    assert alarms <= 20


def test_too_few_requests_are_said_to_be_too_few(tmp_path: Path) -> None:
    found = compared(tmp_path, requests(1, n=5), requests(2, n=5))
    assert found.verdict == "unknown"
    assert all(change.ci_low_ns is None for change in found.end_to_end)


def test_sides_without_a_common_kind_of_request_are_told_as_that(tmp_path: Path) -> None:
    other = DatasetBuilder()
    for _ in range(50):
        other.request(Work("tools", 90 * MS, "crawl"), route="POST /crawl")
    found = compared(tmp_path, requests(1, n=50), other)
    assert (found.verdict, found.services) == ("unknown", ())
    assert sentences(found)[0] == "The two sides have no kind of request in common."


def test_parts_of_one_dataset_are_compared(tmp_path: Path) -> None:
    connection = open_dataset(requests(1).write(tmp_path / "a.duckdb"))
    found = compare(Side(connection, Filters(route="POST /chat")), Side(connection, Filters(route="POST /report")))
    assert found.verdict == "slower"
    assert found.base["only_here"] == found.candidate["only_here"] == 0


def test_only_slower_requests_and_capped_stages_are_regressions(tmp_path: Path) -> None:
    base, candidate = requests(1), requests(2, slower=1.5)
    free = compared(tmp_path, base, candidate)
    assert free.regressions
    assert all(change.stage == "total" for change in free.regressions)
    capped = compared(tmp_path, base, candidate, '[stages.inference]\np95 = "1s"')
    assert "inference" in {change.stage for change in capped.regressions}
    assert hold_to(free, parse_budget('[stages.inference]\np95 = "1s"')) == capped
    assert compared(tmp_path, candidate, base).regressions == []


def test_equal_weights_give_the_plain_percentile_and_its_interval() -> None:
    values = np.random.default_rng(1).integers(0, 10**9, 313)
    sample = _Weighted(values, np.full(313, 1 / 313))
    ordered = np.sort(values)
    for p in (50, 75, 90, 95):
        assert sample.quantile(p) == pytest.approx(np.percentile(values, p), abs=1)
        low, high = interval_ranks(313, p)
        assert sample.bounds(p, 0.025) == (ordered[low - 1], ordered[high - 1])  # type: ignore[operator]


def test_a_weight_of_two_is_the_same_as_being_there_twice() -> None:
    values = np.array([10, 20, 30, 40, 50] * 20)
    twice = _Weighted(np.repeat(values, 2), np.full(200, 1 / 200))
    weighted = _Weighted(values, np.full(100, 1 / 100))
    assert [twice.quantile(p) for p in (30, 50, 90)] == [weighted.quantile(p) for p in (30, 50, 90)]


@pytest.mark.skipif(not REAL_FAULTS.is_dir(), reason="the real traces are not part of the project")
def test_the_faulty_service_comes_first_in_at_least_16_of_17_real_faults(tmp_path: Path) -> None:
    ingest([REAL_FAULTS / "normal.jsonl.gz"], tmp_path / "normal.duckdb")
    normal = Side(open_dataset(tmp_path / "normal.duckdb"))
    named = []
    for fault in json.loads((REAL_FAULTS / "faults.json").read_text()):
        path = tmp_path / f"{fault['file']}.duckdb"
        ingest([REAL_FAULTS / f"{fault['file']}.jsonl.gz"], path)
        named.append(compare(normal, Side(open_dataset(path))).services[0].service_name == fault["service"])
    assert len(named) == 17
    assert sum(named) >= 16

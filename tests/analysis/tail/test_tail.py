"""What slow requests have in common, and typical ones have not."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.read import load_requests, read_requests
from overbudget.analysis.tail.operation_times import operation_times
from overbudget.analysis.tail.tail import Tail, cohorts, tail
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import MS, DatasetBuilder, Work


def requests(seed: int, n: int = 600, guilty: str | None = "umbrella", share: float = 0.06) -> DatasetBuilder:
    """Requests of ten tenants with ids and numbers that mean nothing; `guilty`'s query takes a second longer."""
    random = np.random.default_rng(seed)
    builder = DatasetBuilder()
    for number in range(n):
        tenant = "umbrella" if random.random() < share else f"tenant-{random.integers(10)}"
        query = random.uniform(20, 40) + (1000 if tenant == guilty else 0)
        noise = {"host": f"h{random.integers(6)}", "rows": str(random.integers(1, 1000)), "id": f"id-{number}"}
        builder.request(
            Work("retrieval", int(query * MS), "SELECT docs", "retriever", attributes={"tenant": tenant, **noise}),
            Work(
                "inference", int(random.uniform(200, 400) * MS), "chat", attributes={"seed": str(random.integers(50))}
            ),
            attributes={"tenant": tenant},
        )
    return builder


def found_in(tmp_path: Path, builder: DatasetBuilder, **options: int) -> Tail:
    return tail(open_dataset(builder.write(tmp_path / "d.duckdb")), **options)  # type: ignore[arg-type]


def test_the_guilty_operation_and_attribute_come_first(tmp_path: Path) -> None:
    found = found_in(tmp_path, requests(1))
    assert (found.operations[0].name, found.operations[0].stage) == ("SELECT docs", "retrieval")
    first = found.attributes[0]
    assert (first.key, first.value, first.on) == ("tenant", "umbrella", "SELECT docs")
    assert first.slow_share == 1
    assert first.also == ("tenant = umbrella on POST /chat",)


def test_a_large_cohort_is_looked_through_in_part_evenly_over_its_latencies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = requests(1)
    whole = found_in(tmp_path, builder)
    monkeypatch.setattr("overbudget.analysis.tail.attributes.MOST_LOOKED_AT", 20)
    found = found_in(tmp_path, builder)
    assert (found.slow, found.typical, found.operations) == (whole.slow, whole.typical, whole.operations)
    first = found.attributes[0]
    assert (first.key, first.value, first.slow_share, first.requests) == ("tenant", "umbrella", 1, 20)


def test_the_parts_of_the_excess_sum_to_it(tmp_path: Path) -> None:
    found = found_in(tmp_path, requests(1))
    assert sum(one.share_of_excess for one in found.operations) == pytest.approx(1, abs=1e-3)
    assert sum(one.excess_ns for one in found.operations) == pytest.approx(
        found.slow_mean_ns - found.typical_mean_ns, abs=5
    )


def test_noise_comes_out_in_at_most_one_of_twenty_healthy_worlds(tmp_path: Path) -> None:
    worlds = [found_in(tmp_path, requests(seed, n=300, guilty=None)).attributes for seed in range(20)]
    assert sum(bool(attributes) for attributes in worlds) <= 1


def test_a_number_is_told_by_the_threshold_that_tells_most(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    builder = DatasetBuilder()
    for _ in range(500):
        tokens = int(random.integers(10, 1000))
        builder.request(Work("inference", tokens * MS, "chat", attributes={"tokens": str(tokens)}))
    first = found_in(tmp_path, builder).attributes[0]
    assert first.key == "tokens"
    assert first.value.startswith("> ")
    assert first.slow_share == 1


def test_the_p_value_is_fishers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overbudget.analysis.tail.attributes.INSTANTS", 1)  # none: the mark is all that is tested
    builder = DatasetBuilder()
    for number in range(200):
        slow = number >= 190
        marked = number in (60, 90, 190, 191, 192, 193, 194, 195)
        builder.request(
            Work("tools", (1000 if slow else 10) * MS + number, "work", attributes={"mark": "x"} if marked else {})
        )
    found = found_in(tmp_path, builder)
    (one,) = found.attributes
    typical_hits = round(one.typical_share * found.typical)
    table = [[6, found.slow - 6], [typical_hits, found.typical - typical_hits]]
    assert one.q_value == pytest.approx(fisher_exact(table, alternative="greater").pvalue)


def test_requests_over_budget_can_be_the_slow_ones(tmp_path: Path) -> None:
    connection = open_dataset(requests(1).write(tmp_path / "d.duckdb"))
    budget = parse_budget('[budget]\np95 = "900ms"')
    found = tail(connection, budget, over_budget=True)
    assert found.threshold_ns == 900 * MS
    assert 20 < found.slow < 60
    with pytest.raises(OverbudgetError, match="no cap"):
        tail(connection, over_budget=True)


def test_too_few_requests_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(OverbudgetError, match="too few"):
        found_in(tmp_path, requests(1, n=12))


def test_the_guilty_attribute_is_found_among_the_budgets_own_requests(tmp_path: Path) -> None:
    connection = open_dataset(requests(1).write(tmp_path / "d.duckdb"))
    for text in ("", '[request]\nmatch = { name = "SELECT docs" }', ""):  # tables of one do not disturb the next
        budget = parse_budget(text)
        found = tail(connection, budget)
        assert (found.attributes[0].key, found.attributes[0].value) == ("tenant", "umbrella")
        with_it, without = cohorts(connection, load_requests(connection, budget), found.attributes[0])
        assert len(with_it) >= found.attributes[0].requests
        assert (len(with_it) < 60, len(with_it) + len(without)) == (True, 600)


def test_the_times_of_an_operation_have_the_means_that_the_tail_tells(tmp_path: Path) -> None:
    connection = open_dataset(requests(1).write(tmp_path / "d.duckdb"))
    found, table = tail(connection), read_requests(connection).select(None)
    for operation in found.operations:
        slow, typical = operation_times(connection, table, found, operation)
        assert (len(slow), len(typical)) == (found.slow, found.typical)
        assert slow.mean() == pytest.approx(operation.slow_mean_ns, abs=1)
        assert typical.mean() == pytest.approx(operation.typical_mean_ns, abs=1)

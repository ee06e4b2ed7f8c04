"""Which calls requests made, what of them is on the critical path, and whether they failed."""

from pathlib import Path

import numpy as np

from overbudget.analysis.causes.spending import Cause, Spending, _first_of_call, numbered, read_spending
from overbudget.analysis.causes.why import Amount
from overbudget.analysis.requests.read import load_requests
from tests.dataset_builder import DatasetBuilder, Work
from tests.span_dump import MS, Span, dataset


def spending(tmp_path: Path, *traces: list[Span]) -> Spending:
    connection = dataset(tmp_path / "d.duckdb", traces)
    return read_spending(connection, load_requests(connection))


def amounts(found: Spending) -> dict[Cause, tuple[Amount, Amount]]:
    even = np.full(found.requests, 1 / found.requests)
    return dict(zip(found.causes, found.amounts(even), strict=True))


def request(*below: Span, end: float = 100) -> list[Span]:
    return [Span("GET /", 0, end, kind="server"), *below]


def test_overlapping_calls_of_one_operation_under_one_parent_are_one_call(tmp_path: Path) -> None:
    calls = [Span("query", at, at + 20, "GET /", key=f"q{at}") for at in (10, 15, 29)]
    alone = Span("query", 60, 70, "GET /", key="later")
    fine, failed = amounts(spending(tmp_path, request(*calls, alone)))["api", "query", None]
    assert (fine.made, fine.on_path) == (2, 2)
    assert failed == Amount(0, 0, 0)


def test_a_call_that_begins_as_the_one_before_it_ends_is_another_call(tmp_path: Path) -> None:
    calls = [Span("query", at, at + 10, "GET /", key=f"q{at}") for at in (10, 20, 30)]
    fine, _ = amounts(spending(tmp_path, request(*calls)))["api", "query", None]
    assert (fine.made, fine.on_path) == (3, 3)


def test_overlapping_calls_under_different_parents_are_different_calls(tmp_path: Path) -> None:
    steps = [Span("a", 0, 50, "GET /"), Span("b", 0, 50, "GET /")]
    calls = [Span("query", 0, 40, parent, key=f"q{parent}") for parent in ("a", "b")]
    fine, _ = amounts(spending(tmp_path, request(*steps, *calls)))["api", "query", None]
    assert (fine.made, fine.on_path) == (2, 1)


def test_overlapping_calls_of_different_operations_are_different_calls(tmp_path: Path) -> None:
    found = amounts(spending(tmp_path, request(Span("a", 0, 50, "GET /"), Span("b", 0, 60, "GET /"))))
    assert (found["api", "a", None][0].made, found["api", "a", None][0].on_path) == (1, 0)
    assert (found["api", "b", None][0].made, found["api", "b", None][0].on_path) == (1, 1)


def test_calls_that_failed_are_told_apart(tmp_path: Path) -> None:
    calls = [Span("query", at, at + 10, "GET /", key=f"q{at}", failed=at < 30) for at in (10, 20, 30)]
    fine, failed = amounts(spending(tmp_path, request(*calls)))["api", "query", None]
    assert (fine.made, fine.ns) == (1, 10 * MS)
    assert (failed.made, failed.ns) == (2, 20 * MS)


def test_a_hedged_call_of_which_one_attempt_failed_is_one_call_that_did_not_fail(tmp_path: Path) -> None:
    legs = [
        Span("query", 10, 40, "GET /", key="first", failed=True),
        Span("query", 20, 50, "GET /", key="second"),
    ]
    fine, failed = amounts(spending(tmp_path, request(*legs)))["api", "query", None]
    assert (fine.made, fine.on_path, failed.made, failed.ns) == (1, 1, 0, 0)


def test_the_calls_of_a_hop_are_those_that_lead_there(tmp_path: Path) -> None:
    hop = Span("call", 10, 60, "GET /", kind="client")
    callee = Span("serve", 30, 60, "call", "other", "server")
    local = Span("call", 70, 80, "GET /", key="local")
    found = amounts(spending(tmp_path, request(hop, callee, local)))
    assert found["api", "call", "other"][0] == Amount(1, 1, 20 * MS)
    assert found["api", "call", None][0] == Amount(1, 1, 10 * MS)
    assert found["other", "serve", None][0] == Amount(1, 1, 30 * MS)


def test_means_count_requests_without_the_operation_as_nothing(tmp_path: Path) -> None:
    with_it = request(Span("query", 0, 40, "GET /"))
    found = spending(tmp_path, with_it, request(), request())
    fine, _ = dict(zip(found.causes, found.amounts(np.array([0.5, 0.25, 0.25])), strict=True))["api", "query", None]
    assert (fine.made, fine.on_path, fine.ns) == (0.5, 0.5, 20 * MS)


def test_what_requests_spend_sums_to_their_time(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    builder = DatasetBuilder()
    for _ in range(50):
        works = [Work("tools", int(random.uniform(1, 9) * MS), f"w{random.integers(4)}") for _ in range(3)]
        builder.request(*works, rest_ns=MS)
    from overbudget.store.dataset import open_dataset

    connection = open_dataset(builder.write(tmp_path / "b.duckdb"))
    table = load_requests(connection)
    total = sum(fine.ns + failed.ns for fine, failed in amounts(read_spending(connection, table)).values())
    assert round(total) == round(float(table.latency_ns.mean()))


def test_one_segment_of_each_call_and_cause_is_marked() -> None:
    call = np.array([4, 4, 2, 4, 2, 4], np.int32)
    cause = np.array([0, 1, 0, 0, 0, 1], np.int64)
    assert _first_of_call(call, cause).tolist() == [True, True, True, False, False, False]
    assert _first_of_call(call[:0], cause[:0]).tolist() == []


def test_keys_are_numbered_alike_whether_they_are_counted_or_sorted() -> None:
    keys = np.random.default_rng(1).integers(0, 50, 200)
    for counted, sorted_ in zip(numbered(keys, 50), numbered(keys, 10**9), strict=True):
        assert counted.tolist() == sorted_.tolist()

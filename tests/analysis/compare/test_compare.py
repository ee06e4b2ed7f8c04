"""What changed between two datasets, like with like."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.common.binomial import interval_ranks
from overbudget.analysis.compare.compare import Comparison, Side, compare, deciding_percentiles
from overbudget.analysis.compare.percentile_change import Sample, difference, verdict_of
from overbudget.analysis.requests.table import Filters
from overbudget.app.text.compare import sentences
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import FIRST_START_NS, MS, DatasetBuilder, S, Work
from tests.span_dump import Span, dataset

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
    assert sentences(found)[0].startswith("The candidate is slower: p95 is ")
    assert {change.verdict for change in found.stages if change.stage == "retrieval"} <= {"same", "unknown"}
    assert (found.operations[0].name, found.operations[0].only_in) == ("chat", None)
    assert found.operations[0].why.how_often_ns == 0
    assert found.operations[0].why.sentence.endswith("slower")
    assert found.services[0].service_name == "api"
    for change in found.end_to_end:
        assert change.change_ns == change.candidate_ns - change.base_ns  # type: ignore[operator]


def test_a_change_in_what_is_asked_is_no_change_in_how_fast_it_is_answered(tmp_path: Path) -> None:
    found = compared(tmp_path, requests(1, 2000, reports=0.1), requests(2, 2000, reports=0.6))
    assert found.verdict in ("same", "unknown")
    assert abs(found.operations[0].change_ns) < 100 * MS
    medians = [change for change in found.end_to_end if change.percentile == 50]
    assert medians[0].candidate_ns > 1_000 * MS  # type: ignore[operator]


def test_what_only_one_side_has_is_counted_apart(tmp_path: Path) -> None:
    candidate = requests(2, n=100)
    for _ in range(7):
        candidate.request(Work("tools", 9_000 * MS, "crawl"), route="POST /crawl")
    found = compared(tmp_path, requests(1, n=100), candidate)
    assert (found.base["only_here"], found.candidate["only_here"]) == (0, 7)
    assert found.verdict in ("same", "unknown")
    assert "crawl" not in {one.name for one in found.operations}


def test_halves_of_one_dataset_are_called_changed_in_at_most_5_of_100_splits() -> None:
    random = np.random.default_rng(3)
    alarms = 0
    for _ in range(400):
        values = random.lognormal(0, 0.8, 300).astype(np.float64) * 1e9
        half = [Sample(part.astype(np.int64), np.full(150, 1 / 150)) for part in (values[:150], values[150:])]
        differences = [difference(half, p, 0.05 / 2 / 2) for p in (50, 95)]
        alarms += any(low is not None and high is not None and not low <= 0 <= high for low, high in differences)
    assert alarms <= 20


def test_the_verdict_stands_on_the_edges_of_the_interval_that_is_shown() -> None:
    assert verdict_of(1, 500, 100) == "slower"
    assert verdict_of(0, 500, 100) == "unknown"
    assert verdict_of(-500, -1, 100) == "faster"
    assert verdict_of(-500, 0, 100) == "unknown"
    assert verdict_of(-100, 100, 100) == "same"
    assert verdict_of(-101, 100, 100) == verdict_of(-100, 101, 100) == "unknown"
    assert verdict_of(None, 100, 100) == verdict_of(-100, None, 100) == "unknown"


def test_the_margin_is_a_tenth_of_the_base_and_at_least_a_millisecond(tmp_path: Path) -> None:
    found = compared(tmp_path, requests(1), requests(1))
    for change in (*found.end_to_end, *found.stages):
        assert change.margin_ns == max(round(0.1 * (change.base_ns or 0)), MS)


def test_only_deciding_percentiles_have_an_interval_and_a_verdict(tmp_path: Path) -> None:
    found = compared(tmp_path, requests(1), requests(2, slower=3))
    told = {change.percentile: change.verdict for change in found.end_to_end}
    assert told == {50: "slower", 75: "unknown", 90: "unknown", 95: "slower", 99: "unknown"}
    assert {change.percentile for change in found.end_to_end if change.ci_low_ns is not None} == {50, 95}


def test_the_percentiles_that_the_budget_caps_decide_at_most_three() -> None:
    def of(*capped: int) -> tuple[int, ...]:
        return deciding_percentiles(Budget(dict.fromkeys(capped, MS)))

    assert of() == (50, 95)
    assert of(90) == (90,)
    assert of(50, 75, 90, 99) == (50, 90, 99)


def test_no_change_and_enough_requests_are_as_fast_as_the_base(tmp_path: Path) -> None:
    found = compared(tmp_path, requests(1, 3000, reports=0), requests(2, 3000, reports=0))
    assert found.verdict == "same"
    assert sentences(found)[0].startswith("The candidate is as fast as the base, at p50 and p95 (within ")


def test_what_few_requests_cannot_prove_is_not_proven(tmp_path: Path) -> None:
    found = compared(tmp_path, requests(1, 100), requests(2, 100))
    assert found.verdict == "unknown"
    assert sentences(found)[0].startswith("Not proven, neither slower nor as fast: the change at p50 is between")


def test_the_changes_of_operations_and_of_services_sum_to_the_request_s(tmp_path: Path) -> None:
    candidate = requests(2, slower=1.2)
    for number in range(60):
        candidate.request(Work("safety", 33 * MS + number, "judge", "judge"), rest_ns=7)
    found = compared(tmp_path, requests(1), candidate)
    total = sum(one.change_ns for one in found.operations)
    assert sum(one.change_ns for one in found.services) == total
    for one in found.operations:
        assert one.why.how_often_ns + one.why.how_large_ns + one.why.how_slow_ns == one.change_ns
    shares = [row["share_of_change"] for name in ("services", "operations") for row in found.as_dict()[name]]
    assert all(0 <= share <= 1 for share in shares)
    assert sum(shares) == pytest.approx(2, abs=0.01)


def test_a_step_added_to_every_request_is_growth_of_its_service(tmp_path: Path) -> None:
    base, candidate = DatasetBuilder(), DatasetBuilder()
    for _ in range(60):
        base.request(Work("inference", 300 * MS, "chat"))
        candidate.request(Work("inference", 300 * MS, "chat"), Work("safety", 700 * MS, "judge answer", "judge"))
    found = compared(tmp_path, base, candidate)
    assert (found.verdict, found.services[0].service_name, found.services[0].change_ns) == ("slower", "judge", 700 * MS)
    assert found.base["only_here"] == found.candidate["only_here"] == 0
    assert (found.operations[0].only_in, found.operations[0].why.how_often_ns) == ("candidate", 700 * MS)
    assert "1 call a request instead of none" in sentences(found)[1]


def misses(seed: int, share: float) -> DatasetBuilder:
    random = np.random.default_rng(seed)
    builder = DatasetBuilder()
    for _ in range(300):
        search = [Work("retrieval", int(random.uniform(600, 800) * MS), "search")] if random.random() < share else []
        builder.request(*search, Work("inference", int(random.uniform(300, 400) * MS), "chat"))
    return builder


def test_a_cache_that_misses_is_told_as_how_often_although_both_sides_have_both_shapes(tmp_path: Path) -> None:
    found = compared(tmp_path, misses(1, 0.15), misses(2, 0.6))
    assert found.verdict == "slower"
    first = found.operations[0]
    assert first.name == "search"
    assert first.why.how_often_ns > 0.9 * first.change_ns
    assert first.why.sentence.startswith("calls in 55% of the requests instead of 16%")
    assert first.only_in is None


def test_shapes_as_frequent_as_before_are_told_apart(tmp_path: Path) -> None:
    candidate = misses(2, 0.5)
    for _ in range(3):
        candidate.request(Work("tools", 10 * MS, "rare"))  # of a shape that the base has not, but few
    found = compared(tmp_path, misses(1, 0.5), candidate)
    assert found.candidate["only_here"] == 3


def test_what_ran_beside_the_path_and_now_takes_it_is_not_new(tmp_path: Path) -> None:
    def traces(check_ms: float) -> list[list[Span]]:
        below = [Span("search", 0, 50, "GET /"), Span("check", 1, check_ms, "GET /", "guard")]
        return [[Span("GET /", 0, 90, kind="server"), *below] for _ in range(50)]

    sides = [Side(dataset(tmp_path / f"{ms}.duckdb", traces(ms))) for ms in (20, 80)]
    found = compare(*sides)
    check = next(one for one in found.operations if one.name == "check")
    assert (check.only_in, check.why.how_often_ns) == (None, 0)
    assert (check.why.calls_before, check.why.calls_after) == (pytest.approx(1), pytest.approx(1))
    assert found.services[0].service_name == "guard"


def failing(seed: int, share: float, n: int = 300) -> DatasetBuilder:
    random = np.random.default_rng(seed)
    builder = DatasetBuilder()
    for _ in range(n):
        fails = random.random() < share
        time = 12 if fails else random.uniform(300, 400)
        builder.request(Work("inference", int(time * MS), "chat"), status="ERROR" if fails else "OK")
    return builder


def test_requests_that_fail_early_are_no_faster_ones(tmp_path: Path) -> None:
    found = compared(tmp_path, failing(1, 0.0), failing(2, 0.6))
    assert (found.verdict, found.fails_more, found.regressed) == ("unknown", True, True)
    assert sentences(found)[0].endswith(
        "of the requests fail, 0% before: a request that fails early is not a faster one."
    )
    told = found.as_dict()["failed"]
    assert told["base"]["share"] == 0
    assert told["candidate"]["ci_low"] < told["candidate"]["share"] < told["candidate"]["ci_high"]


def test_as_many_failures_as_before_say_nothing(tmp_path: Path) -> None:
    found = compared(tmp_path, failing(1, 0.1), failing(2, 0.1))
    assert not found.fails_more
    assert not found.regressed


def test_a_base_from_another_day_is_said(tmp_path: Path) -> None:
    near, far = DatasetBuilder(), DatasetBuilder()
    for number in range(50):
        near.request(Work("inference", 300 * MS, "chat"))
        far.request(Work("inference", 300 * MS, "chat"), start_ns=FIRST_START_NS + (24 * 3600 + number) * S)
    assert not compared(tmp_path, near, near).far_apart
    found = compared(tmp_path, near, far)
    assert sentences(found)[-1] == "The base is from another day; one closer in time would show more."


def test_a_service_that_grew_for_certain_decides_where_percentiles_cannot(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    sides = []
    for query in (5, 75):
        builder = DatasetBuilder()
        for _ in range(200):
            long = int(random.uniform(100, 1500) * MS)
            builder.request(Work("inference", long, "chat"), Work("database", int(query * MS), "SELECT", "db"))
        sides.append(builder)
    found = compared(tmp_path, *sides)
    assert not {"slower", "faster"} & {change.verdict for change in found.end_to_end}
    assert found.certain is not None
    assert (found.verdict, found.certain.service_name, found.regressed) == ("slower", "db", True)
    assert "for certain; p50 and p95 alone do not prove a change" in sentences(found)[0]


def test_too_few_requests_are_said_to_be_too_few(tmp_path: Path) -> None:
    found = compared(tmp_path, requests(1, n=5), requests(2, n=5))
    assert found.verdict == "unknown"
    assert sentences(found)[0].startswith("Not proven")


def test_sides_without_a_common_kind_of_request_are_told_as_that(tmp_path: Path) -> None:
    other = DatasetBuilder()
    for _ in range(50):
        other.request(Work("tools", 90 * MS, "crawl"), route="POST /crawl")
    found = compared(tmp_path, requests(1, n=50), other)
    assert (found.verdict, found.services) == ("unknown", ())
    assert sentences(found)[0] == "The two sides have no route in common."


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
    assert compared(tmp_path, candidate, base).regressions == []


def test_equal_weights_give_the_plain_percentile_and_its_interval() -> None:
    values = np.random.default_rng(1).integers(0, 10**9, 313)
    sample = Sample(values, np.full(313, 1 / 313))
    ordered = np.sort(values)
    for p in (50, 75, 90, 95):
        assert sample.quantile(p) == pytest.approx(np.percentile(values, p), abs=1)
        low, high = interval_ranks(313, p)
        assert sample.bounds(p, 0.025) == (ordered[low - 1], ordered[high - 1])  # type: ignore[operator]


def test_a_weight_of_two_is_the_same_as_being_there_twice() -> None:
    values = np.array([10, 20, 30, 40, 50] * 20)
    twice = Sample(np.repeat(values, 2), np.full(200, 1 / 200))
    weighted = Sample(values, np.full(100, 1 / 100))
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


@given(st.integers(0, 10**6), st.integers(40, 300))
def test_a_sample_compared_with_itself_is_never_slower_or_faster(seed: int, n: int) -> None:
    values = np.random.default_rng(seed).gamma(2, 1e8, n).astype(np.int64)
    sides = [Sample(values, np.full(n, 1 / n))] * 2
    for percentile in (50, 95):
        low, high = difference(sides, percentile, 0.0125)
        assert low is None or high is None or low <= 0 <= high


def named(path: Path, seed: int, slower: float, called: dict[str, str]) -> Side:
    """Requests over two services and a host, which take `slower` times as long; `called` says what these are called."""
    random = np.random.default_rng(seed)
    traces = []
    for _ in range(60):
        a, b, c = random.uniform(10, 20), random.uniform(30, 60), random.uniform(40, 80) * slower
        host = {"server.address": called["host"]}
        traces.append(
            [
                Span(called["route"], 0, a + b + c, service=called["front"], kind="server", key="root"),
                Span("call", a, a + b, "root", called["front"], "client", key="call"),
                Span("serve", a + 3, a + b - 2, "call", called["back"], "server"),
                Span("ask", a + b, a + b + c, "root", called["front"], "client", key="ask", attributes=host),
            ]
        )
    return Side(dataset(path, traces))


def test_no_answer_depends_on_how_services_hosts_and_routes_are_called(tmp_path: Path) -> None:
    random = np.random.default_rng(9)
    said = set()
    for number in range(4):
        words = random.permutation(["alpha", "beta", "mid", "zeta"]).tolist()
        called = dict(zip(("front", "back", "host", "route"), words, strict=True))
        sides = [named(tmp_path / f"{number}-{slower}.duckdb", 1, slower, called) for slower in (1, 1.5)]
        found = json.dumps(compare(*sides).as_dict() | {"said": sentences(compare(*sides))})
        for part, word in called.items():
            found = found.replace(word, f"<{part}>")
        rows = json.loads(found)
        rows["operations"].sort(key=lambda row: (-row["change_ns"], row["service_name"], row["name"]))
        rows["services"].sort(key=lambda row: (-row["change_ns"], row["service_name"]))
        said.add(json.dumps(rows))
        assert compare(*sides).services[0].service_name == called["host"]
    assert len(said) == 1

"""What the distribution would be: changes as they are written, and their effect on samples whose truth is known."""

import duckdb
import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.read import load_requests
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.whatif.changes import parse_changes
from overbudget.analysis.whatif.factors import served
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError

TOOLS = "execute_tool weather,execute_tool stock,execute_tool orders"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("samples")
    opened = {}
    for name in ("tools_in_a_row", "healthy", "slow_database_tenant", "repeated_prompts", "load_ramp"):
        ingest([SAMPLES / f"{name}.otlp.jsonl.gz"], folder / f"{name}.duckdb")
        opened[name] = open_dataset(folder / f"{name}.duckdb")
    return opened


def percentiles(found: tuple[tuple[int, int | None], ...]) -> dict[int, int]:
    return {p: ns or 0 for p, ns in found}


def test_no_change_changes_no_request(samples: dict[str, duckdb.DuckDBPyConnection]) -> None:
    for connection in samples.values():
        found = Workbench(connection).what_if([])
        assert found.requests_changed == 0
        assert found.before == found.after


def test_tools_in_parallel_give_what_the_simulation_gives_with_parallel_tools(
    samples: dict[str, duckdb.DuckDBPyConnection],
) -> None:
    found = Workbench(samples["tools_in_a_row"]).what_if(parse_changes(parallel=[TOOLS]))
    truth = load_requests(samples["healthy"]).latency_ns  # the same requests, tools in parallel
    for p in (50, 90, 95):
        assert percentiles(found.after)[p] == pytest.approx(np.percentile(truth, p), rel=0.02)


def test_a_cap_on_the_slow_query_takes_the_tail_away(samples: dict[str, duckdb.DuckDBPyConnection]) -> None:
    budget = parse_budget('[budget]\np95 = "1.5s"')
    bench = Workbench(samples["slow_database_tenant"], budget)
    found = bench.what_if(parse_changes(cap=["SELECT docs=60ms"]))
    healthy = load_requests(samples["healthy"]).latency_ns
    assert percentiles(found.after)[95] == pytest.approx(np.percentile(healthy, 95), rel=0.05)
    assert found.within is not None
    assert found.within[0] < 0.95 < found.within[1]
    assert percentiles(bench.what_if(parse_changes(cap=["retrieval=120ms"])).after)[99] < percentiles(found.before)[95]


def test_without_the_wait_for_a_slot_load_does_not_show(samples: dict[str, duckdb.DuckDBPyConnection]) -> None:
    found = Workbench(samples["load_ramp"]).what_if(parse_changes(scale=["queue=0"]))
    healthy = load_requests(samples["healthy"]).latency_ns
    for p in (50, 95):
        assert percentiles(found.after)[p] == pytest.approx(np.percentile(healthy, p), rel=0.03)


def test_repeats_come_from_a_cache(samples: dict[str, duckdb.DuckDBPyConnection]) -> None:
    bench = Workbench(samples["repeated_prompts"])
    long, short = (bench.what_if(parse_changes(cache=[f"retrieve={ttl}"])) for ttl in ("1h", "100ms"))
    assert long.requests_changed >= 400  # eight questions in 420 requests
    assert short.requests_changed < 100
    assert percentiles(long.after)[50] < percentiles(short.after)[50]


def test_changes_combine(samples: dict[str, duckdb.DuckDBPyConnection]) -> None:
    bench = Workbench(samples["tools_in_a_row"])
    both = bench.durations(parse_changes(parallel=[TOOLS], scale=["inference=0.5"]))
    assert (both < bench.durations(parse_changes(parallel=[TOOLS]))).all()
    assert (both < bench.durations(parse_changes(scale=["inference=0.5"]))).all()


def test_filters_choose_the_requests(samples: dict[str, duckdb.DuckDBPyConnection]) -> None:
    assert Workbench(samples["healthy"], filters=Filters(route="POST /chat")).what_if([]).requests == 420
    with pytest.raises(OverbudgetError, match="Did you mean"):
        Workbench(samples["healthy"], filters=Filters(route="POST /chta"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cap": ["retrieval"]}, "has no value"),
        ({"cap": ["retrieval=400"]}, "has no unit"),
        ({"scale": ["inference=fast"]}, "is not a factor"),
        ({"scale": ["inference=-1"]}, "is not a factor"),
        ({"parallel": [" , "]}, "names no operation"),
        ({"cache": ["retrieve=soon"]}, "is not a duration"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_in_words(changes: dict[str, list[str]], said: str) -> None:
    with pytest.raises(OverbudgetError, match=said):
        parse_changes(**changes)  # type: ignore[arg-type]


def test_what_is_not_there_cannot_be_changed(samples: dict[str, duckdb.DuckDBPyConnection]) -> None:
    bench = Workbench(samples["healthy"])
    with pytest.raises(OverbudgetError, match="Did you mean `retrieve`"):
        bench.what_if(parse_changes(cap=["retrievel=1s"]))
    with pytest.raises(OverbudgetError, match="records its input"):
        bench.what_if(parse_changes(cache=["wait_for_slot=1m"]))


def test_a_cache_answers_from_the_end_of_the_first_call_until_its_time_is_over() -> None:
    given = np.array([1, 1, 1, 1, 1, 2], np.uint64)
    start = np.array([0, 5, 10, 109, 111, 112], np.int64)
    end = start + 10
    well = np.zeros(6, bool)
    assert served(given, start, end, well, 99).tolist() == [False, False, True, True, False, False]


def test_a_call_that_fails_fills_no_cache() -> None:
    given = np.array([1, 1, 1, 1], np.uint64)
    start = np.array([0, 10, 20, 30], np.int64)
    failed = np.array([True, False, False, True])
    assert served(given, start, start + 5, failed, 99).tolist() == [False, False, True, True]

"""Time in the queue of an inference server, as its own span reports it, counts for the stage queue."""

import itertools
import json

import duckdb
import numpy as np
import pytest

from overbudget.analysis.advice.advice import advise
from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.review.review import review
from overbudget.analysis.whatif.changes import parse_changes
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import FIRST_START_NS, MS

S = 1_000 * MS


def otlp(trace: int, number: int, parent: int, name: str, start: int, end: int, **said: float | str) -> dict:  # type: ignore[type-arg]
    attributes = [
        {"key": key.replace("__", "."), "value": {"stringValue" if isinstance(value, str) else "doubleValue": value}}
        for key, value in said.items()
    ]
    span = {
        "traceId": f"{trace + 1:032x}", "spanId": f"{number:016x}", "name": name, "attributes": attributes,
        "startTimeUnixNano": str(FIRST_START_NS + trace * S + start), "endTimeUnixNano": str(FIRST_START_NS + trace * S + end),
    }  # fmt: skip
    return {**span, "parentSpanId": f"{parent:016x}"} if parent else span


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """
    POST /chat     [==========================]
      llm_request  ..[wwwww===========]           w: in the server's queue, from 0 to 99 ms; then 300 ms of inference
    """
    folder = tmp_path_factory.mktemp("queued")
    spans = []
    for number in range(100):
        wait = number * 37 % 100 * MS  # in no order: requests that grow steadily are too alike for a verdict
        reports = {
            "gen_ai__latency__time_in_queue": wait / S,
            "gen_ai__latency__time_to_first_token": (wait + 100 * MS) / S,
        }
        spans.append(otlp(number, 1, 0, "POST /chat", 0, wait + 330 * MS))
        spans.append(otlp(number, 2, 1, "llm_request", 10 * MS, wait + 310 * MS, **reports))
    dump = folder / "d.json"
    dump.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    ingest([dump], folder / "d.duckdb")
    return open_dataset(folder / "d.duckdb")


def test_the_wait_is_queue_and_the_rest_inference(served: duckdb.DuckDBPyConnection) -> None:
    for budget in (None, parse_budget('[stages.mine]\nmatch = { name = "nothing" }')):
        table = read_requests(served, budget)
        stage = {name: table.stage_ns[:, place] for place, name in enumerate(table.stages)}
        assert stage["queue"].tolist() == [number * 37 % 100 * MS for number in range(100)]
        assert set(stage["inference"].tolist()) == {300 * MS}
        assert (table.stage_ns.sum(axis=1) == table.latency_ns).all()


def test_the_segments_still_tile_every_request(served: duckdb.DuckDBPyConnection) -> None:
    rows = served.execute(
        "SELECT stage, start_ns, end_ns FROM critical_path WHERE trace_id = $1 ORDER BY start_ns", [f"{51:032x}"]
    ).fetchall()
    assert [stage for stage, _, _ in rows] == ["unattributed", "queue", "inference", "unattributed"]
    assert all(one[2] == two[1] for one, two in itertools.pairwise(rows))
    assert [end - start for _, start, end in rows] == [10 * MS, 50 * MS, 300 * MS, 20 * MS]


def test_busy_time_parts_as_stage_time_does(served: duckdb.DuckDBPyConnection) -> None:
    wrong = "SELECT count(*) FROM stage_time WHERE busy_ns <> stage_ns AND stage IN ('queue', 'inference')"
    assert served.execute(wrong).fetchall() == [(0,)]


def test_a_queue_known_by_its_reports_has_a_verdict_and_is_to_blame(served: duckdb.DuckDBPyConnection) -> None:
    found = review(served, parse_budget('[budget]\np95 = "380ms"\n[stages.queue]\np95 = "10ms"'))
    (row,) = [row for row in found.stages if row.stage == "queue" and row.percentile == 95]
    assert row.verdict == "over"
    culprit = found.made_of(95).culprit
    assert culprit is not None
    assert culprit.operation is not None
    assert (culprit.stage, culprit.operation.name) == ("queue", "llm_request")


def test_without_the_queue_only_inference_is_left(served: duckdb.DuckDBPyConnection) -> None:
    bench = Workbench(served)
    assert set(bench.durations(parse_changes(scale=["queue=0"])).tolist()) == {330 * MS}
    halved = bench.durations(parse_changes(scale=["inference=0.5"])) - bench.table.latency_ns
    assert np.abs(halved + 150 * MS).max() <= 1
    capped = bench.durations(parse_changes(cap=["queue=20ms"]))
    assert np.abs(capped - np.minimum(bench.table.latency_ns, 350 * MS)).max() <= 1
    assert (bench.durations([]) == bench.table.latency_ns).all()


def test_the_queue_is_advised_to_be_shortened(served: duckdb.DuckDBPyConnection) -> None:
    (advice,) = [one for one in advise(served, "d") if one.kind == "queue"]
    assert [one["name"] for one in advice.operations] == ["llm_request"]


def test_the_wait_for_the_first_token_leaves_the_queue_out(served: duckdb.DuckDBPyConnection) -> None:
    streaming = review(served).made_of(95).streaming
    assert streaming is not None
    assert (round(streaming.waiting_ns / MS), round(streaming.writing_ns / MS)) == (100, 200)

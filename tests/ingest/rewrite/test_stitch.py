"""Traces that were cut where their context got lost, joined again by the request id."""

from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.health.audit import audit
from overbudget.analysis.requests.read import load_requests
from overbudget.analysis.trace.trace import load_trace
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.ingest.rewrite.stitch import MARK, _joins, _Span, stitch
from overbudget.store.dataset import open_dataset


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stitch") / "cut.duckdb"
    ingest([SAMPLES / "lost_context.otlp.jsonl.gz"], path)
    return path


def test_the_stitched_requests_are_those_of_the_service_that_lost_no_context(cut: Path, tmp_path: Path) -> None:
    """The simulation is the same but for the lost context: so must be every stage time of every request."""
    assert stitch(cut, tmp_path / "whole.duckdb") == 107
    ingest([SAMPLES / "healthy.otlp.jsonl.gz"], tmp_path / "healthy.duckdb")
    whole, healthy = (load_requests(open_dataset(tmp_path / f"{name}.duckdb")) for name in ("whole", "healthy"))
    assert len(whole) == len(healthy) == 420
    order, other = np.argsort(whole.start_ns, kind="stable"), np.argsort(healthy.start_ns, kind="stable")
    assert (whole.latency_ns[order] == healthy.latency_ns[other]).all()
    assert whole.stages == healthy.stages
    assert (whole.stage_ns[order] == healthy.stage_ns[other]).all()


def test_the_critical_path_of_a_stitched_request_crosses_the_services(cut: Path, tmp_path: Path) -> None:
    stitch(cut, tmp_path / "whole.duckdb")
    connection = open_dataset(tmp_path / "whole.duckdb")
    (trace_id, former), *_ = connection.execute(
        f"SELECT trace_id, attributes['{MARK}'] FROM spans WHERE attributes['{MARK}'] IS NOT NULL ORDER BY ALL"
    ).fetchall()
    trace = load_trace(connection, trace_id)
    services = {span.span_id: span.service_name for span in trace.spans}
    (request,) = trace.requests
    assert {"gateway", "orchestrator", "inference"} <= {services[s.span_id] for s in request.critical_path}
    assert sum(s.end_ns - s.start_ns for s in request.critical_path) == request.duration_ns
    assert connection.execute("SELECT count(*) FROM spans WHERE trace_id = ?", [former]).fetchall() == [(0,)]


def test_nothing_is_lost_and_the_report_counts_the_requests_anew(cut: Path, tmp_path: Path) -> None:
    stitch(cut, tmp_path / "whole.duckdb")
    before, after = open_dataset(cut), open_dataset(tmp_path / "whole.duckdb")
    what = "SELECT count(*), sum(start_ns::HUGEINT), sum(len(attributes)) FROM data.spans"
    (spans, starts, attributes), *_ = before.execute(what).fetchall()
    assert after.execute(what).fetchall() == [(spans, starts, attributes + 107)]
    assert after.execute("SELECT requests FROM ingest_report").fetchall() == [(420,)]
    assert after.execute("SELECT sum(span_count) FROM operations").fetchall() == [(spans,)]
    assert "lost_context" in {problem.code for problem in audit(before).problems}
    assert "lost_context" not in {problem.code for problem in audit(after).problems}


def test_a_second_time_there_is_nothing_left_to_do(cut: Path, tmp_path: Path) -> None:
    stitch(cut, tmp_path / "whole.duckdb")
    assert stitch(tmp_path / "whole.duckdb") == 0


def span(request: int, start: int, end: int, service: str, entry: bool = False, **more: object) -> _Span:
    facts = {"kind": "CLIENT", "peer": None, "calls_away": False, **more}
    return _Span(request, f"t{request}", f"{request}-{start}-{service}", start, end, service, entry=entry, **facts)  # type: ignore[arg-type]


def test_the_call_that_fits_most_closely_is_the_one() -> None:
    outer = [
        span(1, 0, 100, "api", entry=True, kind="SERVER"),
        span(1, 10, 60, "api"),
        span(1, 20, 50, "api"),
        span(1, 60, 99, "api"),
    ]
    inner = [span(2, 22, 45, "search", entry=True)]
    (join,) = _joins([*outer, *inner])
    assert (join.request, join.trace_id, join.parent) == (2, "t1", "1-20-api")


def test_the_address_that_was_called_decides_between_calls_that_fit() -> None:
    outer = [span(1, 0, 100, "api", entry=True), span(1, 20, 50, "api"), span(1, 15, 60, "api", peer="search")]
    (join,) = _joins([*outer, span(2, 22, 45, "search", entry=True)])
    assert join.parent == "1-15-api"


def test_a_request_of_the_same_id_that_nothing_waited_for_stays_alone() -> None:
    outer = [span(1, 0, 100, "api", entry=True, kind="SERVER"), span(1, 10, 20, "api")]
    assert list(_joins([*outer, span(2, 200, 220, "search", entry=True)])) == []
    assert list(_joins([*outer, span(3, 5, 50, "api", entry=True)])) == []  # the same service called itself: a retry


def test_what_was_cut_twice_is_joined_twice() -> None:
    spans = [
        span(1, 0, 100, "api", entry=True, kind="SERVER"), span(1, 10, 90, "api"),
        span(2, 11, 89, "agent", entry=True, kind="SERVER"), span(2, 20, 40, "agent"),
        span(3, 21, 39, "search", entry=True, kind="SERVER"),
    ]  # fmt: skip
    assert [(join.request, join.trace_id, join.parent) for join in _joins(spans)] == [
        (2, "t1", "1-10-api"),
        (3, "t1", "2-20-agent"),
    ]

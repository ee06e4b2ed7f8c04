"""Two datasets put together: everything of both, and what both have once."""

from pathlib import Path

import pytest

from overbudget.analysis.requests.read import load_requests
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.ingest.rewrite.merge import merge
from overbudget.store.dataset import open_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merge")
    for name in ("healthy", "load_ramp"):
        ingest([SAMPLES / f"{name}.otlp.jsonl.gz"], folder / f"{name}.duckdb")
    return folder


def test_a_merge_is_what_reading_both_dumps_gives(folder: Path, tmp_path: Path) -> None:
    merge(folder / "healthy.duckdb", folder / "load_ramp.duckdb", tmp_path / "both.duckdb")
    ingest([SAMPLES / f"{name}.otlp.jsonl.gz" for name in ("healthy", "load_ramp")], tmp_path / "read.duckdb")
    merged, read = (open_dataset(tmp_path / f"{name}.duckdb") for name in ("both", "read"))
    for what in (
        "SELECT trace_id, span_id, parent_span_id, name, service_name, start_ns, end_ns, attributes, source FROM spans",
        "SELECT trace_id, span_id, route, duration_ns, model, good, input_tokens, ttft_ns, in_flight FROM requests",
        "SELECT trace_id, span_id, start_ns, end_ns, stage, hop_to FROM critical_path",
        "SELECT service_name, name, kind, stage, span_count FROM operations",
        "SELECT trace_id, span_id, time_ns, name, attributes FROM span_events",
        "SELECT source, spans, requests FROM ingest_report",
    ):
        counted = f"SELECT count(*), bit_xor(hash(x)) FROM (SELECT x::VARCHAR AS x FROM ({what}) AS x)"
        assert merged.execute(counted).fetchall() == read.execute(counted).fetchall(), what


def test_what_both_have_is_kept_once(folder: Path, tmp_path: Path) -> None:
    merge(folder / "healthy.duckdb", folder / "healthy.duckdb", tmp_path / "twice.duckdb")
    once, twice = (load_requests(open_dataset(path)) for path in (folder / "healthy.duckdb", tmp_path / "twice.duckdb"))
    assert (once.latency_ns == twice.latency_ns).all()
    assert (once.stage_ns == twice.stage_ns).all()

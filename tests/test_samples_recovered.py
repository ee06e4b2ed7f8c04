"""The analysis finds in every sample what its simulation put there."""

import json
from pathlib import Path

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.review.review import over, review
from overbudget.app.server.workspace import SAMPLES, samples
from overbudget.app.text.check import check_sentences
from overbudget.app.text.headline import headline
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

NAMES = [sample.name for sample in samples()]


@pytest.fixture(scope="module", params=NAMES)
def recovered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    name = request.param
    path = tmp_path_factory.mktemp(name) / "d.duckdb"
    result = ingest([SAMPLES / f"{name}.otlp.jsonl.gz"], path)
    truth = json.loads((SAMPLES / f"{name}.truth.json").read_text())
    budget = parse_budget((SAMPLES / truth["budget"]).read_text())
    connection = open_dataset(path)
    return truth, result, connection, review(connection, budget)


def test_every_sample_is_there() -> None:
    assert len(NAMES) == 9


def test_nothing_is_lost(recovered) -> None:  # type: ignore[no-untyped-def]
    truth, result, _, _ = recovered
    assert (result.spans, result.traces) == (truth["spans"], truth["traces"])
    assert result.requests == truth["requests"] + truth["happened"]["lost_contexts"]
    assert all(not file.warnings for file in result.files)


def test_the_culprit_at_each_percentile_is_the_injected_one(recovered) -> None:  # type: ignore[no-untyped-def]
    truth, _, _, found = recovered
    culprits = {
        f"p{made_of.percentile}": made_of.culprit.stage if made_of.culprit else None for made_of in found.breakdown
    }
    assert culprits == truth["culprit"]


def test_the_guilty_operation_is_named(recovered) -> None:  # type: ignore[no-untyped-def]
    truth, _, _, found = recovered
    guilty = truth["operation"]
    for made_of in found.breakdown:
        if made_of.culprit is not None:
            assert made_of.culprit.operation.service_name == guilty["service_name"]
            assert made_of.culprit.operation.name.endswith(guilty["name"])


def test_a_budget_is_broken_just_where_a_stage_is_to_blame(recovered) -> None:  # type: ignore[no-untyped-def]
    truth, _, _, found = recovered
    broken = {entry.stage for entry in over(found)} - {"total"}
    # under traffic that only grows a window has too few changes of conditions for a verdict on what grows with it
    alike = {row.stage for row in found.stages if row.verdict == "unknown" and row.independence == "unknown"}
    guilty = {stage for stage in truth["culprit"].values() if stage}
    assert broken <= guilty <= broken | alike


def test_a_sample_that_gets_ever_slower_is_told_as_over_at_the_end_with_the_stage_that_is_why(recovered) -> None:  # type: ignore[no-untyped-def]
    truth, _, _, found = recovered
    alike = found.row(95).verdict == "unknown" and found.row(95).independence == "unknown"
    assert alike is (truth["name"] == "load_ramp")
    if not alike:
        assert found.parts_over is None
        return
    first, second = headline(found)
    last = found.parts_over.last
    assert 3 <= last == found.parts_over.over < found.parts_over.parts
    assert f"In each of the last {last} of 20 equal parts of them (from 2026-01-01 09:01:" in first
    assert first.endswith("p95 is over its cap of 1.80 s.")
    assert second.startswith("Queue takes ")
    assert second.endswith("`wait_for_slot` is why.")
    told = check_sentences(found, over(found))
    assert told[0].startswith("NOT JUDGED: ")
    assert "over its cap of 1.80 s" in told[1]


def test_segments_tile_every_request_and_stage_times_sum_to_it(recovered) -> None:  # type: ignore[no-untyped-def]
    _, _, connection, _ = recovered
    wrong = connection.execute(
        """SELECT count(*) FROM requests r
           LEFT JOIN (SELECT request_span_id, trace_id, sum(duration_ns) AS ns, min(start_ns) AS low, max(end_ns) AS high
                      FROM critical_path GROUP BY ALL) p ON p.trace_id = r.trace_id AND p.request_span_id = r.span_id
           LEFT JOIN (SELECT request_span_id, trace_id, sum(stage_ns) AS ns FROM stage_time GROUP BY ALL) s
               ON s.trace_id = r.trace_id AND s.request_span_id = r.span_id
           WHERE p.ns IS DISTINCT FROM r.duration_ns OR s.ns IS DISTINCT FROM r.duration_ns
              OR low <> r.start_ns OR high <> r.start_ns + r.duration_ns"""
    ).fetchall()
    assert wrong == [(0,)]


def test_both_encodings_hold_the_same(tmp_path: Path) -> None:
    for dump in sorted(SAMPLES.glob("*.binpb.gz")):
        name = dump.name.split(".")[0]
        answers = []
        for form in ("jsonl", "binpb"):
            ingest([SAMPLES / f"{name}.otlp.{form}.gz"], tmp_path / f"{form}.duckdb")
            columns = "* EXCLUDE (source, operation_id)"
            query = f"SELECT {columns} FROM spans ORDER BY trace_id, span_id"
            answers.append(open_dataset(tmp_path / f"{form}.duckdb").execute(query).fetchall())
        assert answers[0] == answers[1]

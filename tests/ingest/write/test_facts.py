"""What spans say about their request."""

import json
from pathlib import Path

import pytest

from overbudget.analysis.consistency.consistency import consistency
from overbudget.ingest.pipeline import ingest
from overbudget.ingest.write.facts import FACT_NAMES, facts_of
from overbudget.store.dataset import open_dataset
from tests.batches import batch


def said(*spans: dict, **kwargs: object) -> list[tuple[int, str, str]]:
    rows = facts_of(batch(spans, **kwargs), 100).to_pylist()  # type: ignore[arg-type]
    return [(row["span_no"], FACT_NAMES[row["fact"]], row["value"]) for row in rows]


def test_facts_are_picked_by_key_and_numbered_by_span() -> None:
    spans = {}, {"attributes": {"gen_ai.usage.input_tokens": "12", "other": "x", "request.id": "r-1"}}
    assert sorted(said(*spans)) == [(101, "input_tokens", "12"), (101, "request_id", "r-1")]


def test_the_best_evidence_wins_whatever_the_order() -> None:
    both = {"gen_ai.request.model": "asked", "gen_ai.response.model": "got"}
    assert said({"attributes": both}) == [(100, "model", "got")]
    assert said({"attributes": dict(reversed(both.items()))}) == [(100, "model", "got")]


def test_the_first_event_named_like_a_first_token_gives_the_time_to_it() -> None:
    events = [
        {"span": 1, "time_ns": 4_000, "name": "gen_ai.first_token"},
        {"span": 1, "time_ns": 3_000, "name": "First Chunk"},
        {"span": 1, "time_ns": 3_500, "name": "llm.first_token"},
        {"span": 1, "time_ns": 1_100, "name": "log"},
        {"span": 0, "time_ns": None, "name": "first_token"},
    ]
    assert said({}, {"start_ns": 1_000}, events=events) == [(101, "ttft_ns", "2000")]


def test_a_batch_without_facts_gives_an_empty_table() -> None:
    assert said({"attributes": {"x": "1"}}) == []


@pytest.mark.parametrize(
    ("key", "fact"),
    [
        ("gen_ai.evaluation.score.value", "score"),
        ("evaluation.score", "score"),
        ("evaluations.0.evaluation.score", "score"),
        ("session.evaluations.12.evaluation.label", "label"),
        ("annotations.1.annotation.label", "label"),
        ("langfuse.score.correctness", "score"),
        ("langfuse.trace.scores.correctness.value", "score"),
    ],
)
def test_every_convention_of_evaluations_is_read(key: str, fact: str) -> None:
    assert said({"attributes": {key: "1"}}) == [(100, fact, "1")]


def test_what_only_looks_like_an_evaluation_is_none() -> None:
    assert said({"attributes": {"document.score": "1", "evaluation.name": "x", "my.evaluation.score.max": "1"}}) == []


def test_a_request_id_in_a_list_is_the_same_as_one_alone(tmp_path: Path) -> None:
    listed = {"key": "http.request.header.x-request-id", "value": {"arrayValue": {"values": [{"stringValue": "r-1"}]}}}
    plain = {"key": "request.id", "value": {"stringValue": "r-1"}}
    spans = [
        {
            "traceId": f"{number:032x}", "spanId": "1" * 16, "name": "x", "attributes": [attribute],
            "startTimeUnixNano": "1000", "endTimeUnixNano": "2000",
        }
        for number, attribute in enumerate((listed, plain), 1)
    ]  # fmt: skip
    dump = tmp_path / "d.json"
    dump.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    ingest([dump], tmp_path / "d.duckdb")
    rows = open_dataset(tmp_path / "d.duckdb").execute("SELECT request_id FROM requests").fetchall()
    assert rows == [("r-1",), ("r-1",)]


def test_a_cost_recorded_by_framework_and_client_counts_once(tmp_path: Path) -> None:
    #  request -> llm (0.5) -> http client's llm (0.5); and one more call (0.25)
    spans = [
        {
            "traceId": "1" * 32, "spanId": own * 16, "parentSpanId": above * 16, "name": own, "startTimeUnixNano": "1000",
            "endTimeUnixNano": "9000",
            "attributes": [
                {"key": "openinference.span.kind", "value": {"stringValue": "LLM" if cost else "AGENT"}},
                {"key": "llm.model_name", "value": {"stringValue": "m"}},
                *([{"key": "llm.cost.total", "value": {"doubleValue": cost}}] if cost else []),
            ],
        }
        for own, above, cost in (("1", "", 0), ("2", "1", 0.5), ("3", "2", 0.5), ("4", "1", 0.25))
    ]  # fmt: skip
    dump = tmp_path / "d.json"
    dump.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    ingest([dump], tmp_path / "d.duckdb")
    (model,) = consistency(open_dataset(tmp_path / "d.duckdb")).models
    assert model.cost == 0.75

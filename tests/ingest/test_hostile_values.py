"""Whatever value stands under whatever key that we read, and at whatever instants spans are: a dataset and every answer."""

import itertools
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import overbudget
from overbudget.ingest.pipeline import IngestResult, ingest
from overbudget.kernels.columns import LONGEST, TOO_LATE
from overbudget.stages import attribute_keys as keys
from overbudget.store.errors import OverbudgetError

T = 1_764_000_000_000_000_000
MS = 1_000_000
READ_KEYS = [
    *keys.CLASSIFY_KEYS, keys.QUEUE_KEY, *keys.PEER_KEYS, *keys.MODEL_KEYS, *keys.INPUT_TOKEN_KEYS, *keys.OUTPUT_TOKEN_KEYS,
    *keys.CACHED_TOKEN_KEYS, *keys.RESPONSE_ID_KEYS, *keys.TTFT_SECONDS_KEYS, *keys.TTFT_MILLISECONDS_KEYS,
    *keys.TTFT_TIMESTAMP_KEYS, *keys.CONVERSATION_KEYS, *keys.INPUT_KEYS, *keys.OUTPUT_KEYS, *keys.QUERY_KEYS,
    *keys.REQUEST_ID_KEYS, *keys.ONE_IN_KEYS, *keys.PROBABILITY_KEYS, keys.SAMPLER_KIND_KEY, *keys.HTTP_STATUS_KEYS,
    *keys.SCORE_VALUE_KEYS, *keys.SCORE_LABEL_KEYS, "evaluation.score", "langfuse.score.a", "gen_ai.usage.reasoning_tokens",
    "llm.cost.total", "gen_ai.request.max_tokens", "gen_ai.response.finish_reasons", "tailsampling.x",
]  # fmt: skip
ODD: list[dict[str, Any]] = [
    {"doubleValue": "NaN"}, {"doubleValue": "Infinity"}, {"doubleValue": "-Infinity"}, {"doubleValue": 1e308},
    {"doubleValue": -1e308}, {"doubleValue": 5e-324}, {"intValue": str(2**63 - 1)}, {"intValue": str(-(2**63))},
    {"intValue": 0}, {"intValue": -1}, {"stringValue": ""}, {"stringValue": "1e400"}, {"stringValue": "NaN"},
    {"stringValue": "9" * 400}, {"stringValue": "290000-12-31T00:00:00Z"}, {"stringValue": "infinity"},
    {"stringValue": "0001-01-01T00:00:00"}, {"stringValue": "\x00\u202e\U0001f600'\"\\;--"}, {"stringValue": "["},
    {"stringValue": '{"a":[1,'}, {"boolValue": True}, {"bytesValue": "/w=="}, {"arrayValue": {"values": [{}]}},
    {"kvlistValue": {"values": [{"key": "", "value": {"doubleValue": "NaN"}}]}}, {},
]  # fmt: skip
ASKED = ("review", "tail", "advise", "load", "consistency", "audit")


def span(trace: int, number: int, parent: int, start: int, end: int, **more: Any) -> dict[str, Any]:
    return {
        "traceId": f"{trace:032x}", "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "",
        "name": f"work {number}", "kind": 2 if parent == 0 else 3, "startTimeUnixNano": str(start), "endTimeUnixNano": str(end),
        **more,
    }  # fmt: skip


def resource(service: str, spans: list[dict[str, Any]]) -> dict[str, Any]:
    named = [{"key": "service.name", "value": {"stringValue": service}}]
    return {"resource": {"attributes": named}, "scopeSpans": [{"spans": spans}]}


def answered(tmp_path: Path, records: list[dict[str, Any]]) -> IngestResult:
    """Ingest, ask every analysis, show every span."""
    (tmp_path / "dump.jsonl").write_text("\n".join(json.dumps({"resourceSpans": one}) for one in records))
    result = ingest([tmp_path / "dump.jsonl"], tmp_path / "d.duckdb")
    with overbudget.open(tmp_path / "d.duckdb") as data:
        for question in ASKED:
            with suppress(OverbudgetError):  # too few requests for it, said in a sentence
                assert json.dumps(getattr(data, question)().as_dict(), allow_nan=False)
        if result.requests > 100:
            data.what_if(cap={"work 2": "1ms"})
        for relation in ("spans", "span_events", "span_links", "requests", "critical_path", "stage_time"):
            data.relation(relation).fetchall()
        for (trace_id,) in data.connection.execute("SELECT DISTINCT trace_id FROM spans LIMIT 60").fetchall():
            data.trace(trace_id)
    return result


@pytest.mark.parametrize("places", ["span", "event", "resource"])
def test_any_value_under_any_key_that_is_read_costs_nothing_but_itself(places: str, tmp_path: Path) -> None:
    records, count = [], 0
    for key, value in itertools.product(READ_KEYS, ODD):
        count += 1
        at = T + count * 50 * MS
        odd = [{"key": key, "value": value}]
        call = [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}, *(odd if places == "span" else [])]
        events = (
            [{"timeUnixNano": str(at + 2), "name": "gen_ai.evaluation.result", "attributes": odd}]
            if places == "event"
            else []
        )
        child = span(count, 2, 1, at + MS, at + 9 * MS, attributes=call, events=events)
        root = span(count, 1, 0, at, at + (10 + count % 7) * MS, attributes=odd if places == "span" else [])
        one = resource("shop", [root, child])
        if places == "resource":
            one["resource"]["attributes"] += odd
        records.append([one])
    result = answered(tmp_path, records)
    assert (result.spans, result.files[0].rejected) == (2 * count, 0)


EDGES = [1, 2, MS, T, T + MS, T + LONGEST, T + LONGEST + 1, 2**62, 2**62 + 1, TOO_LATE - 1]
NO_TIMES = [TOO_LATE, 2**63 - 2, 2**63 - 1, 2**63, 2**64 - 1]


def test_spans_at_any_instants_are_answered_for(tmp_path: Path) -> None:
    """Every two edges as start and end of a child in another service, and of its child in the same, below a parent at any edge."""
    records, traces = [], 0
    for above, start, end in itertools.product([1, T, TOO_LATE - MS], EDGES, EDGES):
        traces += 1
        parent = span(traces, 1, 0, above, above + MS)
        child = span(traces, 2, 1, start, end, events=[{"timeUnixNano": str(end), "name": "first token"}])
        records.append([resource("a", [parent]), resource("b", [child, span(traces, 3, 2, end, start)])])
    result = answered(tmp_path, records)
    assert (result.spans, result.files[0].rejected) == (3 * traces, 0)
    assert result.files[0].warnings["bad_time"].count > 0


@pytest.mark.parametrize("number", NO_TIMES)
def test_a_start_that_no_timestamp_holds_costs_its_span_and_another_time_only_itself(
    number: int, tmp_path: Path
) -> None:
    late = span(1, 1, 0, number, number)
    ends_late = span(1, 2, 0, T, number, events=[{"timeUnixNano": str(number), "name": "e"}])
    result = answered(tmp_path, [[resource("a", [late, ends_late, span(2, 3, 0, T, T + MS)])]])
    assert (result.spans, result.files[0].rejected) == (2, 1)
    warned = result.files[0].warnings["bad_time"]
    assert warned.count >= 3
    assert str(number) in warned.example
    with overbudget.open(tmp_path / "d.duckdb") as data:
        assert data.connection.execute("SELECT end_ns FROM spans ORDER BY span_id").fetchall() == [(None,), (T + MS,)]
        assert data.connection.execute("SELECT time_ns FROM span_events").fetchall() == [(None,)]


def test_a_span_may_take_a_year_and_no_longer(tmp_path: Path) -> None:
    answered(tmp_path, [[resource("a", [span(1, 1, 0, T, T + LONGEST), span(2, 2, 0, T, T + LONGEST + 1)])]])
    with overbudget.open(tmp_path / "d.duckdb") as data:
        durations = data.connection.execute("SELECT duration_ns FROM spans ORDER BY span_id").fetchall()
    assert durations == [(LONGEST,), (None,)]


def test_tokens_beyond_counting_are_no_tokens(tmp_path: Path) -> None:
    many = [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": str(2**63 - 1)}},
            {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "7"}}]  # fmt: skip
    calls = [span(1, n, 1, T + n * MS, T + (n + 1) * MS, attributes=many) for n in (2, 3)]
    answered(tmp_path, [[resource("a", [span(1, 1, 0, T, T + 9 * MS), *calls])]])
    with overbudget.open(tmp_path / "d.duckdb") as data:
        assert data.connection.execute("SELECT input_tokens, output_tokens FROM requests").fetchall() == [(None, 14)]


NO_NUMBERS = [
    *((key, value) for key in ("gen_ai.response.time_to_first_chunk", "llm.time_to_first_token", "time_to_first_token_ms")
      for value in ({"doubleValue": "NaN"}, {"doubleValue": 1e308}, {"doubleValue": -1.0}, {"stringValue": "soon"})),
    *(("gen_ai.usage.output_tokens", value) for value in ({"doubleValue": "Infinity"}, {"intValue": -1}, {"intValue": str(2**62)})),
    *(("llm.cost.total", {"doubleValue": value}) for value in ("NaN", -5.0)),
]  # fmt: skip


def test_a_number_of_a_model_call_that_cannot_be_meant_is_counted_with_an_example(tmp_path: Path) -> None:
    def call(number: int, key: str, value: dict[str, Any]) -> dict[str, Any]:
        chat = {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}
        attributes = [chat, {"key": key, "value": value}]
        return span(number, 1, 0, T + number * MS, T + (number + 5) * MS, attributes=attributes)

    odd = [call(number, key, value) for number, (key, value) in enumerate(NO_NUMBERS, 1)]
    fine = [
        call(100, "gen_ai.usage.output_tokens", {"intValue": 7}),
        call(101, "gen_ai.response.time_to_first_chunk", {"doubleValue": 0.001}),
        call(102, "time_to_first_token_ms", {"intValue": 0}),
        call(103, "gen_ai.response.time_to_first_chunk", {"doubleValue": 0.005}),  # as long as the call
        call(104, "gen_ai.usage.output_tokens", {"stringValue": ""}),
    ]
    endless = call(
        105, "gen_ai.response.time_to_first_chunk", {"doubleValue": 0.1}
    )  # may be: nobody knows how long it was
    del endless["endTimeUnixNano"]
    result = answered(tmp_path, [[resource("a", [*odd, *fine, endless])]])
    (file,) = result.files
    counts = {code: warning.count for code, warning in file.warnings.items()}
    assert counts == {"unusable_number": len(NO_NUMBERS), "no_end": 1}
    assert file.warnings["unusable_number"].example == f"trace {1:032x}, span {1:016x}"

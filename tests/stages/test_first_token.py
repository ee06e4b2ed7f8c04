"""When a call gave its first token: one rule, wherever it is asked."""

import json
from pathlib import Path

import duckdb
import pytest

from overbudget.analysis.causes.token_calls import read_token_calls
from overbudget.analysis.trace.trace import load_trace
from overbudget.ingest.pipeline import ingest
from overbudget.stages.first_token import first_token_sql
from overbudget.store.dataset import open_dataset

START = 1_790_000_000_000_000_000
TOOK = 2_000_000_000  # ns


def first(**said: float) -> int | None:
    """The rule for a call of 2 s; instants and events in ns from its start."""
    seconds, milliseconds = (str(said.get(name, "NULL::DOUBLE")) for name in ("seconds", "milliseconds"))
    at, event = (str(START + int(said[name])) if name in said else "NULL::BIGINT" for name in ("at", "event"))
    rule = first_token_sql(seconds, milliseconds, at, event, str(START), str(START + TOOK))
    found = duckdb.connect().execute(f"SELECT {rule}").fetchone()
    assert found is not None
    return None if found[0] is None else int(found[0])


def test_a_call_that_says_nothing_has_none() -> None:
    assert first() is None


def test_every_evidence_tells_it() -> None:
    assert first(seconds=0.35) == first(milliseconds=350) == first(at=350_000_000) == first(event=350_000_000)


def test_the_best_evidence_counts() -> None:
    assert first(seconds=0.1, milliseconds=200, at=300_000_000, event=400_000_000) == 100_000_000
    assert first(milliseconds=200, at=300_000_000, event=400_000_000) == 200_000_000
    assert first(at=300_000_000, event=400_000_000) == 300_000_000


def test_a_first_token_stands_anywhere_from_the_start_to_the_end_of_its_call() -> None:
    assert first(seconds=0) == first(event=0) == 0
    assert first(seconds=2) == first(event=TOOK) == TOOK
    assert first(event=TOOK + 1) is None
    assert first(event=-1) is None
    assert first(seconds=-0.5) is None


def test_a_figure_far_longer_than_its_call_is_in_another_unit() -> None:
    assert first(seconds=350) == 350_000_000  # milliseconds
    assert first(seconds=350_000) == 350_000_000  # microseconds
    assert first(seconds=350_000_000) == 350_000_000  # nanoseconds
    assert first(milliseconds=350_000) == 350_000_000


def test_a_figure_somewhat_longer_than_its_call_is_wrong_and_the_next_evidence_counts() -> None:
    assert first(seconds=2.1) is None
    assert first(seconds=20) is None
    assert first(seconds=20.1) == 20_100_000
    assert first(seconds=2.1, event=5_000_000) == 5_000_000


def stored(tmp_path: Path, attributes: dict[str, str], events: list[tuple[str, int]]) -> tuple[int, int, int]:
    """The first token of a call as requests, its trace and the fit of token costs say it; -1 for none."""
    said = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": "7", **attributes}
    span = {
        "traceId": "1" * 32,
        "spanId": "2" * 16,
        "name": "chat",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + TOOK),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in said.items()],
        "events": [{"timeUnixNano": str(START + at), "name": name} for name, at in events],
    }
    dump = tmp_path / "dump.jsonl"
    dump.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    ingest([dump], tmp_path / "d.duckdb")
    connection = open_dataset(tmp_path / "d.duckdb")
    (request,) = connection.execute("SELECT coalesce(ttft_ns, -1) FROM requests").fetchall()[0]
    calls = read_token_calls(connection)
    return request, load_trace(connection, "1" * 32).spans[0].first_token_ns, int(calls.first_ns[0])


@pytest.mark.parametrize(
    ("attributes", "events", "ns"),
    [
        ({}, [], -1),
        ({"gen_ai.response.time_to_first_chunk": "0.3"}, [], 300_000_000),
        ({"gen_ai.response.time_to_first_chunk": "soon"}, [("gen_ai.first_token", 5_000)], 5_000),
        ({"gen_ai.response.time_to_first_chunk": "300"}, [], 300_000_000),
        ({"gen_ai.response.time_to_first_chunk": "3"}, [], -1),
        ({"ai.response.msToFirstChunk": "250"}, [("First Token", 5_000)], 250_000_000),
        ({"gen_ai.server.time_to_first_token": "0.4", "ai.response.msToFirstChunk": "250"}, [], 400_000_000),
        ({"langfuse.observation.completion_start_time": '"2026-09-21T14:13:20.5Z"'}, [], 500_000_000),
        ({"langfuse.observation.completion_start_time": "2026-09-21T15:13:20.5+01:00"}, [], 500_000_000),
        ({"langfuse.observation.completion_start_time": "2026-09-21T14:13:20.5"}, [], 500_000_000),
        ({}, [("gen_ai.content.completion.chunk", 9_000), ("gen_ai.content.completion.chunk", 4_000)], 4_000),
        ({}, [("first_token", TOOK + 1)], -1),
    ],
)
def test_requests_traces_and_token_costs_agree(
    tmp_path: Path, attributes: dict[str, str], events: list[tuple[str, int]], ns: int
) -> None:
    assert stored(tmp_path, attributes, events) == (ns, ns, ns)

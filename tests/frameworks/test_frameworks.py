"""What each framework's recording tells is what its script knows to be true (known.py)."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.frameworks.known import KNOWN, Known
from tests.frameworks.recording.environments import RECORDINGS
from tests.frameworks.recording.model_server import CACHED, FIRST_TOKEN_S, INPUT, OUTPUT, REASONING

RECORDED = Path(__file__).parent / "recorded"
SESSION = "session-9"
MOST_UNEXPLAINED = 0.1  # of the time of all requests, in spans without a stage and in orchestration
NS = 1_000_000_000
# OpenLIT counts a streamed answer's first token from the response's head, and says so of answers that are not streamed too.
COUNTS_FROM_ELSEWHERE = {"openlit-openai"}


@pytest.fixture(scope="module", params=sorted(KNOWN))
def framework(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Known, duckdb.DuckDBPyConnection]:
    path = tmp_path_factory.mktemp("framework") / "d.duckdb"
    ingest([RECORDED / f"{request.param}.jsonl.gz"], path)
    return request.param, KNOWN[request.param], open_dataset(path)


Framework = tuple[str, Known, duckdb.DuckDBPyConnection]


def column(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    return [value for (value,) in connection.execute(sql).fetchall()]


def test_there_are_recordings_of_25_frameworks_and_versions_and_truths_of_all() -> None:
    recorded = {path.name.removesuffix(".jsonl.gz") for path in RECORDED.iterdir()}
    assert recorded == set(KNOWN) == {recording.name for recording in RECORDINGS}
    assert len(recorded) >= 25


def test_stages_are_those_that_the_script_went_through(framework: Framework) -> None:
    _, known, connection = framework
    found = column(
        connection, "SELECT DISTINCT stage FROM stage_time WHERE stage NOT IN ('orchestration', 'unattributed')"
    )
    assert set(found) == known.stages


def test_little_time_is_in_no_stage_or_orchestration(framework: Framework) -> None:
    _, _, connection = framework
    times = dict(connection.execute("SELECT stage, sum(stage_ns) FROM stage_time GROUP BY stage").fetchall())
    assert times.get("unattributed", 0) + times.get("orchestration", 0) <= MOST_UNEXPLAINED * sum(times.values())


def test_requests_are_what_the_script_asked(framework: Framework) -> None:
    _, known, connection = framework
    assert column(connection, "SELECT count(*) FROM requests WHERE complete") == [known.requests]


def test_calls_and_models_are_those_that_were_made(framework: Framework) -> None:
    _, known, connection = framework
    models = column(connection, "SELECT model FROM model_calls")
    assert len(models) == known.calls
    assert set(models) == known.models


def test_tokens_of_every_call_are_what_the_provider_said(framework: Framework) -> None:
    _, known, connection = framework
    telling = known.calls if known.token_calls is None else known.token_calls
    expected = {
        "input_tokens": [] if "tokens" in known.leaves_out else [INPUT] * telling,
        "output_tokens": [] if "tokens" in known.leaves_out else list(known.outputs or [OUTPUT] * telling),
        "cached_tokens": [] if "cached" in known.leaves_out else [CACHED] * (known.cached_calls or telling),
        "reasoning_tokens": [] if "reasoning" in known.leaves_out else [REASONING] * (known.reasoning_calls or telling),
    }
    for name, values in expected.items():
        assert column(connection, f"SELECT {name} FROM model_calls WHERE {name} IS NOT NULL") == values, name


def test_tokens_of_requests_count_every_call_once(framework: Framework) -> None:
    _, known, connection = framework
    telling = known.calls if known.token_calls is None else known.token_calls
    expected = None if "tokens" in known.leaves_out else telling * INPUT
    assert column(connection, "SELECT sum(input_tokens)::BIGINT FROM requests") == [expected]


def test_first_tokens_come_when_the_provider_sent_them(framework: Framework) -> None:
    name, known, connection = framework
    found = connection.execute(
        "SELECT first_token_ns, writing_ns, duration_ns FROM model_calls WHERE first_token_ns IS NOT NULL"
    ).fetchall()
    assert len(found) == known.first_tokens
    for first_ns, writing_ns, duration_ns in found:
        assert first_ns + writing_ns == duration_ns
        assert first_ns >= FIRST_TOKEN_S * NS or name in COUNTS_FROM_ELSEWHERE
    parts = dict(connection.execute("SELECT part, sum(part_ns) FROM stage_parts GROUP BY part").fetchall())
    assert set(parts) == ({"first_token", "writing"} if found else set())


def test_the_session_is_the_script_s(framework: Framework) -> None:
    _, known, connection = framework
    sessions = set(column(connection, "SELECT DISTINCT conversation_id FROM requests"))
    if known.session == "own":
        assert None not in sessions
        assert SESSION not in sessions
    else:
        assert sessions == {SESSION if known.session else None}

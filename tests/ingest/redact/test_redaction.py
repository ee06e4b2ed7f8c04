"""What a redaction forbids is neither written nor counted nor shown; what is kept of it is enough for advice."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import overbudget
from overbudget.analysis.budget.file import parse_budget
from overbudget.ingest.pipeline import IngestResult, ingest
from overbudget.ingest.redact.redact import LONGEST_KNOWN
from overbudget.ingest.redact.withheld import blotter, withholder
from overbudget.stages.attribute_keys import QUERY_PLACEHOLDER
from overbudget.stages.redaction import PRESETS, Redaction, is_content
from overbudget.stages.withheld_text import BLOCK, MOST_BLOCKS, comparable
from overbudget.store.errors import OverbudgetError

T = 1_764_000_000_000_000_000
MS = 1_000_000
RECORDED = Path(__file__).parents[2] / "frameworks" / "recorded"
SECRETS = [f"marmalade{number}" for number in range(60)]


def attributes(**values: Any) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": value if isinstance(value, dict) else {"stringValue": value}}
        for key, value in values.items()
    ]


def span(number: int, keys: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "chat", "kind": 2, "startTimeUnixNano": str(T),
            "endTimeUnixNano": str(T + number * MS), "attributes": attributes(**keys), **more}  # fmt: skip


def load(
    tmp_path: Path, spans: list[dict[str, Any]], redaction: Redaction, name: str = "d"
) -> tuple[IngestResult, bytes]:
    """What was read, and every byte of the dataset's file with its blocks unpacked: exported rows and the file itself."""
    named = attributes(**{"service.name": "shop", "owner": "ann@example.org"})
    record = {"resourceSpans": [{"resource": {"attributes": named}, "scopeSpans": [{"spans": spans}]}]}
    (tmp_path / "dump.json").write_text(json.dumps(record))
    result = ingest([tmp_path / "dump.json"], tmp_path / f"{name}.duckdb", redaction=redaction)
    data = (tmp_path / f"{name}.duckdb").read_bytes()
    with overbudget.open(tmp_path / f"{name}.duckdb") as opened:
        tables = "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
        for schema, table in opened.connection.execute(tables).fetchall():
            data += repr(opened.connection.execute(f'FROM "{schema}"."{table}"').fetchall()).encode()
        for (view,) in opened.connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall():
            data += repr(opened.connection.execute(f'FROM "{view}"').fetchall()).encode()
    return result, data


CONTENT_KEYS = [
    "gen_ai.prompt", "gen_ai.prompt.0.content", "gen_ai.completion.0.content", "gen_ai.input.messages", "gen_ai.output.messages",
    "gen_ai.system_instructions", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.definitions",
    "input.value", "output.value", "llm.input_messages.0.message.content", "llm.output_messages.0.message.content",
    "llm.prompts", "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments", "retrieval.documents.0.document.content",
    "reranker.query", "embedding.embeddings.0.embedding.text", "tool.parameters", "traceloop.entity.input", "traceloop.entity.output",
    "langfuse.observation.input", "langfuse.observation.output", "langfuse.trace.input", "ai.prompt", "ai.prompt.messages",
    "ai.response.text", "ai.toolCall.args", "ai.toolCall.result", "mlflow.spanInputs", "mlflow.spanOutputs", "db.query.text",
    "db.statement", "db.query.parameter.id", "exception.message", "exception.stacktrace", "gen_ai.retrieval.query.text",
    "gen_ai.request.prompt", "langsmith.metadata.question", "http.request.body", "mcp.tool.arguments", "gen_ai.content.prompt",
]  # fmt: skip


@pytest.mark.parametrize("key", CONTENT_KEYS)
def test_the_value_under_a_key_of_content_is_content(key: str) -> None:
    assert is_content(key)


@pytest.mark.parametrize("key", [
    "gen_ai.request.model", "gen_ai.response.model", "gen_ai.response.id", "gen_ai.operation.name", "gen_ai.output.type",
    "gen_ai.usage.input_tokens", "gen_ai.tool.name", "gen_ai.conversation.id", "gen_ai.response.finish_reasons",
    "openinference.span.kind", "llm.model_name", "db.system", "db.operation.name", "http.request.method", "server.address",
    "http.request.header.x-request-id", "service.name", "gen_ai.evaluation.score.value", "error.type", "llm.token_count.prompt",
    "gen_ai.usage.prompt_tokens", "ai.usage.promptTokens", "gen_ai.response.time_to_first_chunk", "messaging.system",
])  # fmt: skip
def test_the_value_under_a_key_that_answers_need_is_none(key: str) -> None:
    assert not is_content(key)


def test_no_byte_of_what_was_said_is_in_the_dataset_without_content(tmp_path: Path) -> None:
    said = dict(zip(CONTENT_KEYS, SECRETS, strict=False))
    longer = "an unknown key, and a text of some length that may be anything: " * 4 + SECRETS[50]
    events = [
        {
            "timeUnixNano": str(T),
            "name": "gen_ai.content.prompt",
            "attributes": attributes(**{"gen_ai.prompt": SECRETS[51]}),
        }
    ]
    links = [{"traceId": f"{9:032x}", "spanId": f"{9:016x}", "attributes": attributes(**{"input.value": SECRETS[52]})}]
    nested = {
        "arrayValue": {
            "values": [{"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": SECRETS[53]}}]}}]
        }
    }
    broken = {"key": "input.value", "value": {"intValue": SECRETS[56]}}
    spans = [
        span(1, {**said, "anything": longer, "gen_ai.output.messages": nested}, events=events, links=links),
        span(2, {"gen_ai.request.model": "mist-1"}, status={"code": 2, "message": f"cannot parse {SECRETS[54]}"}),
        {**span(3, {}), "startTimeUnixNano": SECRETS[55], "name": SECRETS[57]},
    ]
    spans[1]["attributes"].append(broken)
    result, data = load(tmp_path, spans, Redaction(no_content=True))
    assert [secret for secret in SECRETS if secret.encode() in data] == []
    assert b"mist-1" in data
    shown = json.dumps(result.as_dict())
    assert [secret for secret in SECRETS if secret in shown] == []
    assert result.files[0].rejected == 1
    _, whole = load(tmp_path, spans, Redaction(), "whole")
    assert sum(secret.encode() in whole for secret in SECRETS) > 40  # or this test would prove nothing


@pytest.mark.parametrize(("text", "kept"), [
    ("Acme Widgets Holding GmbH", True), ("when does my parcel come", False), ("a\nb\tc  d\ne", False),
    ("/search?q=when+does+my+parcel", True), ("/search?q=when+does+my+parcel+come", False), ("/search?q=when%20does%20my%20parcel%20come", False),
    ("我的包裹什么时候到啊请告诉我", True), ("我的包裹什么时候到,啊请告诉我吧", False), ("x" * LONGEST_KNOWN, True), ("x" * (LONGEST_KNOWN + 1), False),
])  # fmt: skip
def test_a_sentence_under_a_key_that_says_nothing_is_withheld(text: str, kept: bool, tmp_path: Path) -> None:
    events = [{"timeUnixNano": str(T), "name": "e", "attributes": attributes(note=text)}]
    load(tmp_path, [span(1, {"note": text}, events=events)], Redaction(no_content=True))
    with overbudget.open(tmp_path / "d.duckdb") as opened:
        rows = opened.connection.execute(
            "SELECT attributes['note'] FROM spans UNION ALL SELECT attributes['note'] FROM span_events"
        ).fetchall()
    for (found,) in rows:
        assert found == text if kept else found.startswith(f"[withheld: {len(text)} characters, ")


def test_a_name_that_is_a_sentence_is_withheld_and_stays_apart_from_others(tmp_path: Path) -> None:
    names = [
        "Turn {turn} for agent Weather",
        "when does my parcel 7 come",
        "when does my parcel 8 come",
        "when does my parcel 8 come",
    ]
    events = [{"timeUnixNano": str(T), "name": "and where is it right now", "attributes": []}]
    spans = [span(number, {}, events=events) | {"name": name} for number, name in enumerate(names, 1)]
    _, data = load(tmp_path, spans, Redaction(no_content=True))
    assert b"my parcel" not in data
    assert b"right now" not in data
    with overbudget.open(tmp_path / "d.duckdb") as opened:
        found = [name for (name,) in opened.connection.execute("SELECT name FROM spans ORDER BY span_id").fetchall()]
    assert found[0] == names[0]
    assert re.fullmatch(r"\[withheld name [a-z]{12}\]", found[1])
    assert found[1] != found[2] == found[3]


@pytest.mark.parametrize(
    "name", ["logfire-openai-agents", "openllmetry-crewai", "openinference-langgraph", "vercel-ai-6", "litellm"]
)
def test_operations_stages_and_tokens_are_the_same_without_content(name: str, tmp_path: Path) -> None:
    told = []
    for redaction in (Redaction(), Redaction(no_content=True)):
        ingest([RECORDED / f"{name}.jsonl.gz"], tmp_path / "d.duckdb", redaction=redaction)
        with overbudget.open(tmp_path / "d.duckdb") as opened:
            queries = ("operations", "stage_time", "model_calls")
            told.append([opened.connection.execute(f"FROM {query} ORDER BY ALL").fetchall() for query in queries])
    assert told[0] == told[1]


@pytest.mark.parametrize("no_content", [False, True])
@pytest.mark.parametrize("asks", [False, True])
def test_an_answer_that_asks_for_a_tool_is_not_the_last_without_its_text_either(
    asks: bool, no_content: bool, tmp_path: Path
) -> None:
    part = {"type": "tool_call", "name": "search"} if asks else {"type": "text", "content": "the answer is 'tool_call'"}
    written = json.dumps([{"role": "assistant", "parts": [part]}])
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.output.messages": written,
        "gen_ai.server.time_to_first_token": "0.0001",
    }
    load(tmp_path, [span(1, said)], Redaction(no_content=no_content))
    ingest([tmp_path / "dump.json"], tmp_path / "d.duckdb", append=True, redaction=Redaction(no_content=no_content))
    with overbudget.open(tmp_path / "d.duckdb") as opened:
        answers = opened.connection.execute("SELECT may_answer FROM model_calls").fetchall()
    assert answers == [(not asks,)]


def test_what_is_kept_of_content_is_its_length_and_the_numbers_beside_it(tmp_path: Path) -> None:
    tokens = {"intValue": "7"}
    _, data = load(
        tmp_path, [span(1, {"input.value": "x" * 130, "gen_ai.usage.input_tokens": tokens})], Redaction(no_content=True)
    )
    with overbudget.open(tmp_path / "d.duckdb") as opened:
        kept = opened.connection.execute("SELECT attributes FROM spans").fetchall()[0][0]
    assert kept["gen_ai.usage.input_tokens"] == "7"
    assert kept["input.value"].startswith("[withheld: 130 characters, ")
    assert b"xxxx" not in data


def test_keys_are_left_out_and_patterns_are_blotted_out_everywhere(tmp_path: Path) -> None:
    redact = parse_budget(
        '[redact]\nkeys = ["gen_ai.*.messages", "customer.?d"]\npresets = ["emails"]\npatterns = ["card [0-9]{4}"]'
    ).redact
    mail = "bob.b+x@mail.example.co.uk"
    one = span(1, {"gen_ai.input.messages": SECRETS[0], "customer.id": SECRETS[1], "customer.name": "c", f"to {mail}": f"<{mail}> and {mail}"},
               name=f"send to {mail}", status={"code": 2, "message": "card 1234 refused"}, traceState="a=x@example.org",
               events=[{"timeUnixNano": str(T), "name": f"to {mail}", "attributes": attributes(to=mail)}])  # fmt: skip
    result, data = load(tmp_path, [one, {**span(2, {}), "startTimeUnixNano": f"at {mail}"}], redact)
    for gone in (SECRETS[0], SECRETS[1], mail, "bob", "card 1234", "x@example.org", "ann@example.org"):
        assert gone.encode() not in data
        assert gone not in json.dumps(result.as_dict())
    with overbudget.open(tmp_path / "d.duckdb") as opened:
        kept, message = opened.connection.execute("SELECT attributes, status_message FROM spans").fetchall()[0]
    assert "gen_ai.input.messages" not in kept
    assert "customer.id" not in kept
    assert kept["customer.name"] == "c"
    assert message.startswith("[redacted ")
    assert message.endswith(" refused")


@pytest.mark.parametrize(("preset", "text"), [
    ("emails", "ann@example.org"), ("bearer_tokens", "Bearer abcdef0123456789"), ("bearer_tokens", "eyJhbGciOi.eyJzdWIiOiIx.abc-_9"),
    ("api_keys", "sk-proj-abcdefghijklmnop1234"), ("api_keys", "AKIAABCDEFGHIJKLMNOP"), ("api_keys", "ghp_" + "a" * 36),
    ("api_keys", "hf_" + "a" * 30), ("api_keys", 'api_key="0123456789abcdef"'), ("api_keys", "AIza" + "b" * 35),
    ("bearer_tokens", "authorization: bearer ABCDEFGHIJKLMNOP"),
])  # fmt: skip
def test_presets_know_what_they_are_called_after(preset: str, text: str, tmp_path: Path) -> None:
    _, data = load(tmp_path, [span(1, {"a": f"before {text} after"})], Redaction(presets=(preset,)))
    assert text.encode() not in data
    assert b"before [redacted " in data or b"before authorization: [redacted " in data


def test_texts_that_differ_only_in_what_is_blotted_out_stay_different(tmp_path: Path) -> None:
    load(
        tmp_path,
        [span(n, {"a": f"to {who}@example.org"}) for n, who in ((1, "ann"), (2, "bob"), (3, "ann"))],
        Redaction(presets=("emails",)),
    )
    with overbudget.open(tmp_path / "d.duckdb") as opened:
        rows = opened.connection.execute("SELECT attributes['a'] FROM spans ORDER BY span_id").fetchall()
    assert rows[0] == rows[2] != rows[1]


def test_prompts_as_a_preset_are_left_out(tmp_path: Path) -> None:
    _, data = load(
        tmp_path, [span(1, {"gen_ai.input.messages": SECRETS[0], "b": "kept"})], Redaction(presets=("prompts",))
    )
    assert SECRETS[0].encode() not in data
    assert b"kept" in data


def test_texts_that_begin_alike_are_told_by_their_blocks() -> None:
    withheld = withholder(b"k")
    first, second = "a" * 10 * BLOCK + "b" * 90, "a" * 10 * BLOCK + "c" * 500
    alike = [
        one == other for one, other in zip(comparable(withheld(first)), comparable(withheld(second)), strict=False)
    ]
    assert alike == [True] * 10 + [False] * 2
    assert comparable(first) == first
    assert withheld(first) == withheld(first) != withheld(second)
    assert withholder(b"other")(first) != withheld(first)
    assert len(comparable(withheld("x" * BLOCK * (MOST_BLOCKS + 5)))) == MOST_BLOCKS
    assert [len(comparable(withheld("x" * size))) for size in (1, BLOCK, BLOCK + 1)] == [1, 1, 2]
    assert blotter(b"k")("a") != blotter(b"k")("b")


def test_a_query_with_placeholders_is_no_input_without_its_text_either(tmp_path: Path) -> None:
    queries = {"db.query.text": "SELECT a FROM b WHERE c = $1", "db.statement": "SELECT a FROM b WHERE c = 7"}
    load(tmp_path, [span(1, queries)], Redaction(no_content=True))
    with overbudget.open(tmp_path / "d.duckdb") as opened:
        kept = opened.connection.execute("SELECT attributes FROM spans").fetchall()[0][0]
    placeholders = [bool(re.search(QUERY_PLACEHOLDER, kept[key])) for key in queries]
    assert placeholders == [True, False]


def test_a_query_for_vectors_is_known_as_one_without_its_text(tmp_path: Path) -> None:
    asked = {
        "db.system.name": "postgresql",
        "db.query.text": "SELECT id FROM docs ORDER BY embedding <-> '[1,2]' LIMIT 5",
    }
    for redaction in (Redaction(), Redaction(no_content=True)):
        load(
            tmp_path,
            [span(1, {}), {**span(1, asked), "spanId": f"{2:016x}", "parentSpanId": f"{1:016x}", "kind": 3}],
            redaction,
        )
        with overbudget.open(tmp_path / "d.duckdb") as opened:
            assert ("retrieval",) in opened.connection.execute("SELECT stage FROM operations").fetchall()


def chats(prompts: list[str]) -> list[dict[str, Any]]:
    """Requests with one model call each, that are asked these prompts."""
    spans = []
    for number, prompt in enumerate(prompts, 1):
        at = T + number * 3_000 * MS
        root = {
            **span(number, {}),
            "startTimeUnixNano": str(at),
            "endTimeUnixNano": str(at + (900 + number) * MS),
            "name": "POST /chat",
        }
        said = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": prompt, "gen_ai.usage.input_tokens": {"intValue": "900"},
                "gen_ai.response.time_to_first_chunk": {"doubleValue": 0.7}, "gen_ai.output.messages": f"said to {prompt}"}  # fmt: skip
        call = {**span(number, said), "spanId": f"{number + 5000:016x}", "parentSpanId": f"{number:016x}", "kind": 3,
                "name": "chat mist-1", "startTimeUnixNano": str(at + MS), "endTimeUnixNano": str(at + (890 + number) * MS)}  # fmt: skip
        spans += [root, call]
    return spans


def test_advice_on_repeats_and_shared_beginnings_is_the_same_without_content(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    prompts = ["You are a helpful assistant. " * 60 + f"Question {draw.integers(6)}: why?" for _ in range(200)]
    told = []
    for redaction in (Redaction(), Redaction(no_content=True)):
        load(tmp_path, chats(prompts), redaction, str(redaction.no_content))
        with overbudget.open(tmp_path / f"{redaction.no_content}.duckdb") as opened:
            advice = opened.advise().as_dict()["advice"]
        told.append([(one["kind"], one["operations"], one["requests"]) for one in advice])
    assert told[0] == told[1]
    assert {"cache", "prompt_prefix"} <= {kind for kind, _, _ in told[0]}


@pytest.mark.parametrize(("text", "said"), [
    ("presets = ['email']", "emails"), ("patterns = ['(']", "cannot be used"), ("patterns = ['a*']", "where there is nothing"),
    ("patterns = ['(?=a)b']", "cannot be used"), ("keys = 5", "a list of texts"), ("words = []", "words"), ("keys = ['']", "a list"),
])  # fmt: skip
def test_a_slip_in_what_to_redact_is_told_and_nothing_is_read(text: str, said: str) -> None:
    with pytest.raises(OverbudgetError, match=said):
        parse_budget(f"[redact]\n{text}\n")


def test_the_presets_can_be_used() -> None:
    for name in PRESETS:
        assert parse_budget(f"[redact]\npresets = ['{name}']").redact == Redaction(presets=(name,))
    for patterns in PRESETS.values():
        assert parse_budget(f"[redact]\npatterns = {json.dumps(list(patterns))}").redact.patterns == patterns

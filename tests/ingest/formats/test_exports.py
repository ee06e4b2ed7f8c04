"""One run in many formats: each yields the requests, stages and critical paths of the same run in OTLP."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from overbudget.ingest.formats.catalogue import format_of
from overbudget.ingest.formats.head import first_records
from overbudget.ingest.formats.translate import translated
from overbudget.ingest.pipeline import ingest
from overbudget.ingest.report import FileReport
from overbudget.sample_traces.simulation import Simulation
from overbudget.sample_traces.tracing import Tracing, by_arrival
from overbudget.sample_traces.writing import json_lines
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError

START_NS = 1_767_258_000_000_000_000
MS = 1_000_000


def run() -> list[ReadableSpan]:
    """Two requests of an agent: retrieval, a model call that streams, a tool that fails in the second."""
    simulation = Simulation(START_NS)
    tracing = Tracing(simulation, "exports")

    def at(ms: int) -> None:
        simulation.now = START_NS + ms * MS

    for number in range(2):
        begun = 10_000 * number
        at(begun)
        root = tracing.span(
            "shop", "POST /chat", None, SpanKind.SERVER, {"openinference.span.kind": "AGENT", "session.id": "s-1"}
        )
        at(begun + 5)
        search = tracing.span("shop", "find", root.context, SpanKind.CLIENT, {"openinference.span.kind": "RETRIEVER"})
        at(begun + 305)
        search.end()
        at(begun + 310)
        call = tracing.span(
            "shop", "chat", root.context, SpanKind.INTERNAL,
            {"openinference.span.kind": "LLM", "gen_ai.request.model": "mist-7b", "gen_ai.usage.input_tokens": 700,
             "gen_ai.usage.output_tokens": 90},
        )  # fmt: skip
        at(begun + 610)
        call.event("gen_ai.first_token", {"chunk": 1})
        at(begun + 1_310)
        call.end()
        tool = tracing.span("shop", "orders", root.context, SpanKind.INTERNAL, {"openinference.span.kind": "TOOL"})
        at(begun + 1_510)
        if number:
            tool.fail("no such order")
        tool.end()
        at(begun + 1_520)
        root.end()
    return by_arrival(tracing.spans)


def ids(span: ReadableSpan) -> tuple[str, str, str]:
    parent = f"{span.parent.span_id:016x}" if span.parent else ""
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", parent


def otlp_spans(spans: list[ReadableSpan]) -> Iterator[dict[str, Any]]:
    """The spans of OTLP/JSON, without anything around them."""
    for line in json_lines(spans).splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                yield from scope["spans"]


def as_lines(records: Any) -> bytes:
    return "".join(json.dumps(one) + "\n" for one in records).encode()


def bare_resource_spans(spans: list[ReadableSpan]) -> bytes:
    lines = json_lines(spans).splitlines()
    return as_lines(one for line in lines for one in json.loads(line)["resourceSpans"])


def bare_pretty(spans: list[ReadableSpan]) -> bytes:
    return b"\n".join(
        json.dumps(json.loads(line), indent=2).encode() for line in bare_resource_spans(spans).splitlines()
    )


def bare_spans(spans: list[ReadableSpan]) -> bytes:
    return json.dumps(list(otlp_spans(spans))).encode()


def spans_with_their_resource(spans: list[ReadableSpan]) -> bytes:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return as_lines({**one, "resource": resource} for one in otlp_spans(spans))


def dashed(spans: list[ReadableSpan]) -> bytes:
    """Trace ids as UUIDs are printed."""
    text = json_lines(spans).decode()
    for trace in {ids(span)[0] for span in spans}:
        text = text.replace(trace, "-".join((trace[:8], trace[8:12], trace[12:16], trace[16:20], trace[20:])))
    return text.encode()


def any_text(spans: list[ReadableSpan]) -> bytes:
    """Ids that are names."""
    text = json_lines(spans).decode()
    for number, one in enumerate({one for span in spans for one in ids(span)[:2]}):
        text = text.replace(one, f"run of {number}")
    return text.encode()


def console_lines(spans: list[ReadableSpan]) -> bytes:
    return "".join(span.to_json(indent=None) + "\n" for span in spans).encode()


def console_pretty(spans: list[ReadableSpan]) -> bytes:
    return "\n".join(span.to_json() for span in spans).encode()


def console_concatenated(spans: list[ReadableSpan]) -> bytes:
    return "".join(span.to_json(indent=None) for span in spans).encode()


def iso(ns: int | None) -> str:
    whole = datetime.fromtimestamp((ns or 0) // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{(ns or 0) % 10**9:09d}Z"


def go_value(value: Any) -> dict[str, Any]:
    return {"Type": "INT64" if isinstance(value, int) else "STRING", "Value": value}


def go_stdouttrace(spans: list[ReadableSpan]) -> bytes:
    """As go.opentelemetry.io/otel/exporters/stdout/stdouttrace prints them."""

    def pairs(given: Any) -> list[dict[str, Any]]:
        return [{"Key": key, "Value": go_value(value)} for key, value in (given or {}).items()]

    def one(span: ReadableSpan) -> dict[str, Any]:
        trace, own, parent = ids(span)
        return {
            "Name": span.name,
            "SpanContext": {"TraceID": trace, "SpanID": own, "TraceFlags": "01", "TraceState": "", "Remote": False},
            "Parent": {"TraceID": trace if parent else "0" * 32, "SpanID": parent or "0" * 16, "TraceFlags": "00"},
            "SpanKind": span.kind.value + 1,
            "StartTime": iso(span.start_time), "EndTime": iso(span.end_time),
            "Attributes": pairs(span.attributes),
            "Events": [{"Name": e.name, "Attributes": pairs(e.attributes), "Time": iso(e.timestamp)} for e in span.events] or None,
            "Links": None,
            "Status": {"Code": span.status.status_code.name.capitalize(), "Description": span.status.description or ""},
            "Resource": pairs(span.resource.attributes),
            "InstrumentationScope": {"Name": "shop-assistant", "Version": "1.0", "SchemaURL": ""},
        }  # fmt: skip

    return b"\n".join(json.dumps(one(span), indent=1).encode() for span in spans)


def zipkin(spans: list[ReadableSpan]) -> bytes:
    """As the collector's Zipkin exporter translates them; a list of traces, as Zipkin's API returns them."""

    def one(span: ReadableSpan) -> dict[str, Any]:
        trace, own, parent = ids(span)
        failed = {"error": span.status.description, "otel.status_code": "ERROR"} if not span.status.is_ok else {}
        return {
            "traceId": trace, "id": own, **({"parentId": parent} if parent else {}), "name": span.name,
            **({} if span.kind is SpanKind.INTERNAL else {"kind": span.kind.name}),
            "timestamp": (span.start_time or 0) // 1000, "duration": ((span.end_time or 0) - (span.start_time or 0)) // 1000,
            "localEndpoint": {"serviceName": "shop"},
            "annotations": [
                {"timestamp": e.timestamp // 1000, "value": f"{e.name}|{json.dumps(dict(e.attributes or {}))}|0"} for e in span.events
            ],
            "tags": {"otel.scope.name": "shop-assistant", "otel.scope.version": "1.0", **failed,
                     **{key: str(value) for key, value in (span.attributes or {}).items()}},
        }  # fmt: skip

    traces: dict[str, list[Any]] = {}
    for span in spans:
        traces.setdefault(ids(span)[0], []).append(one(span))
    return json.dumps(list(traces.values()), indent=1).encode()


def clickhouse(spans: list[ReadableSpan]) -> bytes:
    """As ClickHouse prints the rows of the collector's exporter: FORMAT JSONEachRow."""

    def one(span: ReadableSpan) -> dict[str, Any]:
        trace, own, parent = ids(span)
        return {
            "Timestamp": iso(span.start_time).replace("T", " ").rstrip("Z"), "TraceId": trace, "SpanId": own, "ParentSpanId": parent,
            "TraceState": "", "SpanName": span.name, "SpanKind": span.kind.name.capitalize(), "ServiceName": "shop",
            "ResourceAttributes": dict(span.resource.attributes), "ScopeName": "shop-assistant", "ScopeVersion": "1.0",
            "SpanAttributes": {key: str(value) for key, value in (span.attributes or {}).items()},
            "Duration": str((span.end_time or 0) - (span.start_time or 0)),
            "StatusCode": span.status.status_code.name.capitalize(), "StatusMessage": span.status.description or "",
            "Events.Timestamp": [iso(e.timestamp).replace("T", " ").rstrip("Z") for e in span.events],
            "Events.Name": [e.name for e in span.events],
            "Events.Attributes": [{key: str(value) for key, value in (e.attributes or {}).items()} for e in span.events],
            "Links.TraceId": [], "Links.SpanId": [], "Links.TraceState": [], "Links.Attributes": [],
        }  # fmt: skip

    return as_lines(one(span) for span in spans)


def plain(span: ReadableSpan) -> dict[str, Any]:
    """A span as Phoenix's API gives it."""
    trace, own, parent = ids(span)
    kept = {key: value for key, value in (span.attributes or {}).items() if key != "openinference.span.kind"}
    return {
        "id": own, "name": span.name, "context": {"trace_id": trace, "span_id": own}, "parent_id": parent or None,
        "span_kind": (span.attributes or {})["openinference.span.kind"],
        "start_time": iso(span.start_time)[:-4] + "+00:00", "end_time": iso(span.end_time)[:-4] + "+00:00",
        "status_code": span.status.status_code.name, "status_message": span.status.description or "",
        "attributes": kept,
        "events": [{"name": e.name, "timestamp": iso(e.timestamp), "attributes": dict(e.attributes or {})} for e in span.events],
    }  # fmt: skip


def phoenix_api(spans: list[ReadableSpan]) -> bytes:
    return json.dumps({"data": [plain(span) for span in spans], "next_cursor": None}).encode()


def phoenix_rows(spans: list[ReadableSpan]) -> bytes:
    """get_spans_dataframe().to_json(orient="records"): dotted keys, milliseconds, nulls where a span has no such attribute."""

    def one(span: ReadableSpan) -> dict[str, Any]:
        row = plain(span)
        return {
            **{key: row[key] for key in ("name", "span_kind", "parent_id", "status_code", "status_message", "events")},
            "start_time": (span.start_time or 0) // MS, "end_time": (span.end_time or 0) // MS,
            "context.trace_id": ids(span)[0], "context.span_id": ids(span)[1], "attributes.output.value": None,
            **{f"attributes.{key}": value for key, value in row["attributes"].items()},
        }  # fmt: skip

    return json.dumps([one(span) for span in spans]).encode()


def phoenix_columns(spans: list[ReadableSpan]) -> bytes:
    """get_spans_dataframe().to_json(): one object for each column."""
    rows = json.loads(phoenix_rows(spans))
    keys = {key for row in rows for key in row}
    return json.dumps({key: {str(number): row.get(key) for number, row in enumerate(rows)} for key in keys}).encode()


def openinference_lines(spans: list[ReadableSpan]) -> bytes:
    def one(span: ReadableSpan) -> dict[str, Any]:
        trace, own, parent = ids(span)
        return {
            "span_id": own, "trace_id": trace, "parent_id": parent or None, "name": span.name, "kind": span.kind.name,
            "start_time": span.start_time, "end_time": span.end_time,
            "status": {"status_code": span.status.status_code.name, "description": span.status.description},
            "attributes": dict(span.attributes or {}), "events": plain(span)["events"],
            "resource": {"attributes": dict(span.resource.attributes)},
        }  # fmt: skip

    return as_lines(one(span) for span in spans)


def jaeger(spans: list[ReadableSpan]) -> bytes:
    """As Jaeger's API returns them."""

    def tag(key: str, value: Any) -> dict[str, Any]:
        return {"key": key, "type": "int64" if isinstance(value, int) else "string", "value": value}

    def one(span: ReadableSpan) -> dict[str, Any]:
        trace, own, parent = ids(span)
        status = (
            []
            if span.status.is_ok
            else [tag("otel.status_code", "ERROR"), tag("otel.status_description", "no such order")]
        )
        return {
            "traceID": trace, "spanID": own, "operationName": span.name, "processID": "p1",
            "references": [{"refType": "CHILD_OF", "traceID": trace, "spanID": parent}] if parent else [],
            "startTime": (span.start_time or 0) // 1000, "duration": ((span.end_time or 0) - (span.start_time or 0)) // 1000,
            "tags": [tag("span.kind", span.kind.name.lower()), *status, *(tag(k, v) for k, v in (span.attributes or {}).items())],
            "logs": [
                {"timestamp": e.timestamp // 1000,
                 "fields": [tag("event", e.name), *(tag(k, v) for k, v in (e.attributes or {}).items())]}
                for e in span.events
            ],
        }  # fmt: skip

    traces: dict[str, list[Any]] = {}
    for span in spans:
        traces.setdefault(ids(span)[0], []).append(one(span))
    process = {"p1": {"serviceName": "shop", "tags": []}}
    return json.dumps(
        {"data": [{"traceID": key, "spans": of, "processes": process} for key, of in traces.items()]}
    ).encode()


def console_after_a_log(spans: list[ReadableSpan]) -> bytes:
    return b"INFO:     Started server process [3713]\nlistening on port 8000\n" + console_pretty(spans)


LANGFUSE = {"AGENT": "AGENT", "RETRIEVER": "RETRIEVER", "LLM": "GENERATION", "TOOL": "TOOL"}


def langfuse_observations(spans: list[ReadableSpan]) -> Iterator[dict[str, Any]]:
    """As Langfuse's API gives them."""
    for span in spans:
        trace, own, parent = ids(span)
        given = dict(span.attributes or {})
        kind = LANGFUSE[given["openinference.span.kind"]]
        tokens = (
            {"input": given["gen_ai.usage.input_tokens"], "output": given["gen_ai.usage.output_tokens"]}
            if kind == "GENERATION"
            else {}
        )
        yield {
            "id": own, "traceId": trace, "type": kind, "name": span.name, "startTime": iso(span.start_time)[:-7] + "Z",
            "endTime": iso(span.end_time)[:-7] + "Z", "parentObservationId": parent or None, "usageDetails": tokens,
            "completionStartTime": iso(span.events[0].timestamp)[:-7] + "Z" if span.events else None,
            "model": given.get("gen_ai.request.model"), "level": "DEFAULT" if span.status.is_ok else "ERROR",
            "statusMessage": span.status.description, "input": None, "output": {"text": "none"}, "environment": "default",
        }  # fmt: skip


def langfuse_traces(spans: list[ReadableSpan]) -> list[dict[str, Any]]:
    traces: dict[str, list[Any]] = {}
    for one in langfuse_observations(spans):
        traces.setdefault(one["traceId"], []).append(one)
    return [
        {"trace": {"id": trace, "name": "POST /chat", "timestamp": found[-1]["startTime"], "sessionId": "s-1", "tags": []},
         "observations": found}
        for trace, found in traces.items()
    ]  # fmt: skip


def langfuse_download(spans: list[ReadableSpan]) -> bytes:
    return json.dumps(langfuse_traces(spans), indent=2).encode()


def langfuse_api(spans: list[ReadableSpan]) -> bytes:
    """GET /api/public/traces/ID, one answer after the other."""
    return as_lines(
        {**one["trace"], "observations": one["observations"], "scores": []} for one in langfuse_traces(spans)
    )


NO_SERVICE, NO_KIND, NO_EVENTS = "service", "kind", "events"
FORMATS: dict[str, tuple[Callable[[list[ReadableSpan]], bytes], str, set[str]]] = {
    "one ResourceSpans a line": (bare_resource_spans, "OTLP JSON without its envelope", set()),
    "ResourceSpans pretty-printed": (bare_pretty, "OTLP JSON without its envelope", set()),
    "a list of spans": (bare_spans, "OTLP spans without resourceSpans around them", {NO_SERVICE}),
    "spans with a resource each": (spans_with_their_resource, "OTLP spans without resourceSpans around them", set()),
    "trace ids as UUIDs": (dashed, "OTLP JSON", set()),
    "ids of any text": (any_text, "OTLP JSON", set()),
    "to_json, one a line": (console_lines, "Console output of OpenTelemetry for Python", set()),
    "to_json, pretty-printed": (console_pretty, "Console output of OpenTelemetry for Python", set()),
    "to_json, one after the other": (console_concatenated, "Console output of OpenTelemetry for Python", set()),
    "to_json after lines of a log": (console_after_a_log, "Console output of OpenTelemetry for Python", set()),
    "Jaeger's API": (jaeger, "Jaeger", set()),
    "Go's stdouttrace": (go_stdouttrace, "Console output of OpenTelemetry for Go", set()),
    "Zipkin v2": (zipkin, "Zipkin v2 spans", set()),
    "ClickHouse": (clickhouse, "ClickHouse rows of otel_traces", set()),
    "Phoenix's API": (phoenix_api, "Arize Phoenix", {NO_SERVICE, NO_KIND}),
    "Phoenix's table by rows": (phoenix_rows, "Arize Phoenix", {NO_SERVICE, NO_KIND}),
    "Phoenix's table by columns": (phoenix_columns, "Arize Phoenix", {NO_SERVICE, NO_KIND}),
    "Langfuse's download": (langfuse_download, "Langfuse", {NO_SERVICE, NO_KIND, NO_EVENTS}),
    "Langfuse's API": (langfuse_api, "Langfuse", {NO_SERVICE, NO_KIND, NO_EVENTS}),
    "OpenInference lines": (openinference_lines, "OpenInference spans", set()),
}


def answers(dataset: Path, lacking: set[str]) -> list[Any]:
    """What a dataset says of its requests, without ids, and without what the format does not carry."""
    connection = open_dataset(dataset)
    service = "" if NO_SERVICE in lacking else "service_name,"
    kind = "" if NO_KIND in lacking else "kind,"
    queries = (
        f"SELECT route, start_ns, duration_ns, {service} status_code, complete, span_count, model, conversation_id, input_tokens, "
        "output_tokens, ttft_ns, failed FROM requests ORDER BY start_ns",
        "SELECT start_ns, end_ns, stage FROM critical_path ORDER BY start_ns",
        "SELECT stage, sum(stage_ns)::BIGINT, sum(busy_ns)::BIGINT FROM stage_time GROUP BY stage ORDER BY stage",
        f"SELECT name, {kind} {service} start_ns, end_ns, status_code, status_message, attributes['gen_ai.usage.input_tokens'], "
        "parent_span_id IS NULL FROM spans ORDER BY start_ns, end_ns",
        *(
            ()
            if NO_EVENTS in lacking
            else ("SELECT time_ns, name, attributes['chunk'] FROM span_events ORDER BY time_ns",)
        ),
    )
    return [connection.execute(query).fetchall() for query in queries]


@pytest.fixture(scope="module")
def same_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("otlp")
    (folder / "run.jsonl").write_bytes(json_lines(run()))
    ingest([folder / "run.jsonl"], folder / "d.duckdb")
    return folder / "d.duckdb"


@pytest.mark.parametrize("what", FORMATS)
def test_a_run_is_the_same_in_every_format(what: str, same_run: Path, tmp_path: Path) -> None:
    write, name, lacking = FORMATS[what]
    (tmp_path / "dump").write_bytes(write(run()))
    result = ingest([tmp_path / "dump"], tmp_path / "d.duckdb")
    assert result.files[0].format == name
    assert (result.spans, result.requests, result.files[0].rejected) == (8, 2, 0)
    assert answers(tmp_path / "d.duckdb", lacking) == answers(same_run, lacking)


def test_the_run_holds_what_the_formats_are_compared_by(same_run: Path) -> None:
    requests, path, stages, spans, events = answers(same_run, set())
    assert [row[2] for row in requests] == [1_520 * MS, 1_520 * MS]
    assert {stage for stage, *_ in stages} >= {"retrieval", "inference", "tools"}
    assert len(path) >= 8
    assert len(spans) == 8
    assert events[0][1:] == ("gen_ai.first_token", "1")


def test_a_trace_with_a_text_for_an_id_is_found_by_that_text(tmp_path: Path) -> None:
    from overbudget.analysis.trace.trace import load_trace

    text = json_lines(run()).decode()
    trace = ids(run()[0])[0]
    (tmp_path / "dump").write_text(text.replace(trace, "Order 66 / retry"))
    ingest([tmp_path / "dump"], tmp_path / "d.duckdb")
    connection: duckdb.DuckDBPyConnection = open_dataset(tmp_path / "d.duckdb")
    found = load_trace(connection, "Order 66 / retry")
    assert len(found.spans) == 4
    kept = connection.execute(
        "SELECT DISTINCT attributes['recorded.trace_id'] FROM spans WHERE trace_id = $1", [found.trace_id]
    )
    assert kept.fetchall() == [("Order 66 / retry",)]


def test_jaeger_times_that_count_from_the_start_of_a_trace_are_read_and_told(tmp_path: Path) -> None:
    spans = [
        {"traceID": "A", "spanID": "A", "operationName": "O1", "references": [], "startTime": 0, "duration": 100, "processID": "S"},
        {"traceID": "A", "spanID": "the second", "operationName": "O2", "startTime": 10, "duration": 50, "processID": "S",
         "references": [{"refType": "CHILD_OF", "traceID": "000A", "spanID": "A"}],
         "logs": [{"timestamp": 20, "fields": [{"key": "event", "value": "e"}]}]},
    ]  # fmt: skip
    (tmp_path / "dump").write_text(
        json.dumps({"data": [{"traceID": "A", "spans": spans, "processes": {"S": {"serviceName": "s"}}}]})
    )
    result = ingest([tmp_path / "dump"], tmp_path / "d.duckdb")
    assert (result.spans, result.requests) == (2, 1)
    assert result.files[0].warnings["relative_times"].count == 1
    connection = open_dataset(tmp_path / "d.duckdb")
    path = (
        "SELECT name, p.start_ns - r.start_ns, p.duration_ns FROM critical_path p JOIN spans USING (trace_id, span_id)"
    )
    found = connection.execute(f"{path} JOIN requests r USING (trace_id) ORDER BY p.start_ns").fetchall()
    assert found == [("O1", 0, 10_000), ("O2", 10_000, 50_000), ("O1", 60_000, 40_000)]
    event = connection.execute(
        "SELECT e.time_ns - s.start_ns FROM span_events e JOIN spans s USING (trace_id, span_id)"
    )
    assert event.fetchall() == [(10_000,)]


RECORDED = Path(__file__).parents[2] / "data" / "formats"


def test_what_javascripts_console_prints_is_the_run_that_it_exports(tmp_path: Path) -> None:
    for name in ("console.txt", "otlp.json"):
        ingest([RECORDED / f"javascript.{name}"], tmp_path / f"{name}.duckdb")
    first, second = answers(tmp_path / "console.txt.duckdb", set()), answers(tmp_path / "otlp.json.duckdb", set())
    assert first == second
    texts = [
        open_dataset(tmp_path / f"{name}.duckdb")
        .execute("SELECT DISTINCT attributes['input.value'] FROM spans ORDER BY ALL")
        .fetchall()
        for name in ("console.txt", "otlp.json")
    ]
    assert texts[0] == texts[1]
    assert "`tick` {brace} \\ back" in texts[0][0][0]


TRUTH = [("chat", "inference", 2_000), ("find", "retrieval", 600), ("orders", "tools", 400), ("{root}", "{rest}", 40)]
CALLED = """SELECT DISTINCT model, conversation_id, input_tokens, output_tokens, cached_tokens, ttft_ns // 1000000, duration_ns // 1000000
            FROM requests"""


@pytest.mark.parametrize(
    ("dump", "name", "called"),
    [
        ("langsmith.runs.jsonl", "LangSmith", ("mist-7b", "s-1", 700, 90, 64, 610, 1_520)),
        ("langsmith.tree.json", "LangSmith", ("mist-7b", "s-1", 700, 90, 64, 610, 1_520)),
        ("mlflow.traces.jsonl", "MLflow", ("mist-7b", "s-1", 700, 90, None, 610, 1_520)),
        ("mlflow.otlp.json", "OTLP JSON", ("mist-7b", None, 700, 90, None, 610, 1_520)),
    ],
)
def test_what_a_library_recorded_is_what_its_script_did(
    dump: str, name: str, called: tuple[Any, ...], tmp_path: Path
) -> None:
    """See scripts/record_formats/."""
    result = ingest([RECORDED / dump], tmp_path / "d.duckdb")
    assert (result.files[0].format, result.spans, result.requests) == (name, 8, 2)
    connection = open_dataset(tmp_path / "d.duckdb")
    path = "SELECT name, stage, sum(p.duration_ns)::BIGINT // 1000000 FROM critical_path p JOIN spans USING (trace_id, span_id)"
    found = connection.execute(f"{path} GROUP BY ALL ORDER BY ALL").fetchall()
    assert sorted(found) == sorted([("assistant", "orchestration", 40), *TRUTH[:3]])
    assert connection.execute(CALLED).fetchall() == [called]
    failed = connection.execute("SELECT name, status_message FROM spans WHERE status_code = 'ERROR'").fetchall()
    assert failed == [("orders", "no such order")]


def test_observations_side_by_side_stand_below_their_trace(tmp_path: Path) -> None:
    """Langfuse's older SDKs write no observation for the whole: the trace itself is the request."""
    spans = [span for span in run() if span.parent is not None]
    whole = langfuse_traces(spans)
    for trace in whole:
        trace["trace"]["timestamp"] = trace["observations"][0]["startTime"]
        for one in trace["observations"]:
            one["parentObservationId"] = None
    (tmp_path / "dump").write_text(json.dumps(whole))
    result = ingest([tmp_path / "dump"], tmp_path / "d.duckdb")
    assert (result.spans, result.requests) == (8, 2)
    requests = open_dataset(tmp_path / "d.duckdb").execute(
        "SELECT DISTINCT route, duration_ns, conversation_id, model FROM requests"
    )
    assert requests.fetchall() == [("POST /chat", 1_505 * MS, "s-1", "mist-7b")]


def test_an_event_of_langfuse_has_no_length_and_a_span_without_an_end_stays_open(tmp_path: Path) -> None:
    whole = langfuse_traces(run())[0]
    begun = whole["observations"][-1]["startTime"]
    own = {
        "traceId": whole["trace"]["id"],
        "parentObservationId": whole["observations"][-1]["id"],
        "startTime": begun,
        "level": "DEFAULT",
    }
    whole["observations"] += [
        {**own, "id": "e" * 16, "type": "EVENT", "name": "clicked", "endTime": None},
        {**own, "id": "f" * 16, "type": "SPAN", "name": "lost", "endTime": None},
    ]
    (tmp_path / "dump").write_text(json.dumps(whole))
    ingest([tmp_path / "dump"], tmp_path / "d.duckdb")
    found = open_dataset(tmp_path / "d.duckdb").execute(
        "SELECT name, duration_ns FROM spans WHERE name IN ('clicked', 'lost') ORDER BY name"
    )
    assert found.fetchall() == [("clicked", 0), ("lost", None)]


def test_a_server_that_shares_its_clients_span_in_zipkin_gets_one_of_its_own(tmp_path: Path) -> None:
    client = {"traceId": "a" * 16, "id": "1" * 16, "kind": "CLIENT", "name": "get", "timestamp": 10**15, "duration": 1_000,
              "localEndpoint": {"serviceName": "web"}}  # fmt: skip
    server = {**client, "kind": "SERVER", "shared": True, "timestamp": 10**15 + 100, "duration": 800,
              "localEndpoint": {"serviceName": "api"}}  # fmt: skip
    query = {**client, "id": "2" * 16, "parentId": "1" * 16, "name": "select", "timestamp": 10**15 + 200, "duration": 500,
             "localEndpoint": {"serviceName": "api"}}  # fmt: skip
    (tmp_path / "dump").write_text(json.dumps([client, server, query]))
    result = ingest([tmp_path / "dump"], tmp_path / "d.duckdb")
    assert (result.spans, result.requests, result.files[0].duplicates) == (3, 1, 0)
    found = open_dataset(tmp_path / "d.duckdb").execute(
        "SELECT c.service_name, c.name, p.service_name, p.kind FROM spans c JOIN spans p ON p.span_id = c.parent_span_id ORDER BY c.start_ns"
    )
    assert found.fetchall() == [("api", "get", "web", "CLIENT"), ("api", "select", "api", "SERVER")]


REFUSED: dict[str, tuple[Any, str]] = {
    "Tempo's search": (
        {"traces": [{"traceID": "a", "rootServiceName": "s", "durationMs": 5}], "metrics": {}},
        "GET /api/v2/traces",
    ),
    "X-Ray": ({"Traces": [{"Id": "1-58406520-a006649127e371903a2de979", "Segments": []}]}, "X-Ray segments"),
    "an X-Ray segment": (
        {"trace_id": "1-58406520-a006649127e371903a2de979", "id": "1", "name": "s", "start_time": 1.4e9},
        "X-Ray segments",
    ),
    "Cloud Trace": ({"traces": [{"projectId": "p", "traceId": "a", "spans": []}]}, "Google Cloud Trace"),
    "Datadog": (
        [[{"trace_id": 1, "span_id": 2, "service": "s", "resource": "r", "start": 1, "duration": 2, "meta": {}}]],
        "datadog receiver",
    ),
    "Chrome": ({"traceEvents": [{"ph": "X", "ts": 1, "pid": 1}]}, "Chrome trace"),
    "Elasticsearch": ({"hits": {"hits": [{"_index": "apm", "_source": {}}]}}, "Elasticsearch documents"),
    "Elastic APM": (
        {"@timestamp": "2026-01-01T00:00:00Z", "processor": {"event": "span"}, "trace": {"id": "a"}},
        "Elasticsearch",
    ),
    "Zipkin v1": (
        [{"traceId": "a", "id": "b", "name": "n", "annotations": [], "binaryAnnotations": []}],
        "GET /api/v2/traces",
    ),
    "metrics": ({"resourceMetrics": []}, "is metrics"),
    "Prometheus": ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "is metrics"),
    "logs": ({"resourceLogs": [{"scopeLogs": []}]}, "is logs"),
    "an application's log": ({"level": "info", "msg": "started", "error": None}, "log of an application"),
    "anything else": (
        {"action": "reply", "duration_ms": 41, "error": None},
        "no spans in an object with the keys action",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("shape", ["lines", "pretty"])
def test_what_is_not_read_is_named_with_what_to_do(what: str, shape: str, tmp_path: Path) -> None:
    content, said = REFUSED[what]
    text = f"{json.dumps(content)}\n{json.dumps(content)}\n" if shape == "lines" else json.dumps(content, indent=2)
    (tmp_path / "dump").write_text(text)
    with pytest.raises(OverbudgetError) as refused:
        ingest([tmp_path / "dump"], tmp_path / "d.duckdb")
    message = str(refused.value)
    assert said in message
    assert "ends before" not in message
    assert "API returned an error" not in message
    assert message.endswith(".")


@pytest.mark.parametrize("wrong", [5, "x", [], {}, True, None, [5], {"a": 1}, [[]], 10**30, -1], ids=str)
def test_a_wrong_value_anywhere_costs_its_record_and_no_other(wrong: Any, tmp_path: Path) -> None:
    """In every format, at every place of the first record in turn, with the others sound."""
    for what, (write, _, _) in FORMATS.items():
        if what.startswith(("ids", "trace ids")):
            continue
        form = next(iter(format_of(record) for record in first_records(write(run()))))
        if form is None or form.resource_spans is None:
            continue
        records = list(first_records(write(run())))
        for path in places(records[0]):
            changed = json.loads(json.dumps(records[0]))
            inside = changed
            for step in path[:-1]:
                inside = inside[step]
            inside[path[-1]] = wrong
            report = FileReport("dump")
            text = translated(as_lines([changed, *records[1:]]), form, report)
            assert text.count(b"startTimeUnixNano") >= min(len(records) - 1, 1), (what, path)


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """The path to every value within a JSON document, as far as its shape repeats itself."""
    inner = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))[:2]
        if isinstance(value, list)
        else []
    )
    for step, one in inner:
        yield (step,)
        yield from ((step, *rest) for rest in places(one))

"""Every format that is recognised: one table for the readers, for `overbudget ingest --formats`, for docs and messages.

A record is a JSON document, of which a dump has one or many. The first row that fits decides its format.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from overbudget.ingest.formats.exports import (
    bare,
    clickhouse,
    console,
    langfuse,
    langsmith,
    mlflow,
    phoenix,
    refused,
    zipkin,
)

Record = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """A kind of dump, by its true name.

    `is_one` recognises its records; None where bytes do. `resource_spans` turns its records into OTLP/JSON; None where it has
    its own reader. `lacks` is what it does not carry of a span. A format that is not read has `instead`: what to do.
    """

    name: str
    from_what: str
    is_one: Callable[[Record], bool] | None = None
    resource_spans: Callable[[Iterable[Record]], list[Record]] | None = None
    lacks: str = ""
    instead: str = ""

    @property
    def title(self) -> str:
        """The name as a heading, without its article."""
        plain = self.name.removeprefix("an export of ").removeprefix("a trace of ").removeprefix("a ")
        return plain[0].upper() + plain[1:]

    @property
    def is_read(self) -> bool:
        return not self.instead


def _has(*keys: str) -> Callable[[Record], bool]:
    return lambda record: any(key in record for key in keys)


def _is_jaeger(record: Record) -> bool:
    data = record.get("data")
    return {"spans", "processes"} <= record.keys() or (
        isinstance(data, list) and any(isinstance(one, dict) and "processes" in one for one in data[:3])
    )


def _is_tempo(record: Record) -> bool:
    inner = (record.get("trace"), record.get("result"))
    return "batches" in record or any(
        isinstance(one, dict) and bool({"resourceSpans", "batches"} & one.keys()) for one in inner
    )


OTLP = Format(
    "OTLP JSON", "the collector's file exporter and every OTLP/HTTP exporter; lines, arrays or pretty-printed",
    _has("resourceSpans", "resource_spans"),
)  # fmt: skip
PROTOBUF = Format("OTLP protobuf", "the collector's file exporter with format: proto, or the body of an OTLP request")
RESOURCE_SPANS = Format(
    "OTLP JSON without its envelope", "one ResourceSpans object for each record",
    bare.is_resource_spans, bare.of_resource_spans,
)  # fmt: skip
SPANS = Format(
    "OTLP spans without resourceSpans around them", "a list of OTLP spans, or one on each line", bare.is_span, bare.of_spans,
    lacks="the service and the scope, where the spans do not name them",
)  # fmt: skip
PYTHON_CONSOLE = Format(
    "console output of OpenTelemetry for Python", "ConsoleSpanExporter, span.to_json()", console.is_python, console.of_python,
    lacks="the scope",
)  # fmt: skip
GO_CONSOLE = Format("console output of OpenTelemetry for Go", "stdouttrace", console.is_go, console.of_go)
JAVASCRIPT_CONSOLE = Format(
    "console output of OpenTelemetry for JavaScript", "ConsoleSpanExporter", console.is_javascript, console.of_javascript,
    lacks="what the console cuts off",
)  # fmt: skip
CLICKHOUSE = Format(
    "ClickHouse rows of otel_traces", "SELECT * FROM otel_traces FORMAT JSONEachRow, or FORMAT Parquet", clickhouse.is_clickhouse,
    clickhouse.of_clickhouse, lacks="flags, attributes of scopes",
)  # fmt: skip
OWN = Format("Parquet written by overbudget export", "spans.parquet, with the other files next to it")
PARQUET = Format("a Parquet file", "")  # its columns decide which format its rows are in

FORMATS: tuple[Format, ...] = (
    OTLP,
    PROTOBUF,
    OWN,
    RESOURCE_SPANS,
    Format("a trace of Grafana Tempo", "GET /api/v2/traces/TRACE_ID", _is_tempo),
    Format("a trace of Jaeger", "GET /api/traces, or Download Results in its UI", _is_jaeger),
    PYTHON_CONSOLE,
    GO_CONSOLE,
    JAVASCRIPT_CONSOLE,
    Format(
        "an export of LangSmith", "runs of its API or SDK", langsmith.is_langsmith, langsmith.of_langsmith,
        lacks="services and scopes",
    ),
    Format(
        "an export of Langfuse", "a trace downloaded from its pages, or traces and observations of its API",
        langfuse.is_langfuse, langfuse.of_langfuse, lacks="links, the kind of a span; the service, where it was not sent over OTLP",
    ),
    Format("an export of MLflow", "trace.to_json(), traces.json of its artifacts, its API", mlflow.is_mlflow, mlflow.of_mlflow,
           lacks="the service, the scope and the kind of a span"),
    Format(
        "an export of Arize Phoenix", "get_spans_dataframe() as JSON, Parquet or CSV, spans of its API", phoenix.is_phoenix, phoenix.of_phoenix,
        lacks="the service, the scope, links",
    ),
    CLICKHOUSE,
    Format("Zipkin v2 spans", "GET /api/v2/traces, or what reporters send", zipkin.is_zipkin, zipkin.of_zipkin,
           lacks="links; attributes are text"),
    SPANS,
    Format("X-Ray segments", "AWS X-Ray", refused.is_xray,
           instead="send the spans over OTLP (AWS Distro for OpenTelemetry) and ingest the collector's file"),
    Format("Datadog spans", "Datadog's agent or API", refused.is_datadog,
           instead="send them through the datadog receiver of an OpenTelemetry collector to its file exporter and ingest that file"),
    Format("OpenInference spans", "spans that an application writes down itself, one on each line or in an array",
           phoenix.is_openinference, phoenix.of_openinference, lacks="what the application leaves out"),
    Format("search results of Grafana Tempo", "GET /api/search", refused.is_tempo_search,
           instead="they name traces and have no spans; get each trace (GET /api/v2/traces/TRACE_ID) and ingest those answers"),
    Format("Google Cloud Trace", "its API", refused.is_cloud_trace,
           instead="send the spans to the collector's file exporter as well (googlecloud beside file) and ingest that file"),
    Format("a Chrome trace", "browsers, Perfetto, the PyTorch profiler", refused.is_chrome,
           instead="it is a profile of one process without requests; ingest the traces of the service that was profiled"),
    Format("Elasticsearch documents", "Elasticsearch, OpenSearch, Elastic APM", refused.is_elasticsearch,
           instead="export the traces from Jaeger's API, or from the collector's file exporter, and ingest those"),
    Format("Zipkin v1 spans", "GET /api/v1/traces", zipkin.is_zipkin_v1,
           instead="get them in version 2 (GET /api/v2/traces) and ingest that"),
    Format("metrics", "OTLP, Prometheus", refused.is_metrics, instead="export the traces of the same service and ingest those"),
    Format("logs", "OTLP", refused.is_logs, instead="export the traces of the same service and ingest those"),
    Format("a log of an application", "loggers that write JSON", refused.is_application_log,
           instead="export the traces of the same service and ingest those"),
)  # fmt: skip


def format_of(record: Any) -> Format | None:
    """What a JSON document is; None where nothing fits."""
    if not isinstance(record, dict):
        return None
    return next((one for one in FORMATS if one.is_one is not None and one.is_one(record)), None)


def refusal(one: Format) -> str:
    """What follows "FILE is" where a dump is of a format that is not read."""
    return f"{one.name}, which overbudget does not read: {one.instead}"

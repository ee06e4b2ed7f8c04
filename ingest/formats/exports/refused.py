"""What is no dump of spans that can be read, though people have it: told apart, so that a message can say what to do."""

from overbudget.ingest.formats.exports.otlp import Record, object_of, objects_of

_LEVELS = ("level", "severity", "severityText", "levelname", "log.level", "loglevel")
_MESSAGES = ("message", "msg", "event", "body", "logger", "log")


def is_tempo_search(record: Record) -> bool:
    """What Tempo's search answers: traces by name and duration, without their spans."""
    return any(
        {"traceID", "rootServiceName"} <= one.keys() or {"traceID", "rootTraceName"} <= one.keys()
        for one in objects_of(record.get("traces"))[:3]
    )


def is_xray(record: Record) -> bool:
    """Traces, summaries or segment documents of AWS X-Ray."""
    if any("Segments" in one for one in objects_of(record.get("Traces"))[:3]) or "TraceSummaries" in record:
        return True
    if isinstance(record.get("Segments"), list) and "Id" in record:
        return True
    trace = record.get("trace_id")
    return isinstance(trace, str) and trace.startswith("1-") and "start_time" in record and "id" in record


def is_cloud_trace(record: Record) -> bool:
    """Traces or spans of Google Cloud Trace."""
    if any("projectId" in one and "spans" in one for one in objects_of(record.get("traces"))[:3]):
        return True
    name = record.get("name")
    return ("projectId" in record and "traceId" in record and "spans" in record) or (
        isinstance(name, str) and name.startswith("projects/") and "/traces/" in name
    )


def is_datadog(record: Record) -> bool:
    """Spans of Datadog: of its agent's API, or of its search."""
    if any(one.get("type") in ("span", "spans") for one in objects_of(record.get("data"))[:3]):
        return True
    numbers = isinstance(record.get("trace_id"), int) and isinstance(record.get("span_id"), int)
    return numbers and "duration" in record and bool({"resource", "service", "meta", "metrics"} & record.keys())


def is_chrome(record: Record) -> bool:
    """Events of Chrome's trace format, as browsers, Perfetto and profilers of PyTorch write them."""
    return "traceEvents" in record or {"ph", "ts", "pid"} <= record.keys()


def is_elasticsearch(record: Record) -> bool:
    """Documents of Elasticsearch or OpenSearch, those of Elastic APM among them."""
    if "_source" in record or isinstance(object_of(record.get("hits")).get("hits"), list):
        return True
    return "@timestamp" in record and bool({"processor", "transaction", "ecs", "trace", "trace.id"} & record.keys())


def is_metrics(record: Record) -> bool:
    """OTLP's metrics, or what Prometheus answers."""
    return bool({"resourceMetrics", "resource_metrics", "scopeMetrics"} & record.keys()) or (
        "resultType" in object_of(record.get("data"))
    )


def is_logs(record: Record) -> bool:
    """OTLP's logs."""
    return bool({"resourceLogs", "resource_logs", "scopeLogs"} & record.keys())


def is_application_log(record: Record) -> bool:
    """A line of an application's log: a level and a message, no span."""
    return any(key in record for key in _LEVELS) and any(key in record for key in _MESSAGES)

"""Zipkin's spans, version 2: what its API returns, and what reporters send.

The translation is that of the OpenTelemetry collector: microseconds, ids padded, tags as attributes. A server that shares
the id of its client's span gets a span of its own below it, and what the server's own service did stands below that.
"""

from collections.abc import Iterable

import orjson

from overbudget.ingest.formats.exports.otlp import Grouped, Record, attributes, object_of, objects_of, text
from overbudget.ingest.formats.exports.times import start_and_end
from overbudget.kernels.otlp import KIND_NUMBERS
from overbudget.kernels.text_ids import id_of_text

_CODES = {"OK": 1, "ERROR": 2}
_TAKEN = (
    *("otel.status_code", "otel.status_description", "otel.library.name", "otel.library.version", "otel.scope.name"),
    *("otel.scope.version", "w3c.tracestate", "error"),
)


def is_zipkin(record: Record) -> bool:
    """A span of Zipkin v2."""
    known = {"localEndpoint", "remoteEndpoint", "timestamp", "duration", "tags", "kind", "parentId"}
    ours = isinstance(record.get("localEndpoint"), dict) or "attributes" not in record
    return {"traceId", "id"} <= record.keys() and bool(known & record.keys()) and ours and not is_zipkin_v1(record)


def is_zipkin_v1(record: Record) -> bool:
    """A span of Zipkin v1, whose times stand in annotations."""
    return {"traceId", "id"} <= record.keys() and (
        "binaryAnnotations" in record
        or any("endpoint" in annotation for annotation in objects_of(record.get("annotations")))
    )


def of_zipkin(records: Iterable[Record]) -> list[Record]:
    """Resource spans of Zipkin's spans."""
    records = list(records)
    shared = {(_trace(one), _span(one), _service(one)) for one in records if one.get("shared") is True}
    grouped = Grouped()
    for one in records:
        tags = object_of(one.get("tags"))
        scope = text(tags.get("otel.scope.name") or tags.get("otel.library.name"))
        version = text(tags.get("otel.scope.version") or tags.get("otel.library.version"))
        grouped.add(_otlp(one, tags, shared), _resource(one), scope, version)
    return grouped.resource_spans()


def _trace(one: Record) -> str:
    return _padded(one.get("traceId"), 32)


def _span(one: Record) -> str:
    return _padded(one.get("id"), 16)


def _padded(value: object, digits: int) -> str:
    return id_of_text(value, digits)[0] if isinstance(value, str) and value else ""


def _service(one: Record) -> str:
    return text(object_of(one.get("localEndpoint")).get("serviceName"))


def _servers_own(client_span: str) -> str:
    """The id of the span of a server that shares its client's."""
    return id_of_text(f"server of {client_span}", 16)[0]


def _resource(one: Record) -> Record:
    service = _service(one)
    return {"service.name": service} if service else {}


def _otlp(one: Record, tags: Record, shared: set[tuple[str, str, str]]) -> Record:
    span, parent = _span(one), _padded(one.get("parentId"), 16)
    if one.get("shared") is True:
        span, parent = _servers_own(span), span
    elif (_trace(one), parent, _service(one)) in shared:
        parent = _servers_own(parent)
    start, end = start_and_end(one.get("timestamp"), one.get("duration") or 0, 1_000)
    status = str(tags.get("otel.status_code", "")).upper()
    remote = object_of(one.get("remoteEndpoint")).get("serviceName")
    return {
        "traceId": _trace(one),
        "spanId": span,
        "parentSpanId": parent,
        "traceState": text(tags.get("w3c.tracestate")),
        "name": text(one.get("name")),
        "kind": KIND_NUMBERS.get(str(one.get("kind")).upper(), 1),
        "startTimeUnixNano": start,
        "endTimeUnixNano": end,
        "status": {
            "code": _CODES.get(status, 2 if "error" in tags else 0),
            "message": text(tags.get("otel.status_description") or tags.get("error")),
        },
        "attributes": attributes(
            {
                **{key: value for key, value in tags.items() if key not in _TAKEN},
                **({"peer.service": remote} if remote and "peer.service" not in tags else {}),
            }
        ),
        "events": [_event(annotation) for annotation in objects_of(one.get("annotations"))],
    }


def _event(annotation: Record) -> Record:
    """An annotation; the collector writes the attributes of an event behind its name: `name|{"key": "value"}|0`."""
    time, value = annotation.get("timestamp"), text(annotation.get("value"))
    name, bar, rest = value.partition("|")
    found = {}
    if bar and rest.startswith("{"):
        try:
            found = object_of(orjson.loads(rest.rpartition("|")[0] or rest))
        except orjson.JSONDecodeError:
            name = value
    else:
        name = value
    return {
        "timeUnixNano": time * 1_000 if isinstance(time, int) else None,
        "name": name,
        "attributes": attributes(found),
    }

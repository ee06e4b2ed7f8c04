"""A finished simulation as a dump of OTLP/JSON, one resource a line, as a collector's file exporter writes it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from bench.worlds.engine import START_NS, Span

SCOPE = {"name": "opentelemetry.instrumentation", "version": "0.60b1"}


def write(spans: Iterable[Span], path: Path, trace_of: int = 1, ahead: Mapping[str, int] | None = None) -> Path:
    """Write `spans` to `path`. Trace ids begin at `trace_of`; `ahead` says by how many ns a service's clock is ahead."""
    resources: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for span in spans:
        shift = (ahead or {}).get(span.service, 0)
        resources.setdefault((span.service, span.pod, span.version), []).append(_span(span, trace_of, shift))
    with path.open("wb") as file:
        for (service, pod, version), found in resources.items():
            known = {"service.name": service, "service.version": version, "k8s.pod.name": pod}
            resource = {"attributes": _attributes(known)}
            line = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": SCOPE, "spans": found}]}]}
            file.write(orjson.dumps(line) + b"\n")
    return path


def _span(span: Span, trace_of: int, shift: int) -> dict[str, Any]:
    at = START_NS + shift
    found: dict[str, Any] = {
        "traceId": f"{span.request + trace_of:032x}",
        "spanId": f"{span.number:016x}",
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(at + span.start),
        "endTimeUnixNano": str(at + span.end),
        "attributes": _attributes({key: value for key, value in span.attributes.items() if key != "tracestate"}),
        "status": {"code": 2, "message": "failed"} if span.failed else {},
    }
    if "tracestate" in span.attributes:
        found["traceState"] = span.attributes["tracestate"]
    if span.parent is not None:
        found["parentSpanId"] = f"{span.parent.number:016x}"
    if span.events:
        found["events"] = [{"timeUnixNano": str(at + time), "name": name} for time, name in span.events]
    return found


def _attributes(values: Mapping[str, str | int | float | bool]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: str | int | float | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}

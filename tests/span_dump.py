"""Spans written as an OTLP dump and ingested: for cases that need real trees (overlaps, failures, several services)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

MS = 1_000_000
KINDS = {"internal": 1, "server": 2, "client": 3}
FIRST_START_NS = 1_790_000_000_000_000_000


@dataclass(frozen=True)
class Span:
    """A span of one trace; times in ms from the trace's start, `parent` the name or `key` of another span."""

    name: str
    start: float
    end: float
    parent: str | None = None
    service: str = "api"
    kind: str = "internal"
    failed: bool = False
    key: str = ""
    lost: bool = False  # the dump lacks it, and what names it as its parent is an orphan
    scope: str = ""
    attributes: Mapping[str, str | int] = field(default_factory=dict)


def dataset(path: Path, traces: Iterable[Iterable[Span]], apart_ms: float = 10_000) -> duckdb.DuckDBPyConnection:
    """The traces, one after the other, as a dataset at `path`."""
    dump = path.with_suffix(".jsonl")
    with dump.open("w") as file:
        for number, spans in enumerate(traces):
            file.write(json.dumps(_trace(number, list(spans), FIRST_START_NS + round(number * apart_ms * MS))) + "\n")
    ingest([dump], path)
    return open_dataset(path)


def _trace(number: int, spans: list[Span], origin: int) -> dict[str, object]:
    ids = {span.key or span.name: f"{number + 1:08x}{place + 1:08x}" for place, span in enumerate(spans)}
    by_scope: dict[tuple[str, str], list[dict[str, object]]] = {}
    for span in (span for span in spans if not span.lost):
        by_scope.setdefault((span.service, span.scope), []).append(
            {
                "traceId": f"{number + 1:032x}",
                "spanId": ids[span.key or span.name],
                **({"parentSpanId": ids[span.parent]} if span.parent else {}),
                "name": span.name,
                "kind": KINDS[span.kind],
                "startTimeUnixNano": str(origin + round(span.start * MS)),
                "endTimeUnixNano": str(origin + round(span.end * MS)),
                "attributes": _pairs(span.attributes),
                "status": {"code": 2} if span.failed else {},
            }
        )
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs({"service.name": service})},
                "scopeSpans": [{"scope": {"name": scope}, "spans": those}],
            }
            for (service, scope), those in by_scope.items()
        ]
    }


def _pairs(attributes: Mapping[str, str | int]) -> list[dict[str, object]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in attributes.items()
    ]

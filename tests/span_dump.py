"""Spans written as an OTLP dump and ingested: for cases that need real trees (overlaps, failures, several services)."""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

MS = 1_000_000
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
FIRST_START_NS = 1_790_000_000_000_000_000


@dataclass(frozen=True)
class Span:
    """A span of one trace; times in ms from the trace's start, `parent` the name or `key` of another span.

    `end` None was never recorded; a span that is `lost` is not in the dump, and its children are orphans.
    """

    name: str
    start: float
    end: float | None
    parent: str | None = None
    service: str = "api"
    kind: str = "internal"
    failed: bool = False
    key: str = ""
    lost: bool = False
    scope: str = ""
    attributes: Mapping[str, str | int] = field(default_factory=dict)


def dataset(
    path: Path, traces: Iterable[Iterable[Span]], apart_ms: float = 10_000, mixed: random.Random | None = None
) -> duckdb.DuckDBPyConnection:
    """The traces, one after the other, as a dataset at `path`; with `mixed` every span by itself, in a random order."""
    dump = path.with_suffix(".jsonl")
    dump.write_text("".join(f"{json.dumps(document)}\n" for document in documents(traces, apart_ms, mixed)))
    ingest([dump], path)
    return open_dataset(path)


def documents(
    traces: Iterable[Iterable[Span]], apart_ms: float = 10_000, mixed: random.Random | None = None
) -> list[dict[str, object]]:
    """The traces as OTLP JSON: a document for each trace, or, `mixed`, for each span."""
    found: list[dict[str, object]] = []
    for number, spans in enumerate(traces):
        written = _written(number, list(spans), FIRST_START_NS + round(number * apart_ms * MS))
        parts = [[one] for one in written] if mixed else [written]
        found += [_document(part) for part in parts]
    if mixed:
        mixed.shuffle(found)
    return found


Written = tuple[tuple[str, str], dict[str, object]]  # service and scope, and the span


def _written(number: int, spans: list[Span], origin: int) -> list[Written]:
    """Each span of a trace that is not lost."""
    ids = {span.key or span.name: f"{number + 1:08x}{place + 1:08x}" for place, span in enumerate(spans)}
    return [
        (
            (span.service, span.scope),
            {
                "traceId": f"{number + 1:032x}",
                "spanId": ids[span.key or span.name],
                **({"parentSpanId": ids[span.parent]} if span.parent else {}),
                "name": span.name,
                "kind": KINDS[span.kind],
                "startTimeUnixNano": str(origin + round(span.start * MS)),
                **({} if span.end is None else {"endTimeUnixNano": str(origin + round(span.end * MS))}),
                "attributes": _pairs(span.attributes),
                "status": {"code": 2} if span.failed else {},
            },
        )
        for span in spans
        if not span.lost
    ]


def _document(spans: list[Written]) -> dict[str, object]:
    by_scope: dict[tuple[str, str], list[dict[str, object]]] = {}
    for where, span in spans:
        by_scope.setdefault(where, []).append(span)
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

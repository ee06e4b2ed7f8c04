"""One trace with everything that a waterfall shows of it."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from overbudget.stages.attribute_keys import (
    FIRST_TOKEN_EVENT,
    TTFT_MILLISECONDS_KEYS,
    TTFT_SECONDS_KEYS,
    TTFT_TIMESTAMP_KEYS,
)
from overbudget.store.errors import OverbudgetError


@dataclass(frozen=True)
class Segment:
    """A critical-path segment of a request (METHOD.md), ns since the epoch on the adjusted clock."""

    span_id: str
    start_ns: int
    end_ns: int
    stage: str
    hop_to: str | None


@dataclass(frozen=True)
class TraceSpan:
    """A span as a row of the waterfall. `parent` is a row, -1 at a top; times are on the adjusted clock."""

    span_id: str
    parent_span_id: str | None
    parent: int
    depth: int
    name: str
    service_name: str
    kind: str
    stage: str
    start_ns: int
    end_ns: int
    skew_ns: int
    ended: bool
    orphan: bool
    status_code: str
    status_message: str
    critical_ns: int
    attributes: dict[str, str | None]
    resource_attributes: dict[str, str | None]
    events: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class TraceRequest:
    """A request of the trace with its critical path in time order."""

    span_id: str
    route: str
    duration_ns: int
    complete: bool
    critical_path: list[Segment]


@dataclass(frozen=True)
class Trace:
    """A trace: spans in the order in which they are drawn (parents before children, siblings by start), and requests."""

    trace_id: str
    spans: list[TraceSpan]
    requests: list[TraceRequest]

    @property
    def start_ns(self) -> int:
        return min(span.start_ns for span in self.spans)

    @property
    def end_ns(self) -> int:
        return max(span.end_ns for span in self.spans)

    def as_dict(self) -> dict[str, Any]:
        """The JSON of `overbudget trace --json` (CONTRACT)."""
        return {
            "trace_id": self.trace_id,
            "requests": [
                {
                    "span_id": request.span_id,
                    "route": request.route,
                    "duration_ns": request.duration_ns,
                    "complete": request.complete,
                    "critical_path": [
                        {
                            "span_id": s.span_id,
                            "start_ns": s.start_ns,
                            "end_ns": s.end_ns,
                            "stage": s.stage,
                            "hop_to": s.hop_to,
                        }
                        for s in request.critical_path
                    ],
                }
                for request in self.requests
            ],
        }


def find_trace_id(connection: duckdb.DuckDBPyConnection, wanted: str) -> str:
    """The full id of the one trace whose id begins with `wanted`, upper or lower case.

    Errors: OverbudgetError where there is none, or more than one.
    """
    prefix = wanted.strip().lower()
    found = connection.execute(
        "SELECT DISTINCT trace_id FROM data.spans WHERE starts_with(trace_id, $1) ORDER BY trace_id LIMIT 4", [prefix]
    ).fetchall()
    if not prefix or not found:
        raise OverbudgetError(
            f"There is no trace {wanted!r} in this dataset. List some with: overbudget sql DATASET "
            '"SELECT trace_id, duration_ns FROM requests ORDER BY duration_ns DESC LIMIT 10"'
        )
    if len(found) > 1:
        some = ", ".join(row[0] for row in found[:3])
        raise OverbudgetError(
            f"Several traces begin with {wanted!r}: {some}{', …' if len(found) > 3 else ''}. Write more of the id."
        )
    return str(found[0][0])


def load_trace(connection: duckdb.DuckDBPyConnection, trace_id: str) -> Trace:
    """The trace whose id is, or begins with, `trace_id`; stages by the default rules.

    Errors: OverbudgetError where there is no such trace, or more than one.
    """
    full = find_trace_id(connection, trace_id)
    cursor = connection.cursor()
    rows = cursor.execute(_SPANS, [full]).fetchall()
    row_of_node = {row[0]: number for number, row in enumerate(rows)}
    order = _drawing_order([row_of_node.get(row[1], -1) for row in rows])
    place = {row: number for number, (row, _) in enumerate(order)}
    events = _grouped(
        cursor, "SELECT e.span_no, e.time_ns, e.name, map_from_entries(e.attributes) FROM data.events e", full
    )
    links = _grouped(
        cursor,
        "SELECT e.span_no, e.linked_trace_id, e.linked_span_id, map_from_entries(e.attributes) FROM data.links e",
        full,
    )
    requests, own = _requests(cursor, full)
    spans = []
    for row, depth in order:
        (
            _,
            parent,
            span_no,
            span_id,
            parent_id,
            name,
            service,
            kind,
            stage,
            start,
            end,
            skew,
            ended,
            code,
            message,
            attributes,
            resource,
        ) = rows[row]
        up = row_of_node.get(parent, -1)
        spans.append(
            TraceSpan(
                span_id,
                parent_id,
                place[up] if up >= 0 else -1,
                depth,
                name,
                service,
                kind,
                stage,
                start,
                end,
                skew,
                ended,
                parent == -2,
                code,
                message,
                own.get(span_id, 0),
                attributes,
                resource,
                [{"time_ns": time, "name": what, "attributes": said} for time, what, said in events.get(span_no, [])],
                [
                    {"trace_id": other, "span_id": which, "attributes": said}
                    for other, which, said in links.get(span_no, [])
                ],
            )
        )
    return Trace(full, spans, requests)


_SPANS = """
SELECT t.node, t.parent, t.span_no, s.span_id, s.parent_span_id, o.name, o.service_name, o.kind, g.stage, t.start_ns, t.end_ns,
    coalesce(k.skew_ns, 0), s.end_ns IS NOT NULL, s.status_code, s.status_message,
    map_from_entries(s.attributes), map_from_entries(r.attributes)
FROM data.spans s JOIN data.tree t USING (span_no) JOIN operations o ON o.operation_id = t.operation_id
JOIN data.stages g USING (stage_id) JOIN data.resources r USING (resource_id) LEFT JOIN data.skew k USING (span_no)
WHERE s.trace_id = $1 ORDER BY t.start_ns, t.end_ns DESC, t.node
"""


def _drawing_order(parent: list[int]) -> list[tuple[int, int]]:
    """Rows, parents before their children and siblings as they come, each with its depth."""
    children: dict[int, list[int]] = {}
    for row, up in enumerate(parent):
        children.setdefault(up, []).append(row)
    order: list[tuple[int, int]] = []
    waiting = [(row, 0) for row in reversed(children.get(-1, []))]
    while waiting:
        row, depth = waiting.pop()
        order.append((row, depth))
        waiting.extend((child, depth + 1) for child in reversed(children.get(row, [])))
    return order


def _grouped(cursor: duckdb.DuckDBPyConnection, select: str, trace_id: str) -> dict[int, list[tuple[Any, ...]]]:
    """Rows of a query over span_no, by span."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    wanted = "WHERE e.span_no IN (SELECT span_no FROM data.spans WHERE trace_id = $1)"
    for span_no, *rest in cursor.execute(f"{select} {wanted}", [trace_id]).fetchall():
        found.setdefault(span_no, []).append(tuple(rest))
    return found


def _requests(cursor: duckdb.DuckDBPyConnection, trace_id: str) -> tuple[list[TraceRequest], dict[str, int]]:
    """The requests of a trace, and each span's time on their critical paths."""
    segments: dict[str, list[Segment]] = {}
    own: dict[str, int] = {}
    paths = cursor.execute(
        """SELECT request_span_id, span_id, start_ns, end_ns, stage, hop_to FROM critical_path WHERE trace_id = $1
           ORDER BY request_span_id, start_ns""",
        [trace_id],
    ).fetchall()
    for request, span_id, start, end, stage, hop_to in paths:
        segments.setdefault(request, []).append(Segment(span_id, start, end, stage, hop_to))
        own[span_id] = own.get(span_id, 0) + end - start
    rows = cursor.execute(
        "SELECT span_id, route, duration_ns, complete FROM requests WHERE trace_id = $1 ORDER BY start_ns, request_no",
        [trace_id],
    ).fetchall()
    found = [
        TraceRequest(span_id, route, duration, complete, segments.get(span_id, []))
        for span_id, route, duration, complete in rows
    ]
    return found, own


def first_token_ns(span: TraceSpan) -> int:
    """Time from the start of an inference span to its first token, as its attributes or events say; -1 for none."""
    said: float | None = None
    for keys, size in ((TTFT_SECONDS_KEYS, 1e9), (TTFT_MILLISECONDS_KEYS, 1e6)):
        for key in keys:
            if said is None and (value := span.attributes.get(key)) is not None:
                with suppress(ValueError):
                    said = float(value) * size
    for key in TTFT_TIMESTAMP_KEYS:
        if said is None and (value := span.attributes.get(key)) is not None:
            with suppress(ValueError):
                said = _ns_of(value) + span.skew_ns - span.start_ns
    if said is None:
        times = [
            event["time_ns"]
            for event in span.events
            if re.search(FIRST_TOKEN_EVENT, event["name"] or "") and event["time_ns"]
        ]
        said = min(times) + span.skew_ns - span.start_ns if times else -1
    return round(said) if 0 <= said <= span.end_ns - span.start_ns else -1


def _ns_of(text: str) -> int:
    """ISO 8601 text, in JSON's quotes or none, as ns since the epoch; without a time zone it is UTC."""
    instant = datetime.fromisoformat(text.strip('"'))
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000


def retried(trace: Trace) -> set[str]:
    """The spans that repeat a call which failed: of the same name and service under the same parent, after it ended."""
    found = set()
    failed: dict[tuple[int, str, str], int] = {}
    for span in sorted(trace.spans, key=lambda one: one.start_ns):
        call = (span.parent, span.service_name, span.name)
        if failed.get(call, span.start_ns + 1) <= span.start_ns:
            found.add(span.span_id)
        if span.status_code == "ERROR":
            failed[call] = span.end_ns
        else:
            failed.pop(call, None)
    return found

"""Reading one trace of a dataset: its spans as rows of a waterfall, and its requests with their critical paths."""

from typing import Any, NamedTuple

import duckdb
import numpy as np

from overbudget.analysis.trace.result import Segment, Trace, TraceCall, TraceRequest, TraceSpan
from overbudget.kernels.columns import ORPHAN
from overbudget.kernels.retries import retries
from overbudget.kernels.text_ids import id_of_text
from overbudget.store.errors import OverbudgetError


def find_trace_id(connection: duckdb.DuckDBPyConnection, wanted: str) -> str:
    """The full id of the one trace whose id begins with `wanted`, upper or lower case, with or without the dashes of a UUID.

    Where traces had other texts for ids, `wanted` may be such a text.

    Errors: OverbudgetError where there is none, or more than one.
    """
    prefix = wanted.strip().lower().removeprefix("0x").replace("-", "")
    found = connection.execute(
        """SELECT DISTINCT trace_id FROM data.spans WHERE (starts_with(trace_id, $1) AND $1 <> '') OR trace_id = $2
           ORDER BY trace_id <> $2, trace_id LIMIT 4""",
        [prefix, made := id_of_text(wanted, 32)[0]],
    ).fetchall()
    if found and found[0][0] == made:
        found = found[:1]
    if not found:
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
    rows = [_Row(*row) for row in cursor.execute(_SPANS, [full]).fetchall()]
    requests, own = _requests(cursor, full)
    more = _More(own, _grouped(cursor, _EVENTS, full), _grouped(cursor, _LINKS, full))
    row_of_node = {row.node: number for number, row in enumerate(rows)}
    parents = [row_of_node.get(row.parent, -1) for row in rows]
    order = _drawing_order(parents)
    place = {row: number for number, (row, _) in enumerate(order)} | {-1: -1}
    return Trace(full, [_span(rows[row], place[parents[row]], depth, more) for row, depth in order], requests)


class _Row(NamedTuple):
    """A row of _SPANS."""

    node: int
    parent: int
    span_no: int
    span_id: str
    parent_span_id: str | None
    name: str
    service_name: str
    kind: str
    stage: str
    start_ns: int
    end_ns: int
    skew_ns: int
    ended: bool
    status_code: str
    status_message: str
    call: dict[str, Any] | None
    attributes: dict[str, str | None]
    resource_attributes: dict[str, str | None]


class _More(NamedTuple):
    """Facts about spans from other relations: ns on the critical path by span id; events and links by span_no."""

    critical_ns: dict[str, int]
    events: dict[int, list[tuple[Any, ...]]]
    links: dict[int, list[tuple[Any, ...]]]


def _span(row: _Row, parent: int, depth: int, more: _More) -> TraceSpan:
    return TraceSpan(
        span_id=row.span_id,
        parent_span_id=row.parent_span_id,
        parent=parent,
        depth=depth,
        name=row.name,
        service_name=row.service_name,
        kind=row.kind,
        stage=row.stage,
        start_ns=row.start_ns,
        end_ns=row.end_ns,
        skew_ns=row.skew_ns,
        ended=row.ended,
        orphan=row.parent == ORPHAN,
        status_code=row.status_code,
        status_message=row.status_message,
        critical_ns=more.critical_ns.get(row.span_id, 0),
        call=None if row.call is None else TraceCall(**row.call),
        attributes=row.attributes,
        resource_attributes=row.resource_attributes,
        events=[
            {"time_ns": time, "name": name, "attributes": said} for time, name, said in more.events.get(row.span_no, [])
        ],
        links=[
            {"trace_id": trace, "span_id": span, "attributes": said}
            for trace, span, said in more.links.get(row.span_no, [])
        ],
    )


_SPANS = """
SELECT t.node, t.parent, t.span_no, s.span_id, s.parent_span_id, coalesce(s.name, o.name), o.service_name, o.kind, g.stage, t.start_ns, t.end_ns,
    coalesce(k.skew_ns, 0), s.end_ns IS NOT NULL, s.status_code, s.status_message,
    CASE WHEN c.span_no IS NOT NULL THEN struct_pack(first_token_ns := c.first_token_ns, model := c.model,
        input_tokens := c.input_tokens, cached_tokens := c.cached_tokens, output_tokens := c.output_tokens, cost := c.cost) END,
    map_from_entries(s.attributes), map_from_entries(r.attributes)
FROM data.spans s JOIN data.tree t USING (span_no) JOIN operations o ON o.operation_id = t.operation_id
JOIN data.stages g USING (stage_id) JOIN data.resources r USING (resource_id) LEFT JOIN data.skew k USING (span_no)
LEFT JOIN data.model_calls c USING (span_no) WHERE s.trace_id = $1 ORDER BY t.start_ns, t.end_ns DESC, t.node
"""
_PARTS = """
SELECT request_span_id, list(stage || '.' || part ORDER BY part), list(part_ns ORDER BY part) FROM stage_parts
WHERE trace_id = $1 GROUP BY request_span_id
"""
_EVENTS = "SELECT e.span_no, e.time_ns, e.name, map_from_entries(e.attributes) FROM data.events e"
_LINKS = "SELECT e.span_no, e.linked_trace_id, e.linked_span_id, map_from_entries(e.attributes) FROM data.links e"


def _drawing_order(parent: list[int]) -> list[tuple[int, int]]:
    """Rows, parents before their children and siblings in order, each with its depth."""
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
        """SELECT request_span_id, span_id, start_ns, end_ns, stage, hop_to, awaited, while_running
           FROM critical_path WHERE trace_id = $1 ORDER BY request_span_id, start_ns""",
        [trace_id],
    ).fetchall()
    for request, span_id, start, end, *what in paths:
        segments.setdefault(request, []).append(Segment(span_id, start, end, *what))
        own[span_id] = own.get(span_id, 0) + end - start
    rows = cursor.execute(
        """SELECT span_id, route, duration_ns, user_ns, complete, ttft_ns FROM requests WHERE trace_id = $1
           ORDER BY start_ns, request_no""",
        [trace_id],
    ).fetchall()
    parts = {
        span_id: dict(zip(names, ns, strict=True))
        for span_id, names, ns in cursor.execute(_PARTS, [trace_id]).fetchall()
    }
    found = [
        TraceRequest(
            span_id, route, duration, waited, complete, segments.get(span_id, []), first, parts.get(span_id, {})
        )
        for span_id, route, duration, waited, complete, first in rows
    ]
    return found, own


def retried(trace: Trace) -> set[str]:
    """The spans that retry a failed call, as in a what-if without retries (`kernels/retries.py`)."""
    spans = trace.spans
    kinds: dict[tuple[str, str], int] = {}
    kind = [kinds.setdefault((span.service_name, span.name), len(kinds)) for span in spans]
    again = retries(
        np.array([span.parent for span in spans], np.int32),
        np.array([span.start_ns for span in spans], np.int64),
        np.array([span.end_ns for span in spans], np.int64),
        np.array(kind, np.int32),
        np.array([span.status_code == "ERROR" for span in spans], bool),
    )
    return {spans[row].span_id for row in np.flatnonzero(again >= 0)}

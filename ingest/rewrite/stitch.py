"""Traces that were cut where their context got lost, joined again: by a request id, by links, and by conversation if asked."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import duckdb
import pyarrow as pa

from overbudget.ingest.rewrite.fragments import Join, find_fragments
from overbudget.ingest.rewrite.recompute import recompute
from overbudget.store.dataset import open_dataset, private_file, sweep
from overbudget.store.lock import writing
from overbudget.store.tables import passing

MARK = "overbudget.stitched_from"  # on the span that was given a parent: the trace id that it had


@dataclass(frozen=True)
class _Span:
    """A span of a request whose request id occurs in several traces."""

    request: int
    trace_id: str
    span_id: str
    start: int
    end: int
    service: str
    kind: str
    peer: str | None
    calls_away: bool  # it has a child in another service already
    entry: bool


_SPANS = """
WITH cut AS (
    SELECT request_no, request_id, duration_ns, span_id,  -- of those with one id, only what runs at one time can be joined
        count_if(apart) OVER (PARTITION BY request_id ORDER BY start_ns, request_no ROWS UNBOUNDED PRECEDING) AS run
    FROM (SELECT *, coalesce(start_ns >= max(start_ns + duration_ns) OVER (PARTITION BY request_id ORDER BY start_ns, request_no
              ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS apart
          FROM requests WHERE request_id IS NOT NULL)
    QUALIFY count(*) OVER (PARTITION BY request_id) > 1
), away AS (
    SELECT DISTINCT t.trace_no, t.parent FROM data.tree t JOIN operations o USING (operation_id)
    JOIN data.tree p ON p.node = t.parent JOIN operations q ON q.operation_id = p.operation_id
    WHERE q.service_name <> o.service_name
)
SELECT (r.request_id, r.run), r.request_no, s.trace_id, s.span_id, t.start_ns, t.end_ns, o.service_name, o.kind, o.peer,
       away.parent IS NOT NULL, s.span_id = r.span_id
FROM cut r JOIN data.tree t USING (request_no) JOIN data.spans s USING (span_no)
JOIN operations o ON o.operation_id = t.operation_id LEFT JOIN away ON away.parent = t.node AND away.trace_no = t.trace_no
ORDER BY r.request_id, r.run, r.duration_ns DESC, r.request_no, t.node
"""


def find_joins(dataset: Path) -> list[Join]:
    """What a request id joins: requests of several services, each below the call that waited for it."""
    with closing(open_dataset(dataset)) as connection:
        rows = connection.execute(_SPANS).fetchall()
    found: list[Join] = []
    for _, group in groupby(rows, key=lambda row: row[0]):
        found += _joins([_Span(*row[1:]) for row in group])
    return found


def _joins(spans: Sequence[_Span]) -> Iterator[Join]:
    """The joins among requests of one request id, the longest first: each is joined to a span of one before it, if any fits."""
    requests = [list(those) for _, those in groupby(spans, key=lambda span: span.request)]
    outer = requests[0]
    trace_of = {requests[0][0].request: requests[0][0].trace_id}
    taken: set[tuple[int, str]] = set()
    for inner in requests[1:]:
        entry = next(span for span in inner if span.entry)
        trace_of[entry.request] = entry.trace_id
        callers = [
            (_fit(span, entry), span)
            for span in outer
            if _can_call(span, entry) and (span.request, span.span_id) not in taken
        ]
        if callers:
            caller = min(callers, key=lambda pair: pair[0])[1]
            taken.add((caller.request, caller.span_id))
            trace_of[entry.request] = trace_of[caller.request]
            yield Join(entry.request, trace_of[caller.request], caller.span_id)
        outer = [*outer, *inner]


def _can_call(span: _Span, entry: _Span) -> bool:
    """Whether `span` may have waited for `entry`: it is at least as long, and the two overlap."""
    lasts = span.end - span.start >= entry.end - entry.start
    overlap = span.start < entry.end and entry.start < span.end
    return (
        lasts and overlap and span.service != entry.service and not span.calls_away and span.trace_id != entry.trace_id
    )


def _fit(span: _Span, entry: _Span) -> tuple[int, bool, bool, int, str]:
    """How well `span` fits as the caller of `entry`, the smallest best: time outside it, peer, kind, duration."""
    sticks_out = max(0, span.start - entry.start) + max(0, entry.end - span.end)
    called = span.peer == entry.service
    return sticks_out, not called, span.kind not in ("CLIENT", "PRODUCER"), span.end - span.start, span.span_id


_JOIN = f"""
UPDATE data.spans s SET
    parent_span_id = if(s.span_id = r.span_id, j.parent, s.parent_span_id),
    attributes = if(s.span_id = r.span_id AND s.trace_id <> j.trace_id, list_append(list_filter(s.attributes, lambda e: e."key" <> '{MARK}'),
        {{'key': '{MARK}', 'value': s.trace_id}}), s.attributes),
    trace_id = j.trace_id
FROM data.tree t, joins j, requests r
WHERE t.span_no = s.span_no AND j.request = t.request_no AND r.request_no = t.request_no
"""


def stitch(dataset: Path, to: Path | None = None, by_conversation: bool = False) -> int:
    """Join what was cut, and compute everything anew; how many requests became part of another one's trace.

    Requests of other services are joined by their request id; pieces of a run by a request id, by links, and, because one
    conversation may be several runs, by that only if asked. The dataset is replaced when that is complete (or left as it was, if `to` is given). Spans keep their ids, times
    and attributes; those of a joined request get the trace id of the other, and its entry span a parent and the attribute
    `overbudget.stitched_from`.

    Errors: OverbudgetError where there is no such dataset, or it cannot be written.
    """
    to = to or dataset
    with writing(to):
        sweep(to)
        with private_file(to) as joined:  # published when both are done
            cut = find_joins(dataset)
            _store_joins(cut, dataset, joined)
            pieces = find_fragments(joined, by_conversation)
            if pieces:
                _store_joins(pieces, joined, joined)
    return len(cut) + sum(not one.starts for one in pieces)


def _store_joins(joins: Sequence[Join], dataset: Path, to: Path) -> None:
    def join(connection: duckdb.DuckDBPyConnection) -> None:
        with passing(connection, joins=pa.Table.from_pylist([vars(one) for one in joins])):
            connection.execute(_JOIN)

    recompute(dataset, to, join if joins else None)

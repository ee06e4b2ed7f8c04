"""Pieces of one run that are traces of their own: which run each belongs to, and below which of its spans.

A piece is a request whose entry is a model or tool call that no server was asked for (docs/reference/method.md, Trace
health). Its run is known by a request id it shares, by a link, or by a conversation; the run is a request that is none of
the pieces and runs when the piece begins, or ended within a second before. Where two run then, nobody knows which it is.
Pieces that follow one another without such a request get a parent in common, which is in no dump: they become one
incomplete request.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from overbudget.stages.entry_spans import FOLLOWS_NS, STEPS
from overbudget.store.dataset import open_dataset


@dataclass(frozen=True)
class Join:
    """A request that becomes part of the trace `trace_id`, below its span `parent`; `starts` where it is of that trace already,
    the first piece of a run whose own span is in no dump."""

    request: int
    trace_id: str
    parent: str
    starts: bool = False


# `members` are the requests of every run that could be: `key` says by what, `rank` how good that evidence is.
_RUNS = f"""
WITH RECURSIVE {STEPS}, every AS MATERIALIZED (
    SELECT r.request_no, r.trace_id, r.request_id, r.conversation_id, r.start_ns, r.start_ns + r.duration_ns AS end_ns,
        r.request_no IN (SELECT request_no FROM steps) AS step
    FROM requests r WHERE r.entry <> 'missing'
), linked AS (
    SELECT f.request_no, arg_max(l.request_no, (l.start_ns, l.request_no)) AS to_request
    FROM steps f JOIN data.links k USING (span_no)
    JOIN data.spans s ON s.trace_id = k.linked_trace_id AND s.span_id = k.linked_span_id AND s.trace_id <> f.trace_id
    JOIN data.tree t ON t.span_no = s.span_no JOIN every l ON l.request_no = t.request_no
    WHERE f.start_ns >= s.start_ns AND f.start_ns <= s.end_ns + {FOLLOWS_NS} GROUP BY f.request_no
), upwards AS (
    SELECT request_no, to_request AS top FROM linked
    UNION
    SELECT u.request_no, l.to_request FROM upwards u JOIN linked l ON l.request_no = u.top
), tops AS (
    SELECT request_no, top FROM upwards ANTI JOIN linked l ON l.request_no = upwards.top
), members AS MATERIALIZED (
    SELECT request_no, trace_id, start_ns, end_ns, step, 1 AS rank, 'id ' || request_id AS key FROM every WHERE request_id IS NOT NULL
    UNION ALL
    SELECT e.request_no, trace_id, start_ns, end_ns, step, 2, 'link ' || t.top FROM every e
    JOIN (FROM tops UNION SELECT top, top FROM tops) t ON t.request_no = e.request_no
    UNION ALL
    SELECT request_no, trace_id, start_ns, end_ns, step, 3, 'conversation ' || conversation_id FROM every
    WHERE conversation_id IS NOT NULL AND $by_conversation
), hosts AS (
    SELECT key, request_no, trace_id, start_ns, end_ns, max(end_ns) OVER before AS other_end_ns,
        arg_max(request_no, end_ns) OVER upto AS longest, max(end_ns) OVER upto AS longest_end_ns
    FROM members WHERE NOT step
    WINDOW before AS (PARTITION BY key ORDER BY start_ns, request_no ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        upto AS (PARTITION BY key ORDER BY start_ns, request_no ROWS UNBOUNDED PRECEDING)
), placed AS (
    SELECT m.*, CASE WHEN h.request_no IS NULL OR m.start_ns > h.longest_end_ns + {FOLLOWS_NS} THEN NULL
        WHEN m.start_ns < h.end_ns AND m.start_ns < h.other_end_ns THEN -1
        WHEN m.start_ns < h.end_ns THEN h.request_no ELSE h.longest END AS host
    FROM (FROM members WHERE step) m ASOF LEFT JOIN hosts h ON m.key = h.key AND m.start_ns >= h.start_ns
), begins AS (
    SELECT *, start_ns > {FOLLOWS_NS} + max(end_ns) OVER (PARTITION BY key ORDER BY start_ns, request_no
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS apart
    FROM placed WHERE host IS NULL
), alone AS (
    SELECT *, count_if(coalesce(apart, false)) OVER (PARTITION BY key ORDER BY start_ns, request_no ROWS UNBOUNDED PRECEDING) AS run
    FROM begins
), together AS (
    SELECT request_no, rank, key || ' ' || run AS run, first(trace_id) OVER this AS trace_id
    FROM alone
    WINDOW this AS (PARTITION BY key, run ORDER BY start_ns, request_no ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    QUALIFY count(*) OVER this > 1
), runs AS (
    SELECT request_no, rank, host, NULL::VARCHAR AS run, NULL::VARCHAR AS trace_id FROM placed WHERE host >= 0
    UNION ALL
    SELECT request_no, rank, NULL, run, trace_id FROM together
), best AS (
    SELECT * FROM runs QUALIFY row_number() OVER (PARTITION BY request_no ORDER BY rank) = 1
), below AS (
    SELECT b.request_no, arg_max(s.span_id, (t.start_ns, t.node)) AS parent
    FROM best b JOIN steps f USING (request_no) JOIN data.tree t ON t.request_no = b.host JOIN operations o USING (operation_id)
    JOIN data.spans s ON s.span_no = t.span_no
    WHERE t.start_ns <= f.start_ns AND t.end_ns >= f.end_ns AND o.stage IS DISTINCT FROM 'inference' AND o.stage IS DISTINCT FROM 'tools'
    GROUP BY b.request_no
)
SELECT b.request_no, coalesce(h.trace_id, b.trace_id), coalesce(w.parent, h.span_id, left(md5(b.run || b.trace_id), 16)),
    coalesce(r.trace_id = b.trace_id, false)
FROM best b JOIN requests r USING (request_no) LEFT JOIN requests h ON h.request_no = b.host LEFT JOIN below w ON w.request_no = b.request_no ORDER BY b.request_no
"""


def find_fragments(dataset: Path, by_conversation: bool) -> list[Join]:
    """Where each piece of a run belongs; by what conversations they share only where that is asked for."""
    with closing(open_dataset(dataset)) as connection:
        rows = connection.execute(_RUNS, {"by_conversation": by_conversation}).fetchall()
    return [Join(*row) for row in rows]

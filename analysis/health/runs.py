"""Traces that are less than one run, and traces that are many runs (docs/reference/method.md, Trace health)."""

import json

import duckdb

from overbudget.analysis.health.problem import MOST_SERVICES, Problem, Warned
from overbudget.stages.entry_spans import FOLLOWS_NS, STEPS

LEAST_TURNS = 3  # of a session
WAITS = 0.5  # least share of a session's time in which nothing runs

_FRAGMENTS = f"""
WITH {STEPS}, traces AS (
    SELECT conversation_id, trace_id, min(start_ns) AS start_ns, max(start_ns + duration_ns) AS end_ns
    FROM requests WHERE conversation_id IS NOT NULL GROUP BY ALL
), near AS (
    SELECT trace_id, conversation_id FROM traces QUALIFY
        start_ns <= {FOLLOWS_NS} + max(end_ns) OVER (PARTITION BY conversation_id ORDER BY start_ns, end_ns, trace_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        OR lead(start_ns) OVER (PARTITION BY conversation_id ORDER BY start_ns, end_ns, trace_id) <= end_ns + {FOLLOWS_NS}
), cut AS (
    SELECT request_id FROM requests WHERE request_id IS NOT NULL GROUP BY request_id HAVING count(DISTINCT trace_id) > 1
), linked AS (
    SELECT f.request_no FROM steps f JOIN data.links l USING (span_no)
    JOIN data.spans s ON s.trace_id = l.linked_trace_id AND s.span_id = l.linked_span_id AND s.trace_id <> f.trace_id
    WHERE f.start_ns >= s.start_ns AND f.start_ns <= s.end_ns + {FOLLOWS_NS}
)
SELECT f.trace_id, f.span_id, f.service_name FROM steps f
WHERE ((f.trace_id, f.conversation_id) IN (SELECT (trace_id, conversation_id) FROM near)
       OR f.request_no IN (FROM linked))
    AND f.request_no NOT IN (SELECT request_no FROM requests JOIN cut USING (request_id))
"""
# Sessions wait: turns of one kind, each with a model call, are a second or more apart, and nothing runs between them.
_SESSIONS = f"""
WITH slow AS (
    SELECT request_no, trace_id, span_id, service_name, start_ns, duration_ns FROM requests
    WHERE duration_ns > {LEAST_TURNS * FOLLOWS_NS} AND entry <> 'missing' AND request_no IN
        (SELECT request_no FROM data.tree GROUP BY request_no HAVING count(*) > {LEAST_TURNS})
), roots AS (
    SELECT r.*, t.node FROM slow r JOIN data.tree t USING (request_no) JOIN data.spans s USING (span_no)
    JOIN data.segments g ON g.request_no = r.request_no AND g.span_no = t.span_no
    WHERE s.span_id = r.span_id AND s.trace_id = r.trace_id
    GROUP BY ALL HAVING sum(g.end_ns - g.start_ns) > {WAITS} * r.duration_ns
), turns AS (
    SELECT r.request_no, r.trace_id, r.span_id, r.service_name, o.name, c.start_ns, c.end_ns,
        lead(c.start_ns) OVER (PARTITION BY r.request_no, o.name ORDER BY c.start_ns, c.node) - c.end_ns AS pause_ns,
        EXISTS (FROM data.tree k JOIN data.stages g USING (stage_id) WHERE k.request_no = r.request_no AND g.stage = 'inference'
                AND k.start_ns >= c.start_ns AND k.end_ns <= c.end_ns) AS answers
    FROM roots r JOIN data.tree c ON c.parent = r.node JOIN operations o USING (operation_id)
)
SELECT trace_id, span_id, service_name, name FROM turns GROUP BY request_no, trace_id, span_id, service_name, name
HAVING count(*) >= {LEAST_TURNS} AND median(pause_ns) >= {FOLLOWS_NS} AND min(pause_ns) >= 0 AND bool_and(answers)
"""


# Requests whose request id a longer request in another trace has too. Several like the longest (same service and route)
# are no pieces of it: a client that tries again, or an id that is not one request's.
CUT = f"""
WITH {STEPS}
SELECT trace_id, span_id, service_name FROM requests WHERE request_id IS NOT NULL
WINDOW longest AS (PARTITION BY request_id ORDER BY duration_ns DESC, request_no)
QUALIFY trace_id <> first(trace_id) OVER longest AND (
    request_no IN (SELECT request_no FROM steps)
    OR service_name <> first(service_name) OVER longest OR route <> first(route) OVER longest)
"""


def warned_of_runs(connection: duckdb.DuckDBPyConnection) -> tuple[Warned, ...]:
    """How many requests are known to be less than one run, or more than one; percentiles include them anyway.

    The codes are those of the audit: `fragments`, `lost_context`, `session_root`; only what occurs.
    """
    kinds = {
        "fragments": _FRAGMENTS,
        "lost_context": CUT,
        "session_root": f"SELECT DISTINCT trace_id, span_id FROM ({_SESSIONS})",
    }
    counts = {code: connection.sql(f"SELECT count(*) FROM ({sql})").fetchall()[0][0] for code, sql in kinds.items()}
    return tuple(Warned(code, count) for code, count in counts.items() if count)


def fragments(connection: duckdb.DuckDBPyConnection) -> Problem:
    """Model and tool calls that are separate traces although they are parts of one run.

    They share a conversation with another trace, or link to a span of one, and follow it within a second.
    """
    return _problem(
        connection,
        _FRAGMENTS,
        "fragments",
        "Single model and tool calls are separate traces although they belong to one run: they share a conversation with "
        "another trace, or link to it, and follow it within a second. Each counts as a request, so percentiles of the whole "
        "request are those of single steps.",
        "Run the steps in the context of the run's span, also across threads and tasks (in Python: contextvars.copy_context, "
        "opentelemetry.context.attach). What is cut already can be joined: overbudget audit DATASET --stitch --by conversation.",
    )


def session_roots(connection: duckdb.DuckDBPyConnection) -> Problem:
    """Root spans that last for a session of many turns, so that a request lasts as long as the session."""
    found = connection.sql(_SESSIONS).fetchall()
    turn = (
        max({row[3] for row in found}, key=lambda name: (sum(row[3] == name for row in found), name)) if found else ""
    )
    rule = f"[request]\nmatch = {{ name = {json.dumps(turn, ensure_ascii=False)} }}"
    return _problem(
        connection,
        f"SELECT DISTINCT trace_id, span_id, service_name FROM ({_SESSIONS})",
        "session_root",
        f"Requests look like whole sessions (a websocket, a call): {LEAST_TURNS} or more turns with a second or more between them, "
        "in which nothing runs. Their latency is the length of the session.",
        f"Make each turn a request in the budget file: {rule}",
    )


def _problem(connection: duckdb.DuckDBPyConnection, sql: str, code: str, means: str, remedy: str) -> Problem:
    count, example, services = connection.execute(
        f"""WITH cases AS MATERIALIZED ({sql}), named AS (
                SELECT service_name FROM cases GROUP BY ALL ORDER BY count(*) DESC, service_name LIMIT {MOST_SERVICES})
            SELECT (SELECT count(*) FROM cases), (SELECT min((trace_id, span_id)) FROM cases), (SELECT list(service_name) FROM named)"""
    ).fetchall()[0]
    shown = f"trace {example[0]}, span {example[1]}" if count else ""
    return Problem(code, count, shown, tuple(services or ()), means, remedy)

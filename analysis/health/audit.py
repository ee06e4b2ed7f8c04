"""Can the traces be trusted? Every problem they have, what it means, and how to repair it (docs/reference/method.md, Trace health)."""

from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from overbudget.analysis.health.problem import MOST_SERVICES, Problem
from overbudget.analysis.health.runs import CUT, fragments, session_roots
from overbudget.analysis.health.unclassified import agents_without_calls, unclassified
from overbudget.stages.attribute_keys import OUTPUT_TOKEN_KEYS, REQUEST_ID_KEYS
from overbudget.stages.names import MISSING_SCOPE, MUCH_UNATTRIBUTED, UNATTRIBUTED

REGULAR_SHARE = 0.9  # a stage that so many of a route's requests have is expected in all of them
LEAST_REQUESTS = 20  # of a route, to expect a stage in all of them
MOST_OPERATIONS = 3  # with ids in their names, that are named
STREAMING_KEY = r"(^|[._])(is_)?stream(ing)?$"  # gen_ai.request.stream, gen_ai.request.is_stream, llm.is_streaming, …
COVERS = 0.9  # of its parent: a span that covers more may be a heartbeat


@dataclass(frozen=True)
class Audit:
    """What is wrong with the traces of a dataset, the most frequent problem first."""

    requests: int
    complete: int
    problems: tuple[Problem, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists with the keys of docs/reference/json.md."""
        return asdict(self)


@dataclass(frozen=True)
class _Check:
    """`sql` gives a row for each case: trace_id, span_id (or NULL), and the service responsible (or NULL)."""

    code: str
    sql: str
    means: str
    remedy: str


_SPAN = "SELECT s.trace_id, s.span_id, o.service_name FROM data.spans s JOIN operations o USING (operation_id)"
_NODE = f"{_SPAN} JOIN data.tree t USING (span_no)"

_STREAM_NOT_COVERED = f"""WITH streamed AS (
        SELECT s.span_no, s.trace_id, s.span_id, o.service_name FROM data.spans s JOIN operations o USING (operation_id)
        WHERE o.stage = 'inference' AND len(list_filter(s.attributes, lambda entry:
                regexp_matches(entry."key", '{STREAMING_KEY}') AND lower(entry."value") = 'true')) > 0
            AND len(list_filter(s.attributes, lambda entry: entry."key" IN {OUTPUT_TOKEN_KEYS})) = 0
    ), last AS (
        SELECT request_no, max(end_ns) AS end_ns FROM data.tree
        WHERE node NOT IN (SELECT parent FROM data.tree) GROUP BY request_no
    )
    SELECT s.trace_id, s.span_id, s.service_name FROM streamed s JOIN data.tree t USING (span_no)
    JOIN last USING (request_no) JOIN requests r USING (request_no)
    WHERE t.end_ns >= last.end_ns AND r.start_ns + r.duration_ns - t.end_ns > t.end_ns - t.start_ns"""

_CHECKS = (
    _Check(
        "orphan_span",
        f"""{_NODE} LEFT JOIN requests r ON r.request_no = t.request_no AND r.trace_id = s.trace_id AND r.span_id = s.span_id
            WHERE t.parent = -2 AND r.request_no IS NULL""",
        "Spans name a parent that is not in the data: their work is known, but not what waited for it.",
        "Export every service that takes part, and sample by trace (parent-based or tail sampling), never by span.",
    ),
    _Check(
        "no_root",
        "SELECT trace_id, span_id, service_name FROM requests WHERE entry = 'missing'",
        "Traces have no root: the span that all others name as their parent was never exported. Each such parent counts as "
        "one incomplete request, from its first child's start to its last child's end.",
        "End the span of the request itself, also where it fails, and flush the exporter before the process stops; where its "
        "service exports elsewhere, ingest that export too: overbudget ingest DUMP --append.",
    ),
    _Check(
        "clipped",
        f"{_NODE} LEFT JOIN data.skew k USING (span_no) WHERE t.start_ns <> s.start_ns + coalesce(k.skew_ns, 0)",
        "Spans start before their parent in the same service: their time before the parent's start is cut off.",
        "Start the parent's span before the work it covers, or give late spans the parent that waited for them.",
    ),
    _Check(
        "multiple_roots",
        f"""{_NODE} WHERE t.parent = -1 AND t.trace_no IN
            (SELECT trace_no FROM data.tree WHERE parent = -1 GROUP BY trace_no HAVING count(*) > 1)""",
        "Traces have several root spans, and each counts as a request of its own.",
        "Start one span for the whole request and make the others its children; start a new trace for unrelated work.",
    ),
    _Check(
        "lost_context",
        CUT,
        "Requests carry the request id of a longer one in another trace: the trace was cut where its context did not reach the "
        "next service, and each piece counts as a request of its own.",
        "Pass the traceparent header on with every call, and extract it in the service that is called. "
        "Traces that are cut already can be joined: overbudget audit DATASET --stitch.",
    ),
    _Check(
        "request_id_stops",
        f"""WITH carrying AS (
                SELECT DISTINCT t.request_no, o.service_name FROM data.tree t JOIN data.spans s USING (span_no)
                JOIN operations o ON o.operation_id = t.operation_id
                WHERE len(list_filter(s.attributes, lambda entry: entry."key" IN {REQUEST_ID_KEYS})) > 0
            ), knowing AS (SELECT DISTINCT request_no FROM carrying)
            SELECT s.trace_id, s.span_id, o.service_name FROM data.tree t JOIN knowing USING (request_no)
            JOIN data.spans s USING (span_no) JOIN operations o ON o.operation_id = t.operation_id
            LEFT JOIN carrying c ON c.request_no = t.request_no AND c.service_name = o.service_name
            WHERE o.kind IN ('SERVER', 'CONSUMER') AND c.request_no IS NULL""",
        "Services are called without the request id that their callers record: their logs cannot be joined with the request.",
        "Pass the request id on with every call, and record it on the span of the called service.",
    ),
    _Check(
        "no_end",
        f"{_SPAN} WHERE s.end_ns IS NULL AND o.scope_name <> '{MISSING_SCOPE}'",
        "Spans have no end: they were exported while they ran, or their process died. Their requests are incomplete.",
        "End spans in a finally block or a context manager, and flush the exporter when the process stops.",
    ),
    _Check(
        "negative_duration",
        f"{_SPAN} WHERE s.end_ns < s.start_ns",
        "Spans end before they start: a clock was set back. They count as having no length.",
        "Take the times of one span from a monotonic clock, as the SDKs do by default.",
    ),
    _Check(
        "clock_skew",
        f"{_SPAN} JOIN data.skew USING (span_no)",
        "Spans lie outside their parents in another service, so the clocks of the two differ. They were shifted.",
        "Synchronise the clocks of the machines (NTP or PTP).",
    ),
    _Check(
        "missing_stage",
        f"""WITH seen AS (
                SELECT r.route, r.request_no, t.stage_id FROM requests r JOIN data.stage_time t USING (request_no)
                JOIN data.stages s USING (stage_id) WHERE s.stage <> '{UNATTRIBUTED}' AND t.span_count > 0
            ), routes AS (SELECT route, count(*) AS n FROM requests GROUP BY route HAVING count(*) >= {LEAST_REQUESTS}),
            regular AS (
                SELECT route, stage_id FROM seen JOIN routes USING (route) GROUP BY route, stage_id, n
                HAVING count(*) >= {REGULAR_SHARE} * n AND count(*) < n
            )
            SELECT DISTINCT r.trace_id, r.span_id, r.service_name FROM requests r JOIN regular USING (route)
            LEFT JOIN seen ON seen.request_no = r.request_no AND seen.stage_id = regular.stage_id WHERE seen.request_no IS NULL""",
        "Requests lack a stage that nearly all of their route have: it failed, was skipped, or its spans are lost.",
        "Look at an example; where the work was done, see that its spans are exported and classified.",
    ),
    _Check(
        "unattributed_time",
        f"""SELECT r.trace_id, r.span_id, r.service_name FROM requests r JOIN data.stage_time t USING (request_no)
            JOIN data.stages s USING (stage_id)
            WHERE s.stage = '{UNATTRIBUTED}' AND t.stage_ns > {MUCH_UNATTRIBUTED} * r.duration_ns
                AND r.trace_id NOT IN (SELECT trace_id FROM ({_STREAM_NOT_COVERED}))""",
        f"Requests spend more than {MUCH_UNATTRIBUTED:.0%} of their time in no span of a known stage.",
        "Instrument what runs there, or name its spans in the budget's `match` rules.",
    ),
    _Check(
        "adopted_tool",
        f"""{_NODE} JOIN data.tree p ON p.node = t.parent JOIN data.spans above ON above.span_no = p.span_no
            WHERE above.span_id <> s.parent_span_id""",
        "Tool calls are recorded as siblings of the model call that waited for them: they count as its children.",
        "Start the tool's span in the context of the model call that asked for it.",
    ),
    _Check(
        "covering_span",
        f"""SELECT s.trace_id, s.span_id, o.service_name FROM data.tree t JOIN data.tree p ON p.node = t.parent
            JOIN operations o ON o.operation_id = t.operation_id JOIN data.spans s ON s.span_no = t.span_no
            WHERE o.stage IS NULL AND p.request_no >= 0
                AND least(t.end_ns, p.end_ns) - t.start_ns > {COVERS} * (p.end_ns - p.start_ns)
                AND NOT EXISTS (FROM data.tree c WHERE c.parent = t.node)
                AND EXISTS (FROM data.tree c JOIN operations k USING (operation_id)
                            WHERE c.parent = t.parent AND k.stage IS NOT NULL)""",
        f"Spans without a stage or children of their own cover more than {COVERS:.0%} of a parent whose other children have "
        "stages: they take the time that no other child explains.",
        "If nothing waits for them, as for a heartbeat, name them in the budget file: [background] match = { name = \"…\" }.",
    ),
    _Check(
        "stream_not_covered",
        _STREAM_NOT_COVERED,
        "Model calls marked as streaming end without output tokens, and then their requests run longer than the calls did, with "
        "nothing recorded: the call's span does not cover the stream, so its time is unattributed.",
        "End the span of a streamed call when its last token has arrived, not when the stream is returned: "
        "check whether a newer version of the instrumentation does so.",
    ),
    _Check(
        "outlived_request",
        """SELECT s.trace_id, s.span_id, o.service_name FROM data.tree t
            JOIN requests r USING (request_no) JOIN data.spans s USING (span_no)
            JOIN operations o ON o.operation_id = t.operation_id
            WHERE t.end_ns > r.start_ns + r.duration_ns""",
        "Spans continue after their request has ended: background work, or an answer that is still streaming.",
        "Nothing, if that is intended; if the user waits for it, end the request's span when the answer is complete.",
    ),
)  # fmt: skip


def audit(connection: duckdb.DuckDBPyConnection) -> Audit:
    """Every problem that occurs. Looks at all requests, incomplete ones too."""
    requests, complete = connection.execute("SELECT count(*), count(*) FILTER (complete) FROM requests").fetchall()[0]
    problems = [_found(connection, check) for check in _CHECKS]
    problems += [_duplicates(connection), _ids_in_names(connection), fragments(connection), session_roots(connection)]
    problems += [unclassified(connection), agents_without_calls(connection)]
    there = [problem for problem in problems if problem.count]
    return Audit(requests, complete, tuple(sorted(there, key=lambda problem: (-problem.count, problem.code))))


def _found(connection: duckdb.DuckDBPyConnection, check: _Check) -> Problem:
    count, trace_id, span_id = connection.execute(
        f"SELECT count(*), arg_min(trace_id, trace_id), arg_min(span_id, trace_id) FROM ({check.sql})"
    ).fetchall()[0]
    services = connection.execute(
        f"SELECT service_name FROM ({check.sql}) GROUP BY ALL ORDER BY count(*) DESC, service_name LIMIT {MOST_SERVICES}"
        if count
        else "SELECT '' LIMIT 0"
    ).fetchall()
    example = f"trace {trace_id}, span {span_id}" if count else ""
    return Problem(check.code, count, example, tuple(name for (name,) in services), check.means, check.remedy)


def _duplicates(connection: duckdb.DuckDBPyConnection) -> Problem:
    """Spans that were sent twice are stored once; ingest counted them."""
    rows = connection.execute(
        """SELECT w.count, w.example FROM (SELECT unnest(warnings) AS w FROM ingest_report)
           WHERE w.code IN ('duplicate_span', 'conflicting_duplicate') ORDER BY w.count DESC"""
    ).fetchall()
    return Problem(
        "duplicate_span",
        sum(count for count, _ in rows),
        rows[0][1] if rows else "",
        (),
        "Spans were sent more than once; they are stored once.",
        "Check whether two collectors or exporters send the same spans; retries after a timeout can do so too.",
    )


def _ids_in_names(connection: duckdb.DuckDBPyConnection) -> Problem:
    """Names whose ids were masked, the operations that have most of them first."""
    names, example, services, operations = connection.execute(
        f"""WITH masked AS (
                SELECT o.service_name, o.name AS operation, s.name, min((s.trace_id, s.span_id)) AS seen
                FROM data.spans s JOIN operations o USING (operation_id)
                WHERE s.name IS NOT NULL AND o.scope_name <> '{MISSING_SCOPE}' GROUP BY ALL
            ), per_operation AS (
                SELECT service_name, operation, count(*) AS names FROM masked GROUP BY ALL
                ORDER BY names DESC, service_name, operation
            )
            SELECT (SELECT count(*) FROM masked),
                (SELECT arg_min('`' || name || '`, trace ' || seen[1] || ', span ' || seen[2], (seen, name)) FROM masked),
                (SELECT list(DISTINCT service_name ORDER BY service_name)[:{MOST_SERVICES}] FROM masked),
                (SELECT list(operation || ' of ' || service_name)[:{MOST_OPERATIONS}] FROM per_operation)"""
    ).fetchall()[0]
    return Problem(
        "ids_in_names",
        names,
        example or "",
        tuple(services or ()),
        "Span names carry ids, such as numbers, UUIDs or addresses. They are masked as {id}, so that equal work counts as one "
        f"operation: {', '.join(operations or ())}{' and others' if len(operations or ()) == MOST_OPERATIONS else ''}.",
        "Name spans by what they do, as in `GET /orders/{order}`, and put the id into an attribute: tools that do not mask "
        "names count an operation for every id.",
    )

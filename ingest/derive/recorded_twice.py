"""Model calls that are recorded twice: by a framework and the client it calls, or by two instrumentations at once."""

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.ingest.write.facts import FACT_NAMES
from overbudget.kernels.arrow import numbers
from overbudget.kernels.columns import I32, I64, Bool, Tree
from overbudget.store.tables import passing

ALIKE = 0.9  # share of the longer of two calls that must overlap, for their intervals to count as the same

_TOKENS = f"fact IN ({FACT_NAMES.index('input_tokens')}, {FACT_NAMES.index('output_tokens')})"
_RECORDS = f"SELECT DISTINCT node FROM facts JOIN calls USING (span_no) WHERE {_TOKENS}"
_FACTS = ("response_id", "model", "input_tokens", "output_tokens")
_SAID = f"""
WITH told AS (
    SELECT span_no, {", ".join(f"nullif(max(value) FILTER (fact = {FACT_NAMES.index(name)}), '') AS {name}" for name in _FACTS)}
    FROM facts SEMI JOIN calls USING (span_no)
    WHERE fact IN ({", ".join(str(FACT_NAMES.index(name)) for name in _FACTS)}) GROUP BY span_no
), outermost AS (
    SELECT c.*, o.scope_name AS scope, told.* EXCLUDE (span_no),
        max((end_ns, start_ns, node)) OVER (PARTITION BY request_no, cluster, o.scope_name) AS scope_ends
    FROM told JOIN calls c USING (span_no) JOIN operations o USING (operation_id)
)
"""
# Of the records of a call that of the scope whose calls end last stands for it, and of one scope the record that ends last: it
# is the one that the critical path goes through. A response that comes from a cache carries the id of the call that first
# gave it, but runs later: so records of one call overlap.
_TWICE = f"""{_SAID}, twice AS (
SELECT b.node, a.node AS stands_for FROM outermost a JOIN outermost b ON a.request_no = b.request_no AND a.cluster = b.cluster
    AND a.response_id = b.response_id
WHERE (a.scope_ends, a.end_ns, a.start_ns, a.node) > (b.scope_ends, b.end_ns, b.start_ns, b.node)
UNION
SELECT b.node, a.node AS stands_for FROM outermost a JOIN outermost b ON a.request_no = b.request_no AND a.cluster = b.cluster
    AND a.input_tokens = b.input_tokens AND a.output_tokens = b.output_tokens
WHERE a.scope_ends > b.scope_ends AND (a.response_id IS NULL OR b.response_id IS NULL)
    AND (starts_with(a.model, b.model) OR starts_with(b.model, a.model))
    AND least(a.end_ns, b.end_ns) - greatest(a.start_ns, b.start_ns)
        >= {ALIKE} * greatest(a.end_ns - a.start_ns, b.end_ns - b.start_ns)
)
SELECT node, min(stands_for) AS stands_for FROM twice WHERE stands_for NOT IN (SELECT node FROM twice) GROUP BY node
"""


def calls_that_count(
    connection: duckdb.DuckDBPyConnection, tree: Tree, span_no: I32, request_of: I32, inference: Bool, tools: Bool
) -> tuple[Bool, I32]:
    """The inference spans whose tokens count, one for each call (docs/reference/method.md, From spans to requests): bool[nodes],
    and for each other record of such a call the node that stands for it: int32[nodes], -1 for none.

    Of nested spans the outermost that records tokens counts, or, where none does, the outermost; calls inside a tool call
    (`tools`) are separate from those around it. Of other spans of one request that overlap, those with the same response id
    are one call, and so are those from different scopes with the same model, interval and tokens. Needs the temporary table
    `facts`.
    """
    counts, stands_for = inference.copy(), np.full(len(inference), -1, np.int32)
    calls, cluster = _overlapping(
        tree.start, tree.end, request_of, np.flatnonzero(inference & (request_of >= 0)).astype(np.int32)
    )
    if len(calls) == 0:
        return counts, stands_for
    columns = pa.table(
        {
            "node": calls,
            "span_no": span_no[calls],
            "operation_id": tree.operation[calls],
            "request_no": request_of[calls],
            "cluster": cluster,
            "start_ns": tree.start[calls],
            "end_ns": tree.end[calls],
        }
    )
    records = np.zeros(len(counts), bool)
    with passing(connection, calls=columns):
        records[numbers(connection.sql(_RECORDS).to_arrow_table()["node"])] = True
    parent = np.where(tools, -1, tree.parent)
    nested = np.zeros(len(counts), bool)
    nested[_below_another(parent, calls, inference)] = True
    counts[calls] = records[calls] | ~(nested | _holds(parent, calls, records))[calls]
    counts[_below_another(parent, calls, records)] = False
    outermost = counts[calls] & records[calls]
    outermost &= np.bincount(cluster[outermost], minlength=int(cluster.max()) + 1)[cluster] > 1
    if outermost.any():
        with passing(connection, calls=columns.filter(pa.array(outermost))):
            twice = connection.sql(_TWICE).to_arrow_table()
        again = numbers(twice["node"])
        counts[again], stands_for[again] = False, numbers(twice["stands_for"])
    return counts, stands_for


def _overlapping(start: I64, end: I64, request_of: I32, calls: I32) -> tuple[I32, I32]:
    """The `calls` that overlap another one of their request, and the number of each one's group of overlapping calls."""
    calls = calls[np.lexsort((start[calls], request_of[calls]))]
    request = request_of[calls].astype(np.int64)
    if len(calls) == 0:
        return calls, request.astype(np.int32)
    by_end = np.argsort(end[calls], kind="stable")
    rank = np.empty(len(calls), np.int64)
    rank[by_end] = np.arange(len(calls))
    latest = np.maximum.accumulate(request * len(calls) + rank)
    same = request[1:] == request[:-1]
    overlaps = same & (start[calls][1:] < end[calls][by_end][latest[:-1] - request[:-1] * len(calls)])
    cluster = np.cumsum(np.append(True, ~overlaps)).astype(np.int32)
    several = np.append(False, overlaps) | np.append(overlaps, False)
    return calls[several], cluster[several]


def _below_another(parent: I32, calls: I32, records: Bool) -> I32:
    """The `calls` below a span that `records` tokens."""
    found = [np.zeros(0, np.int32)]
    here, above = calls, parent[calls]
    while len(here):
        inside = above >= 0
        here, above = here[inside], above[inside]
        found.append(here[records[above]])
        here, above = here[~records[above]], parent[above[~records[above]]]
    return np.concatenate(found)


def _holds(parent: I32, calls: I32, records: Bool) -> Bool:
    """bool[nodes]: whether a call below `records` tokens."""
    holds = np.zeros(len(parent), bool)
    above = parent[calls[records[calls]]]
    while len(above := above[above >= 0]):
        above = np.unique(above[~holds[above]])
        holds[above] = True
        above = parent[above]
    return holds

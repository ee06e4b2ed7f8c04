"""An operation's typical duration: its median, and the rank of one span among all of its operation."""

from dataclasses import dataclass

import duckdb

from overbudget.analysis.trace.result import Trace


@dataclass(frozen=True)
class Typical:
    """A span compared with all spans of its operation that have an end: their number, their median (ns), and the share
    of them that is shorter (equal ones count half)."""

    spans: int
    median_ns: int
    rank: float


LEAST = 20  # spans, to know what is typical

_RANKS = """
WITH asked AS (
    SELECT s.span_id, t.operation_id, t.end_ns - t.start_ns AS ns FROM data.spans s JOIN data.tree t USING (span_no)
    WHERE s.trace_id = $trace
), every AS (
    SELECT operation_id, end_ns - start_ns AS ns FROM data.tree
    WHERE operation_id IN (SELECT operation_id FROM asked)
), counted AS (
    SELECT operation_id, count(*) AS spans, median(ns)::BIGINT AS median_ns FROM every GROUP BY ALL HAVING count(*) >= $least
), equal AS (
    SELECT operation_id, ns, count(*) AS n FROM every GROUP BY ALL
), shorter AS (
    SELECT *, sum(n) OVER (PARTITION BY operation_id ORDER BY ns) AS up_to FROM equal
)
SELECT a.span_id, c.spans, c.median_ns, (s.up_to - s.n / 2) / c.spans
FROM asked a JOIN counted c USING (operation_id) JOIN shorter s USING (operation_id, ns)
"""


def typical_durations(connection: duckdb.DuckDBPyConnection, trace: Trace) -> dict[str, Typical]:
    """By span id; spans of operations that occur fewer than 20 times are left out."""
    rows = connection.execute(_RANKS, {"trace": trace.trace_id, "least": LEAST}).fetchall()
    return {span_id: Typical(spans, median, float(rank)) for span_id, spans, median, rank in rows}

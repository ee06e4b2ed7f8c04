"""What passes before the first token of requests' answers: the critical path up to that instant, by operation."""

from dataclasses import dataclass
from typing import NamedTuple

import duckdb
import numpy as np

from overbudget.analysis.requests.table import F64, I64, RequestTable
from overbudget.kernels.arrow import coded, numbers, table_of
from overbudget.stages.server_queue import QUEUE
from overbudget.stages.waits_for_person import USER
from overbudget.store.tables import passing

DEEPEST = 16  # levels between a span that takes time and the model call that it is part of

# The stage of a segment under a budget's own rules is that of its span in `ruled`; but a wait in a queue that a server
# reports inside a call stays one.
_PIECES = """
WITH RECURSIVE pieces AS (
    SELECT g.span_no, {stage} AS stage, o.service_name, o.name, coalesce(p.place, '') AS hop_to,
        sum(w.weight * (least(g.end_ns, w.until_ns) - g.start_ns)) AS mean_ns
    FROM data.segments g JOIN cohort w USING (request_no) JOIN operations o USING (operation_id) {join}
        LEFT JOIN data.places p ON p.place_id = g.hop_to_id
    WHERE g.start_ns < w.until_ns AND {stage} <> {user} GROUP BY ALL
), above AS (
    SELECT t.span_no, t.node, 0 AS level FROM data.tree t SEMI JOIN pieces USING (span_no)
    UNION ALL
    SELECT a.span_no, t.parent, a.level + 1 FROM above a JOIN data.tree t USING (node)
    WHERE t.parent >= 0 AND a.level < {deepest} AND NOT EXISTS (FROM data.model_calls c WHERE c.span_no = t.span_no)
), called AS (
    SELECT a.span_no, arg_min(c.model, a.level) AS model
    FROM above a JOIN data.tree t USING (node) JOIN data.model_calls c ON c.span_no = t.span_no GROUP BY a.span_no
)
SELECT stage, service_name, name, hop_to, coalesce(model, '') AS model, sum(mean_ns) AS mean_ns
FROM pieces LEFT JOIN called USING (span_no) GROUP BY ALL ORDER BY mean_ns DESC, service_name, name, hop_to, model
"""
_RULED = "JOIN data.tree t ON t.span_no = g.span_no JOIN ruled ON ruled.node = t.node"
_STAGE = f"CASE WHEN g.stage_id = {QUEUE} THEN {QUEUE}::SMALLINT ELSE ruled.stage END"


class Piece(NamedTuple):
    """What takes time before first tokens: an operation of a stage (or its wait for the place `hop_to`), the model that it
    calls, and its mean time per request in ns."""

    stage: str
    service_name: str
    name: str
    hop_to: str | None
    model: str | None
    mean_ns: float


@dataclass(frozen=True)
class Cohort:
    """Requests by their row in the table of all, with weights that sum to 1."""

    rows: I64
    weights: F64


def read_pieces(connection: duckdb.DuckDBPyConnection, table: RequestTable, cohort: Cohort) -> list[Piece]:
    """The mean time of each piece before the first token of a cohort's requests, the longest first; together they are the mean
    time to the first token. Nothing where a budget makes other spans the requests, or takes spans out of them: their paths are
    not the stored ones."""
    if table.request_of_node is not None or len(cohort.rows) == 0:
        return []
    tables = {
        "cohort": table_of(
            request_no=table.request_no[cohort.rows],
            until_ns=(table.start_ns + table.ttft_ns + (0 if table.ttft_user_ns is None else table.ttft_user_ns))[
                cohort.rows
            ],
            weight=cohort.weights,
        )
    }
    ruled = table.stage_of_node
    if ruled is not None:
        tables["ruled"] = table_of(node=np.arange(len(ruled), dtype=np.int32), stage=ruled)
    query = _PIECES.format(
        deepest=DEEPEST,
        user=USER,
        stage="g.stage_id" if ruled is None else _STAGE,
        join="" if ruled is None else _RULED,
    )
    with passing(connection, **tables):
        rows = connection.sql(query).to_arrow_table()
    columns = [coded(rows[name]) for name in ("service_name", "name", "hop_to", "model")]
    texts = [[column.names[code] for code in column.codes.tolist()] for column in columns]
    stages, means = numbers(rows["stage"]).tolist(), numbers(rows["mean_ns"]).tolist()
    return [
        Piece(table.stages[stage], service, name, hop or None, model or None, mean)
        for stage, service, name, hop, model, mean in zip(stages, *texts, means, strict=True)
    ]

"""Inference spans in some whole traces, which of them represent model calls, and when each gave its first token."""

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.ingest.derive.call_times import INFERENCE, Inference
from overbudget.ingest.derive.recorded_twice import calls_that_count
from overbudget.ingest.write.facts import ASKS_TOOL, FACT_NAMES
from overbudget.kernels.arrow import numbers
from overbudget.kernels.columns import I16, I32, I64, Bool, Tree
from overbudget.stages.answers import JUDGING_MODEL, below_a_judge, judges
from overbudget.stages.assign import own_stages
from overbudget.stages.first_token import first_token_sql, instant_sql
from overbudget.stages.names import DEFAULT_STAGES
from overbudget.stages.operation_table import Catalogue
from overbudget.store.tables import passing

TOOLS = DEFAULT_STAGES.index("tools")
_SAYS = [f"fact = {FACT_NAMES.index(name)}" for name in ("ttft_s", "ttft_ms", "ttft_at", "ttft_ns")]
_VALUE = "max(CASE WHEN {fact} THEN {value} END)"
_FIRST_TOKEN = first_token_sql(
    _VALUE.format(fact=_SAYS[0], value="try_cast(value AS DOUBLE)"),
    _VALUE.format(fact=_SAYS[1], value="try_cast(value AS DOUBLE)"),
    _VALUE.format(fact=_SAYS[2], value=f"{instant_sql('value')} + skew_ns - start_ns"),
    _VALUE.format(fact=_SAYS[3], value="try_cast(value AS BIGINT)"),
    "0",
    "any_value(took_ns)",
)
_FIRST = f"""
SELECT node, coalesce({_FIRST_TOKEN}, -1) AS first_ns FROM facts JOIN nodes USING (span_no) WHERE {" OR ".join(_SAYS)}
GROUP BY node
"""

_NO_ANSWERS = f"""
SELECT DISTINCT node FROM facts JOIN nodes USING (span_no)
WHERE fact = {ASKS_TOOL} OR fact = {FACT_NAMES.index("model")} AND regexp_matches(value, '{JUDGING_MODEL}')
"""


def inference_of(
    connection: duckdb.DuckDBPyConnection,
    tree: Tree,
    span_no: I32,
    entry: I32,
    request_of: I32,
    catalogue: Catalogue,
    stage_of: I16,
    waits: I64,
) -> Inference:
    """By node; `entry` are the nodes of the entry spans, `stage_of` is the stage of the innermost classified span, `waits` a
    reported wait in a queue. Needs the temporary table `facts`."""
    stage = own_stages(tree, catalogue.columns)
    own = stage == INFERENCE
    counts, stands_for = calls_that_count(connection, tree, span_no, request_of, own, tools=stage == TOOLS)
    judging = np.array([judges(name) for name in catalogue.names], bool)[catalogue.name_codes[tree.operation]]
    answers = own & ~below_a_judge(tree, entry, stage, judging) & ~_without_answer(connection, span_no)
    return Inference(
        own, counts & (request_of >= 0), stands_for, _first_tokens(connection, tree, span_no), stage_of, waits, answers
    )


def _without_answer(connection: duckdb.DuckDBPyConnection, span_no: I32) -> Bool:
    """bool[nodes]: it asks for a tool, or its model judges."""
    found = np.zeros(len(span_no), bool)
    nodes = {"span_no": span_no, "node": np.arange(len(span_no), dtype=np.int32)}
    with passing(connection, nodes=pa.table(nodes)):
        found[numbers(connection.sql(_NO_ANSWERS).to_arrow_table()["node"])] = True
    return found


def _first_tokens(connection: duckdb.DuckDBPyConnection, tree: Tree, span_no: I32) -> I64:
    """From each node's start to its first token, -1 where it records none."""
    nodes = {
        "span_no": span_no,
        "node": np.arange(len(span_no), dtype=np.int32),
        "start_ns": tree.start,
        "took_ns": tree.end - tree.start,
        "skew_ns": tree.skew,
    }
    with passing(connection, nodes=pa.table(nodes)):
        told = connection.sql(_FIRST).to_arrow_table()
    first = np.full(len(span_no), -1, np.int64)
    first[numbers(told["node"])] = numbers(told["first_ns"])
    return first

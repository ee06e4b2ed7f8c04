"""What a change of a part of a stage does to each span: `inference.writing` is only the part of a call after its first token."""

import duckdb
import numpy as np

from overbudget.analysis.requests.table import I16, I64
from overbudget.analysis.whatif.changes import Cap, Scale
from overbudget.kernels.arrow import numbers, row_of
from overbudget.kernels.columns import Tree
from overbudget.kernels.replay import F64
from overbudget.stages.answers import call_at_or_above
from overbudget.stages.names import part_of
from overbudget.store.errors import OverbudgetError

_CALLS = """
SELECT span_no, coalesce(first_token_ns, -1) AS first_ns, coalesce(prefill_ns, 0) AS prefill, coalesce(decode_ns, 0) AS decode
FROM data.model_calls
"""
WHAT = {
    "first_token": "its first token",
    "writing": "its first token",
    "prefill": "its prefill",
    "decode": "its decode",
}


def request_factor(change: Cap | Scale, took: I64) -> F64:
    """float64[requests]: how many times as long each request's stage or part takes, which took `took` (int64[requests], ns; -1
    where a request does not record it, which keeps it)."""
    if isinstance(change, Scale):
        return np.full(len(took), change.factor)
    return np.where(took > change.ns, change.ns / np.maximum(took, 1), 1.0)


def share_in_part(
    connection: duckdb.DuckDBPyConnection, what: str, tree: Tree, stage: I16, of_stage: int, queued: F64
) -> F64:
    """float64[nodes]: the share of each span's time that is in a part; `stage` is each node's stage, `queued` the share at its
    start in which it waits in its server's queue.

    Errors: OverbudgetError where no model call records the part.
    """
    part = what.removeprefix(f"{part_of(what)}.")
    rows = connection.cursor().sql(_CALLS).to_arrow_table()
    node = row_of(tree.row, numbers(rows["span_no"]))
    there = node >= 0
    length = np.maximum(tree.end - tree.start, 1)
    if part in ("first_token", "writing"):
        first = np.full(len(tree.row), -1, np.int64)
        first[node[there]] = numbers(rows["first_ns"])[there]
        call = call_at_or_above(tree, np.flatnonzero(first >= 0).astype(np.int32))
        known = (call >= 0) & (stage == of_stage)
        instant = tree.start[call] + first[call]
        before = np.clip((instant - tree.start) / length, queued, 1.0)
        share = np.where(known, before - queued if part == "first_token" else 1.0 - before, 0.0)
    else:
        share = np.zeros(len(tree.row))
        share[node[there]] = np.minimum(numbers(rows[part])[there] / length[node[there]], 1.0)
    if not share.any():
        raise OverbudgetError(f"No model call records {WHAT[part]}, so what {what} takes is unknown.")
    return share

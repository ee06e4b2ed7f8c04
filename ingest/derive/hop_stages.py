"""Stages of hops, which only a whole dataset decides (docs/reference/method.md, "Hops"), over parts of it at a time."""

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.kernels.columns import I16, I64, Segments, Tree
from overbudget.stages.hop_stages import Call, add_times, callee_times, open_hops, stage_of_calls
from overbudget.stages.operation_table import Catalogue
from overbudget.store.tables import passing

_CHANGES = """
SELECT request_no, stage_id, sum(ns)::BIGINT AS ns FROM (
    SELECT request_no, unnest([was, becomes]) AS stage_id, unnest([-ns, ns]) AS ns FROM (
        SELECT s.request_no, s.stage_id - {stages} AS was, d.stage_id AS becomes, sum(s.end_ns - s.start_ns)::BIGINT AS ns
        FROM data.segments s JOIN decided d USING (operation_id, hop_to_id)
        WHERE s.stage_id >= {stages} AND was <> becomes GROUP BY ALL))
GROUP BY ALL
"""
_MOVE = """
MERGE INTO data.stage_time t USING changes c ON t.request_no = c.request_no AND t.stage_id = c.stage_id
WHEN MATCHED THEN UPDATE SET stage_ns = t.stage_ns + c.ns
WHEN NOT MATCHED THEN INSERT (request_no, stage_id, stage_ns, busy_ns, span_count) VALUES (c.request_no, c.stage_id, c.ns, 0, 0)
"""
_DECIDE = """
UPDATE data.segments s SET stage_id = d.stage_id FROM decided d
WHERE s.stage_id >= {stages} AND s.operation_id = d.operation_id AND s.hop_to_id = d.hop_to_id
"""
_KEEP = "UPDATE data.segments SET stage_id = stage_id - {stages} WHERE stage_id >= {stages}"


class HopStages:
    """What the parts of a dataset show about its calls, and the segments whose stage that decides."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._operations, self._stages = catalogue.columns, len(catalogue.stages)
        self._times: dict[Call, I64] = {}
        self._any_open = False

    def yet(self, tree: Tree, segments: Segments, stage: I16, stage_of: I16) -> I16:
        """The stage to store for each segment of a part until `settle`: of an open hop, its stage plus the number of stages."""
        still_open = open_hops(tree, self._operations, segments, stage, stage_of)
        add_times(self._times, callee_times(tree, self._operations, segments, stage, self._stages))
        self._any_open |= bool(still_open.any())
        return np.where(still_open, stage + np.int16(self._stages), stage).astype(np.int16)

    def settle(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Give the hops in data.segments their stages, and move their time in data.stage_time."""
        if not self._any_open:
            return
        decided = _table(stage_of_calls(self._times))
        if len(decided):
            with passing(connection, decided=decided):
                changes = connection.sql(_CHANGES.format(stages=self._stages)).to_arrow_table()
                connection.execute(_DECIDE.format(stages=self._stages))
            with passing(connection, changes=changes):
                connection.execute(_MOVE)
        connection.execute(_KEEP.format(stages=self._stages))


def _table(decided: dict[Call, int]) -> pa.Table:
    rows = {
        "operation_id": pa.array([caller for caller, _ in decided], pa.int32()),
        "hop_to_id": pa.array([place for _, place in decided], pa.int32()),
        "stage_id": pa.array(decided.values(), pa.int16()),
    }
    return pa.table(rows)

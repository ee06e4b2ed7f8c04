"""Time in the queue of an inference server, reported by the server on its own span (vLLM's `time_in_queue`).

The wait has no span: it is the first part of the span that reports it, and belongs to the stage queue.
"""

from dataclasses import dataclass

import duckdb
import numpy as np

from overbudget.kernels.arrow import numbers, row_of
from overbudget.kernels.columns import I16, I32, I64, LONGEST, Segments, Tree
from overbudget.stages.attribute_keys import QUEUE_KEY
from overbudget.stages.names import DEFAULT_STAGES

QUEUE = DEFAULT_STAGES.index("queue")
_REPORTING = "SELECT operation_id FROM operations WHERE list_contains(map_keys(keys), $key)"
_REPORTED = """
SELECT span_no, coalesce(try_cast(list_filter(attributes, lambda entry: entry."key" = $key)[1]."value" AS DOUBLE), 0) * 1e9 AS ns
FROM data.spans WHERE list_contains($operations, operation_id)
"""


@dataclass(frozen=True)
class Reported:
    """Which spans report a wait in their server's queue, and how long it was (ns)."""

    span_no: I32
    ns: I64

    def of_nodes(self, span_no: I32, tree: Tree, stage_of: I16) -> I64:
        """int64[nodes]: the wait at the start of each span of `tree`, never longer than the span; 0 for none.

        `span_no` is the span of each node. A span of the stage queue is wait as it is.
        """
        waits = np.zeros(len(span_no), np.int64)
        if len(self.span_no):
            row = row_of(self.span_no, span_no)
            here = np.flatnonzero((row >= 0) & (stage_of != QUEUE))
            waits[here] = np.clip(self.ns[row[here]], 0, tree.end[here] - tree.start[here])
        return waits


def reported_waits(connection: duckdb.DuckDBPyConnection) -> Reported:
    """The waits that the spans of a dataset report."""
    operations = [row for (row,) in connection.execute(_REPORTING, {"key": QUEUE_KEY}).fetchall()]
    if not operations:
        return Reported(np.zeros(0, np.int32), np.zeros(0, np.int64))
    rows = connection.sql(_REPORTED, params={"key": QUEUE_KEY, "operations": operations}).to_arrow_table()
    ns = numbers(rows["ns"])
    known = np.isfinite(ns) & (ns > 0)
    return Reported(numbers(rows["span_no"])[known], np.minimum(ns[known], float(LONGEST)).astype(np.int64))


def stage_segments(segments: Segments, tree: Tree, stage_of: I16, waits: I64) -> tuple[Segments, I16]:
    """The segments and the stage of each; those that are only partly wait are cut in two.

    llm_request [wwww######]  becomes  queue [====] and inference [======]
    """
    stage = stage_of[segments.node]
    if not waits.any():
        return segments, stage
    until = np.where(waits[segments.node] > 0, tree.start[segments.node] + waits[segments.node], segments.start)
    cut = (segments.start < until) & (until < segments.end)
    places = np.repeat(np.arange(len(cut)), 1 + cut)
    second = np.append(False, places[1:] == places[:-1])
    first = np.append(second[1:], False)
    parts = Segments._make(column[places] for column in segments)
    start, end, until = (
        np.where(second, until[places], parts.start),
        np.where(first, until[places], parts.end),
        until[places],
    )
    return parts._replace(start=start, end=end), np.where(end <= until, np.int16(QUEUE), stage[places]).astype(np.int16)

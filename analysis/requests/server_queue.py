"""How long each request waited in the queues of inference servers, as the servers report it."""

import duckdb
import numpy as np

from overbudget.analysis.requests.table import RequestTable
from overbudget.kernels.arrow import numbers, row_of
from overbudget.kernels.columns import I64
from overbudget.stages.server_queue import QUEUE, reported_waits


def waits_of_requests(connection: duckdb.DuckDBPyConnection, table: RequestTable) -> I64 | None:
    """int64[requests]: the sum of the waits that each request's spans report; None where no span reports any."""
    reported = reported_waits(connection)
    if not len(reported.span_no):
        return None
    nodes = connection.sql("SELECT span_no, request_no, stage_id FROM data.tree ORDER BY node").to_arrow_table()
    request = numbers(nodes["request_no"]) if table.request_of_node is None else table.request_of_node
    stage = numbers(nodes["stage_id"]) if table.stage_of_node is None else table.stage_of_node
    row = row_of(reported.span_no, numbers(nodes["span_no"]))
    place = np.where(request >= 0, row_of(table.request_no, request), -1)
    here = (row >= 0) & (stage != QUEUE) & (place >= 0)
    return np.bincount(place[here], reported.ns[row[here]], minlength=len(table)).astype(np.int64)

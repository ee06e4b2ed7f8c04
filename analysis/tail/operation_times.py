"""How long an operation takes in each slow request, and in each typical one."""

import duckdb
import numpy as np

from overbudget.analysis.common.bands import TYPICAL, Ranking
from overbudget.analysis.requests.stored import load_path
from overbudget.analysis.requests.table import I64, RequestTable
from overbudget.analysis.tail.operations import SlowOperation
from overbudget.analysis.tail.tail import Tail
from overbudget.kernels.arrow import row_of


def operation_times(
    connection: duckdb.DuckDBPyConnection, table: RequestTable, found: Tail, operation: SlowOperation
) -> tuple[I64, I64]:
    """ns of the critical path that `operation` (one of `found`) takes, per request: of slow ones, of typical ones.

    0 where a request has none of it. The means of both are those in `found`.
    """
    path = load_path(connection, table)
    called = _is(path.service.codes, path.service.names, operation.service_name) & _is(
        path.name.codes, path.name.names, operation.name
    )
    hop = path.places.index(operation.hop_to) if operation.hop_to is not None else -1
    row = row_of(table.request_no, path.request_no)
    here = called[path.operation] & (path.hop == hop) & (row >= 0)
    here &= path.stage == table.stages.index(operation.stage)
    took = np.bincount(row[here], path.duration_ns[here].astype(np.float64), minlength=len(table)).astype(np.int64)
    slow = table.latency_ns >= found.threshold_ns
    typical = np.setdiff1d(Ranking(table.latency_ns).between(*TYPICAL).rows, np.flatnonzero(slow))
    return took[slow], took[typical]


def _is(codes: np.ndarray, names: tuple[str, ...], name: str) -> np.ndarray:
    return np.asarray(codes == names.index(name))

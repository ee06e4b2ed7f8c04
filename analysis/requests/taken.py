"""How long each request takes, for whatever a budget can cap of it."""

import numpy as np

from overbudget.analysis.requests.parts import part_ns
from overbudget.analysis.requests.table import I64, RequestTable
from overbudget.stages.names import FIRST_TOKEN, TOTAL, part_of


def taken_ns(table: RequestTable, what: str) -> I64:
    """int64[n]: how long each request takes to its end (TOTAL) or FIRST_TOKEN, or in a stage or a part of one.

    0 where it has no such stage, -1 where it does not record its first token or that part.
    """
    if what == TOTAL:
        return table.latency_ns
    if what == FIRST_TOKEN:
        return table.ttft_ns
    if part_of(what) is not None:
        return part_ns(table, what)
    if what not in table.stages:
        return np.zeros(len(table), np.int64)
    return np.ascontiguousarray(table.stage_ns[:, table.stages.index(what)])

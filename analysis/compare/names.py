"""Names of both sides that differ in counters or words only, treated as one: see analysis.common.name_groups."""

from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.analysis.common.name_groups import name_groups
from overbudget.analysis.requests.table import RequestTable
from overbudget.kernels.arrow import coded

SHAPE = " | "  # between the names of a shape


class NameGroups:
    """The groups of names over several datasets, and the name of each group."""

    def __init__(self, *connections: duckdb.DuckDBPyConnection) -> None:
        called = {
            one
            for connection in connections
            for one in connection.sql("SELECT DISTINCT service_name, name FROM operations").fetchall()
        }
        self.groups = name_groups(called)
        self._of_name = {name: group for (_, name), group in sorted(self.groups.items())}

    def routes(self, table: RequestTable) -> RequestTable:
        """The same requests with their routes grouped."""
        if not self.groups or len(table) == 0:
            return table
        routes = len(table.route.names) + 1
        pair, where = np.unique(
            (table.service.codes.astype(np.int64) + 1) * routes + table.route.codes + 1, return_inverse=True
        )
        service, route = (("", *column.names) for column in (table.service, table.route))
        named = [(service[one // routes], route[one % routes]) for one in pair.tolist()]
        grouped = pa.array([self.groups.get(one, one[1]) for one in named], pa.string()).take(pa.array(where))
        return replace(table, route=coded(pa.chunked_array([grouped])))

    def shape(self, shape: str) -> str:
        """A shape with its names grouped."""
        if not self.groups:
            return shape
        return SHAPE.join(sorted({self._of_name.get(name, name) for name in shape.split(SHAPE)}))

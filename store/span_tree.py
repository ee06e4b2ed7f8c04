"""The spans of a dataset as trees, as they were stored for the kernels."""

import duckdb
import numpy as np

from overbudget.kernels.arrow import numbers
from overbudget.kernels.columns import I32, Tree
from overbudget.kernels.span_tree import _downwards


def load_tree(connection: duckdb.DuckDBPyConnection) -> tuple[Tree, I32]:
    """The stored tree (`row` holds span_no; span ids and problems are left out), and each node's stored request_no."""
    names = "span_no, trace_no, parent, start_ns, end_ns, operation_id, request_no"
    columns = connection.sql(f"SELECT {names} FROM data.tree ORDER BY node").to_arrow_table()
    # copies, because the kernels are compiled for arrays that may be written to
    column = {name: np.array(numbers(columns[name])) for name in columns.column_names}
    parent = column["parent"]
    tree = Tree(
        row=column["span_no"],
        trace=column["trace_no"],
        parent=parent,
        start=column["start_ns"],
        end=column["end_ns"],
        skew=np.zeros(0, np.int64),
        operation=column["operation_id"],
        span_id=np.zeros(0, np.uint64),
        problem=np.zeros(len(parent), np.uint8),
        downwards=_downwards(parent),
    )
    return tree, column["request_no"]

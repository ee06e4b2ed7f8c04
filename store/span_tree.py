"""The spans of a dataset as trees, as stored for the kernels."""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.kernels.arrow import numbers
from overbudget.kernels.columns import I32, Tree
from overbudget.kernels.span_tree import _downwards


def load_tree(connection: duckdb.DuckDBPyConnection) -> tuple[Tree, I32]:
    """The stored tree (`row` holds span_no; span ids and problems are left out), and each node's stored request_no."""
    column = tree_columns(
        connection, ("span_no", "trace_no", "parent", "start_ns", "end_ns", "operation_id", "request_no")
    )
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


def tree_columns(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns of the stored tree by node, as writable arrays: kernels are compiled for those."""
    # The table is written by node and read in that order: sorting a million rows again takes as long as reading them.
    rows = connection.sql(f"SELECT node, {', '.join(names)} FROM data.tree").to_arrow_table()
    node = numbers(rows["node"])
    found = {name: _copied(rows[name]) for name in names}
    if (node[1:] < node[:-1]).any():
        order = np.argsort(node)
        found = {name: column[order] for name, column in found.items()}
    return found


def _copied(column: pa.ChunkedArray) -> np.ndarray:
    chunks = [np.from_dlpack(chunk) for chunk in column.chunks if len(chunk)]
    return np.concatenate(chunks) if chunks else np.array(numbers(column))

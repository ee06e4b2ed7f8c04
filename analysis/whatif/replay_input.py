"""All of a dataset that replays need, whatever is changed and whichever requests are looked at."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.table import I16, I32, RequestTable
from overbudget.kernels.arrow import numbers, row_of
from overbudget.kernels.columns import Tree
from overbudget.kernels.replay import F64, Shape, shape_of
from overbudget.stages.attribute_keys import INPUT_KEYS, INPUT_PREFIXES, QUERY_KEYS, QUERY_PLACEHOLDER
from overbudget.stages.server_queue import reported_waits
from overbudget.store.span_tree import load_tree


class Inputs(NamedTuple):
    """The calls whose input is recorded: their nodes, and a hash of the input."""

    node: I32
    given: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class ReplayInput:
    """The spans of a dataset by node, ready for replays. Large, and the same for every filter: worth keeping.

    `requests` are all requests; `request_of` is the request_no of each node, -1 for none; `stage` a place in
    `requests.stages`.
    """

    connection: duckdb.DuckDBPyConnection
    requests: RequestTable
    tree: Tree
    shape: Shape
    request_of: I32
    stage: I16
    names: tuple[str, ...]  # of operations
    operation: I32  # place in `names`
    failed: npt.NDArray[np.bool_]  # spans whose status is an error
    retry_of: I32  # the failed call that this one repeats, -1 for none
    queued: F64  # the share of each span that it begins with in its server's queue

    @cached_property
    def inputs(self) -> Inputs:
        """Read when first asked for."""
        rows = self.connection.cursor().sql(_INPUTS).to_arrow_table()
        return Inputs(numbers(rows["node"]), numbers(rows["input"]))


def read_replay_input(connection: duckdb.DuckDBPyConnection, budget: Budget | None = None) -> ReplayInput:
    """Read the spans of a dataset, with stages and requests by the rules of `budget` (`budget.reading`)."""
    requests = read_requests(connection, budget)
    tree, request_of = load_tree(connection)
    if requests.request_of_node is not None:
        request_of = requests.request_of_node
    stage = requests.stage_of_node
    if stage is None:
        stage = numbers(connection.sql("SELECT stage_id FROM data.tree ORDER BY node").to_arrow_table()["stage_id"])
    shape, failed = shape_of(tree, request_of), _failures(connection, len(request_of))
    queued = reported_waits(connection).of_nodes(tree.row, tree, stage) / np.maximum(tree.end - tree.start, 1)
    return ReplayInput(
        connection, requests, tree, shape, request_of, stage, *_operations_of(connection, tree.operation), failed,
        retries(tree, shape, failed), queued,
    )  # fmt: skip


_PREFIXED = " OR ".join(f"""starts_with(entry."key", '{prefix}')""" for prefix in INPUT_PREFIXES)
# The recorded input of each call, as a hash.
_INPUTS = f"""
WITH calls AS (
    SELECT t.node, list_filter(s.attributes, lambda entry: entry."key" IN {INPUT_KEYS} OR {_PREFIXED}
        OR (entry."key" IN {QUERY_KEYS} AND NOT regexp_matches(entry."value", '{QUERY_PLACEHOLDER}'))) AS input,
        list_filter(s.attributes, lambda entry: entry."key" IN {QUERY_KEYS}) AS query
    FROM data.tree t JOIN data.spans s USING (span_no)
)
SELECT node, hash(input, query) AS input FROM calls WHERE len(input) > 0 ORDER BY node
"""


def _failures(connection: duckdb.DuckDBPyConnection, nodes: int) -> npt.NDArray[np.bool_]:
    """Which spans have an error as their status."""
    rows = connection.sql(
        "SELECT t.node FROM data.tree t JOIN data.spans s USING (span_no) WHERE s.status_code = 'ERROR'"
    ).to_arrow_table()
    failed = np.zeros(nodes, bool)
    failed[numbers(rows["node"])] = True
    return failed


def retries(tree: Tree, shape: Shape, failing: npt.NDArray[np.bool_]) -> I32:
    """int32[nodes]: the call that failed and was made again, under the same parent, with this one; -1 for none."""
    retry_of = np.full(len(tree.start), -1, np.int32)
    parents = np.zeros(len(retry_of), bool)
    parents[shape.parent[failing & (shape.parent >= 0)]] = True
    calls = np.flatnonzero((shape.parent >= 0) & parents[shape.parent])
    calls = calls[np.lexsort((tree.start[calls], tree.operation[calls], shape.parent[calls]))]
    a, b = calls[:-1], calls[1:]
    again = (shape.parent[a] == shape.parent[b]) & (tree.operation[a] == tree.operation[b])
    again &= failing[a] & (shape.done[a] <= tree.start[b])
    retry_of[b[again]] = a[again]
    return retry_of


def _operations_of(connection: duckdb.DuckDBPyConnection, operation_id: I32) -> tuple[tuple[str, ...], I32]:
    """The distinct names of operations, and for each operation id its place among them."""
    rows: pa.Table = connection.sql("SELECT operation_id, name FROM operations ORDER BY operation_id").to_arrow_table()
    names = rows["name"].to_pylist()
    distinct = {name: place for place, name in enumerate(dict.fromkeys(names))}
    places = np.array([distinct[name] for name in names], np.int32)
    return tuple(distinct), places[row_of(numbers(rows["operation_id"]), operation_id)]

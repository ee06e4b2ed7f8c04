"""Everything of a dataset that replays need, independent of the changes and of the selected requests."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.sampling import Sampling, sampling_of
from overbudget.analysis.requests.table import I16, I32, RequestTable
from overbudget.analysis.whatif.bounds import Unexplained, suspects
from overbudget.analysis.whatif.candidates import callers_of, mostly_at_once
from overbudget.analysis.whatif.lines import Line, System, find_lines, system_of
from overbudget.analysis.whatif.own_time import waits_in_own_time
from overbudget.analysis.whatif.server_names import servers_named
from overbudget.analysis.whatif.token_costs import ModelCalls, read_model_calls
from overbudget.analysis.whatif.untested import Reasons, reasons_of
from overbudget.kernels.arrow import numbers, row_of
from overbudget.kernels.columns import Tree
from overbudget.kernels.replay import F64, Shape, graph_of, shape_of, warm_up
from overbudget.kernels.retries import retries
from overbudget.kernels.threads import together
from overbudget.stages.attribute_keys import INPUT_KEYS, INPUT_PREFIXES, QUERY_KEYS, QUERY_PLACEHOLDER
from overbudget.stages.server_queue import reported_waits
from overbudget.store.span_tree import load_tree, tree_columns

Name = TypeVar("Name", str, tuple[str, str])


class Inputs(NamedTuple):
    """The calls whose input is recorded: their nodes, and a hash of the input."""

    node: I32
    given: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class ReplayInput:
    """The spans of a dataset by node, ready for replays. Large, and the same for every filter: worth caching.

    `requests` are all requests; `request_of` is the request_no of each node, -1 for none; `stage` indexes
    `requests.stages`.
    """

    owner: duckdb.DuckDBPyConnection
    requests: RequestTable
    tree: Tree
    shape: Shape
    request_of: I32
    stage: I16
    names: tuple[str, ...]  # of operations
    operation: I32  # index into `names`
    kinds: tuple[tuple[str, str], ...]  # service and name, by `shape.kind`
    failed: npt.NDArray[np.bool_]  # spans whose status is an error
    queued: F64  # the share of each span at its start that is in its server's queue
    sampling: Sampling  # if only some traces were kept, the other calls in a line are unknown

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """A cursor for one question: visitors share this object, and two may ask at once."""
        return self.owner.cursor()

    @cached_property
    def system(self) -> System:
        """What waits for what, and in which lines; computed on first use."""
        entries = np.flatnonzero((self.request_of >= 0) & (self.shape.parent < 0)).astype(np.int32)
        if self.sampling.sampled:
            return system_of(self.shape, (), entries)
        plain, codes, (own, at_once) = together(
            lambda: graph_of(self.shape),
            self._codes,
            lambda: (list(waits_in_own_time(self.shape)), mostly_at_once(self.shape)),
        )
        found = find_lines(callers_of(self.shape, plain, codes, at_once), self.kinds, own)
        found = tuple(replace(line, batches=self._batches(line)) for line in found)
        return system_of(self.shape, found, entries, plain)

    def _batches(self, line: Line) -> bool:
        """Whether calls wait in an inference server: it works on several calls at once, and what a call holds is memory."""
        if not line.within_calls or "inference" not in self.requests.stages:
            return False
        return bool((self.stage[line.node] == self.requests.stages.index("inference")).mean() > 0.5)

    def _codes(self) -> tuple[I32, I32, I32, I32]:
        """Per node: its service, and the pod, peer and model that it names."""
        services = {name: place for place, name in enumerate(dict.fromkeys(service for service, _ in self.kinds))}
        service = np.array([services[name] for name, _ in self.kinds], np.int32)[self.shape.kind]
        return service, *servers_named(self.connection, self.tree)

    @cached_property
    def suspects(self) -> tuple[Unexplained, ...]:
        """Operations that get slower when many calls use them, though no line explains it."""
        return suspects(self.shape, self.system)

    @cached_property
    def reasons(self) -> Reasons:
        """What starts and ends waited for, by operation."""
        return reasons_of(self.shape, self.system.graph, self.system.nothing)

    @cached_property
    def model_calls(self) -> ModelCalls:
        """The tokens that model calls read and wrote, and what they cost in time."""
        return read_model_calls(self.connection, self.tree)

    @cached_property
    def inputs(self) -> Inputs:
        """Read on first use."""
        rows = self.connection.sql(_INPUTS).to_arrow_table()
        return Inputs(numbers(rows["node"]), numbers(rows["input"]))


def read_replay_input(connection: duckdb.DuckDBPyConnection, budget: Budget | None = None) -> ReplayInput:
    """Read the spans of a dataset, with stages and requests under the rules of `budget` (`budget.reading`)."""
    (requests, (tree, request_of), sampling), _ = together(
        lambda: (read_requests(connection, budget), load_tree(connection), sampling_of(connection)), warm_up
    )
    if requests.request_of_node is not None:
        request_of = requests.request_of_node
    if requests.parent_of_node is not None:
        tree = tree._replace(parent=requests.parent_of_node)
    stage = requests.stage_of_node
    if stage is None:
        stage = tree_columns(connection, ("stage_id",))["stage_id"]
    failed = _failures(connection, len(request_of))
    names, operation, kinds, kind = _operations_of(connection, tree.operation)
    retry_of = retries(np.where(request_of >= 0, tree.parent, -1), tree.start, tree.end, kind, failed)
    shape = shape_of(tree, request_of, kind, failed, retry_of)
    queued = reported_waits(connection).of_nodes(tree.row, tree, stage) / np.maximum(tree.end - tree.start, 1)
    return ReplayInput(
        connection, requests, tree, shape, request_of, stage, names, operation, kinds, failed, queued, sampling
    )


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


def _operations_of(
    connection: duckdb.DuckDBPyConnection, operation_id: I32
) -> tuple[tuple[str, ...], I32, tuple[tuple[str, str], ...], I32]:
    """The distinct names of operations and each node's index into them; the same for pairs of service and name."""
    rows: pa.Table = connection.sql(
        "SELECT operation_id, service_name, name FROM operations ORDER BY operation_id"
    ).to_arrow_table()
    names = rows["name"].to_pylist()
    pairs = list(zip(rows["service_name"].to_pylist(), names, strict=True))
    row = row_of(numbers(rows["operation_id"]), operation_id)
    distinct, places = _numbered(names)
    kinds, places_of_kinds = _numbered(pairs)
    return tuple(distinct), places[row], tuple(kinds), places_of_kinds[row]


def _numbered(values: list[Name]) -> tuple[list[Name], I32]:
    """The distinct values, and the index of each value among them."""
    place = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return list(place), np.array([place[value] for value in values], np.int32)

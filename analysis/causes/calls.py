"""Which calls these requests made.

Overlapping calls of one operation under one parent are one call, and so are model calls of one operation that two
instrumentations record: inside each other, or at the same time under different parents.
"""

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.analysis.requests.path import PathTable
from overbudget.analysis.requests.table import I32, I64, RequestTable
from overbudget.kernels.arrow import Coded, coded, coded_texts, flags, numbers, row_of

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Calls:
    """Calls by number: `row` of the request table, `service`, `name` and `place` (where the call leads, -1 for nowhere)
    as codes of the path they were read for, `failed` where every attempt of the call failed.

    `of_span[span_no]` is the call a span belongs to, -1 for none.
    """

    row: I32
    service: I32
    name: I32
    place: I32
    failed: Bool
    of_span: I32


def read_calls(connection: duckdb.DuckDBPyConnection, table: RequestTable, path: PathTable) -> Calls:
    """The calls of the requests in `table`; `path` is the table's own critical path, whose codes are used."""
    nodes = connection.sql(
        "SELECT span_no, parent, start_ns, end_ns, operation_id, request_no FROM data.tree ORDER BY node"
    ).to_arrow_table()
    operations = connection.sql(
        """SELECT operation_id, service_name, name, coalesce(peer, '') AS peer,
               (stage IS NOT DISTINCT FROM 'inference')::TINYINT AS inference
           FROM operations ORDER BY operation_id"""
    ).to_arrow_table()
    operation = row_of(numbers(operations["operation_id"]), numbers(nodes["operation_id"]))
    services = _services(operations, path)
    service = _as(coded_texts(services), path.service.names)
    name = _as(_names(operations, services, path), path.name.names)
    called = np.unique(service.astype(np.int64) * (len(path.name.names) + 1) + name, return_inverse=True)[1]
    service, name = service[operation], name[operation]
    parent, span = numbers(nodes["parent"]), numbers(nodes["span_no"])
    request = table.request_of_node if table.request_of_node is not None else numbers(nodes["request_no"])
    place = _places(parent, operation, operations, services, path)
    row = row_of(table.request_no, request)
    wrong = _failed(connection, span)
    kind = called[operation] * (len(path.places) + 1) + place + 1
    call = _joined(parent, numbers(nodes["start_ns"]), numbers(nodes["end_ns"]), row, kind)
    model_call = np.where((row >= 0) & flags(operations["inference"])[operation], kind, -1)
    call = _inside_each_other(call, parent, row, model_call)
    call = _recorded_again(call, _counted(connection, span), row, model_call, nodes)
    inside = np.flatnonzero(row >= 0)
    first = np.flatnonzero((row >= 0) & (call == np.arange(len(call))))
    number = np.full(len(parent), -1, np.int32)
    number[first] = np.arange(len(first), dtype=np.int32)
    of_node = np.where(row >= 0, number[call], -1)
    fine = np.zeros(len(first), bool)
    fine[of_node[inside[~wrong[inside]]]] = True
    of_span = np.full(int(span.max(initial=-1)) + 1, -1, np.int32)
    of_span[span] = of_node
    return Calls(row[first], service[first], name[first], place[first], ~fine, of_span)


def _names(operations: pa.Table, services: list[str], path: PathTable) -> Coded:
    """The name of each operation in `path`."""
    if not path.groups:
        return coded(operations["name"])
    called = zip(services, operations["name"].to_pylist(), strict=True)
    return coded_texts(path.groups.get(one, one[1]) for one in called)


def _as(column: Coded, names: tuple[str, ...]) -> I32:
    """The column's codes as indices into `names`; -1 for names that are not among them."""
    known = {name: place for place, name in enumerate(names)}
    return np.array([known.get(name, -1) for name in column.names], np.int32)[column.codes]


def _services(operations: pa.Table, path: PathTable) -> list[str]:
    """The name in `path` of each operation's service."""
    members = path.members()
    return [members.get(name, name) for name in operations["service_name"].to_pylist()]


def _places(parent: I32, operation: I32, operations: pa.Table, services: list[str], path: PathTable) -> I32:
    """Where each span's call leads: the service of a child in another service, else what its attributes name."""
    known = {place: number for number, place in enumerate(path.places)}
    of_service = [known.get(name, -1) for name in services]
    peers = [
        known.get(path.siblings[number].place if number in path.siblings else peer, -1)
        for number, peer in zip(operations["operation_id"].to_pylist(), operations["peer"].to_pylist(), strict=True)
    ]
    service, place = (np.array(column, np.int32)[operation] for column in (of_service, peers))
    place = np.where(place == service, -1, place)
    child = np.flatnonzero(parent >= 0)
    remote = child[service[child] != service[parent[child]]]
    place[parent[remote]] = service[remote]
    return place


def _failed(connection: duckdb.DuckDBPyConnection, span: I32) -> Bool:
    rows = connection.sql("SELECT span_no FROM data.spans WHERE status_code = 'ERROR'").to_arrow_table()
    wrong = np.zeros(int(span.max(initial=-1)) + 1, bool)
    failed = numbers(rows["span_no"])
    wrong[failed[failed < len(wrong)]] = True
    return wrong[span]


def _inside_each_other(call: I32, parent: I32, row: I32, kind: I64) -> I32:
    """`call` with each call below one of the same `kind` (-1: of none) in the same request merged into that one."""
    nested = np.flatnonzero((parent >= 0) & (row >= 0) & (kind >= 0))
    up = parent[nested]
    nested = nested[(kind[up] == kind[nested]) & (row[up] == row[nested])]
    outer = call.copy()
    outer[call[nested]] = call[parent[nested]]
    while (further := outer[outer] != outer).any():
        outer[further] = outer[outer[further]]
    return outer[call]


def _counted(connection: duckdb.DuckDBPyConnection, span: I32) -> Bool:
    """Which nodes are a model call that counts, of several records of one call one."""
    rows = connection.sql("SELECT span_no FROM data.model_calls").to_arrow_table()
    counted = np.zeros(int(span.max(initial=-1)) + 1, bool)
    counted[numbers(rows["span_no"])] = True
    return counted[span]


def _recorded_again(call: I32, counted: Bool, row: I32, kind: I64, nodes: pa.Table) -> I32:
    """`call` with each model call that is another record of one that counts (of the same `kind` and request, and at the same
    time) taken as that one."""
    again = np.flatnonzero((kind >= 0) & ~counted & (call == np.arange(len(call))))
    first = np.flatnonzero((kind >= 0) & counted)
    if len(again) == 0 or len(first) == 0:
        return call
    start, end = numbers(nodes["start_ns"]), numbers(nodes["end_ns"])
    key = row * (kind.max() + 1) + kind
    first = first[np.lexsort((start[first], key[first]))]
    of_key = np.unique(key[first])
    group = np.searchsorted(of_key, key[first])
    since = int(start[first].min())
    length = max(int(start[first].max()), int(end[again].max())) - since + 2
    mine = np.minimum(np.searchsorted(of_key, key[again]), len(of_key) - 1)
    until = mine * length + np.clip(end[again] - since, 0, length - 1)  # the last that starts before this one ends
    other = first[np.maximum(np.searchsorted(group * length + start[first] - since, until) - 1, 0)]
    same = (key[other] == key[again]) & (start[other] < end[again]) & (start[again] < end[other])
    found = call.copy()
    found[again[same]] = call[other[same]]
    return found[call]


def _joined(parent: I32, start: I64, end: I64, row: I32, kind: I64) -> I32:
    """The first node of the call each node belongs to: itself, or the first of those of its kind that overlap."""
    joined = np.arange(len(parent), dtype=np.int32)
    below = np.flatnonzero((parent >= 0) & (row >= 0))
    key = parent[below] * (kind.max(initial=0) + 1) + kind[below]
    order = np.argsort(key, kind="stable")  # nodes of a trace are in order of start, so equal ones are too
    key, below = key[order], below[order]
    same = np.zeros(len(key), bool)
    same[1:] = key[1:] == key[:-1]
    several = same.copy()
    several[:-1] |= same[1:]
    below, same = below[several], same[several]
    if len(below) == 0:
        return joined
    group = np.cumsum(~same)
    by_end = np.argsort(end[below], kind="stable")
    rank = np.empty(len(below), np.int64)
    rank[by_end] = np.arange(len(below))
    reach = np.maximum.accumulate(group * np.int64(len(below) + 1) + rank) - group * np.int64(len(below) + 1)
    upto = end[below][by_end][reach]
    begins = ~same
    begins[1:] |= start[below][1:] >= upto[:-1]
    joined[below] = below[begins][np.cumsum(begins) - 1]
    return joined

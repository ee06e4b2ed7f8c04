"""Requests that lost spans in the middle: the children of a lost span are attached where that span must have been.

An exporter that drops a slow call's span leaves the call's children as orphans. Their times are known, and so is where such
spans are in whole requests, so most of these requests can be broken down after all. Without them only the few that lost
nothing would represent a band of slow requests, and the wrong stage would be blamed.
"""

from dataclasses import dataclass, replace

import duckdb
import numpy as np

from overbudget.analysis.budget.model import Budget
from overbudget.analysis.requests.path import PathTable, without_stage
from overbudget.analysis.requests.stored import siblings_grouped
from overbudget.analysis.requests.table import I16, I32, Bool, RequestTable, without_waits_for_person
from overbudget.kernels.arrow import numbers, table_of
from overbudget.kernels.columns import ORPHAN, Tree
from overbudget.stages.names import ASKS_PERSON
from overbudget.store.tables import passing

MOST_ORPHANS = 50  # in one trace: with more, what belonged where is unknown
DEEPEST = 8  # levels up which ancestors are looked for in whole requests
LARGEST_REST = 0.1  # of the latency: more self time of an adopting span may be the lost span's, so nothing is restored

# The innermost span of a request around each orphan (in a trace that has few), whose operation is an ancestor of such
# spans in whole requests.
_PLACES = f"""
WITH lost AS (
    SELECT node, trace_no, start_ns, end_ns, operation_id FROM data.tree
    WHERE parent = {ORPHAN} AND request_no < 0
    QUALIFY count(*) OVER (PARTITION BY trace_no) <= {MOST_ORPHANS}
)
SELECT lost.node, arg_min(around.node, (around.end_ns - around.start_ns, -around.node)) AS parent
FROM lost JOIN data.tree around USING (trace_no) JOIN above
    ON above.operation_id = lost.operation_id AND above.ancestor_id = around.operation_id
WHERE around.request_no >= 0 AND around.start_ns <= lost.start_ns AND around.end_ns >= lost.end_ns
GROUP BY lost.node
"""


@dataclass(frozen=True)
class Restored:
    """The table and its paths with the restored requests; `rows` are their rows in the table."""

    table: RequestTable
    path: PathTable
    rows: Bool


def restore(connection: duckdb.DuckDBPyConnection, table: RequestTable, path: PathTable, budget: Budget) -> Restored:
    """Incomplete requests whose entry span is whole, with the critical paths after their orphans are attached again.

    An orphan is attached to the innermost span around it whose operation is an ancestor of the orphan's in whole requests.
    A request is restored where every orphan of its trace has such a span, and those spans keep little self time, because
    that may have been the lost span's. `table` has every request of the dataset, in the order of request_no. Requests that
    the budget defines (`[request] match`, `[background]`) are never restored.
    """
    nothing = Restored(table, path, np.zeros(len(table), bool))
    wanted = ~table.complete & ~table.open & ~table.missing
    if not wanted.any() or budget.request_match or budget.background:
        return nothing
    orphans = connection.execute(
        "SELECT 1 FROM data.tree WHERE parent = $1 AND request_no < 0 LIMIT 1", [ORPHAN]
    ).fetchall()
    return _restore(connection, table, path, budget, wanted) if orphans else nothing


def _restore(
    connection: duckdb.DuckDBPyConnection, table: RequestTable, path: PathTable, budget: Budget, wanted: Bool
) -> Restored:
    # imported here because it loads compiled kernels
    from overbudget.analysis.requests.reclassify import ruled_tree, span_ids, staged, stored_requests
    from overbudget.kernels.critical_path import critical_path
    from overbudget.kernels.span_tree import _downwards
    from overbudget.stages.assign import stage_of_nodes
    from overbudget.stages.server_queue import reported_waits

    tree, request_of, operations, _, catalogue = ruled_tree(connection, budget)
    entry = stored_requests(tree, request_of, table.complete).entry
    parent = _hung(connection, tree, request_of, table.complete)
    adopted = (tree.parent == ORPHAN) & (parent >= 0)
    lost = (parent == ORPHAN) & (request_of < 0)
    chosen = wanted & ~np.isin(tree.trace[entry], tree.trace[lost])
    chosen &= np.isin(tree.trace[entry], tree.trace[adopted])
    if not chosen.any():
        return Restored(table, path, chosen)
    tree = tree._replace(parent=parent, downwards=_downwards(parent), span_id=span_ids(connection, tree.row))
    number = np.append(np.where(chosen, np.cumsum(chosen) - 1, -1), -1).astype(np.int32)
    inside = number[_taken_along(request_of, parent)]
    stage_of: I16 = stage_of_nodes(tree, catalogue.columns, len(catalogue.stages) - 1)
    waits = reported_waits(connection).of_nodes(tree.row, tree, stage_of)
    requests = stored_requests(tree._replace(parent=np.where(inside >= 0, parent, -1)), inside, chosen[chosen])
    segments = critical_path(tree, requests, catalogue.columns, inside)
    parents = np.unique(parent[adopted])
    kept = np.isin(segments.node, parents)
    rest = np.bincount(segments.request[kept], (segments.end - segments.start)[kept], minlength=int(chosen.sum()))
    certain = rest <= LARGEST_REST * table.latency_ns[chosen]
    found = staged(
        np.arange(len(certain), dtype=np.int32), segments, catalogue.places, catalogue, stage_of, tree, inside, waits
    )
    rows = np.flatnonzero(chosen)[certain]
    new = without_stage(siblings_grouped(found.path, operations, path.siblings), catalogue.stages.index(ASKS_PERSON))
    return _merged(table, path, new, found.stages, found.stage_ns[certain], rows, np.flatnonzero(chosen))


def _hung(connection: duckdb.DuckDBPyConnection, tree: Tree, request_of: I32, complete: Bool) -> I32:
    """The parent of every node, with attached orphans below their new one."""
    stored = connection.sql("SELECT operation_id FROM data.tree ORDER BY node").to_arrow_table()
    operation = numbers(stored["operation_id"])
    lost = np.unique(operation[(tree.parent == ORPHAN) & (request_of < 0)])
    node: I32 = np.flatnonzero(
        (request_of >= 0) & np.append(complete, False)[request_of] & np.isin(operation, lost)
    ).astype(np.int32)
    ancestor = node
    operations = int(operation.max(initial=0)) + 1
    pairs = np.zeros(0, np.int64)  # operation and ancestor as one number
    for _ in range(DEEPEST):
        up = tree.parent[ancestor]
        node, ancestor = node[up >= 0], up[up >= 0]
        pair = operation[node].astype(np.int64) * operations + operation[ancestor]
        pairs = np.union1d(pairs, np.unique(pair))
    below, above = (column.astype(np.int32) for column in np.divmod(pairs, operations))
    with passing(connection, above=table_of(operation_id=below, ancestor_id=above)):
        places = connection.sql(_PLACES).to_arrow_table()
    parent = tree.parent.copy()
    parent[numbers(places["node"])] = numbers(places["parent"])
    return parent


def _taken_along(request_of: I32, parent: I32) -> I32:
    """The request of each node after orphans, with their subtrees, are attached to new parents."""
    out: I32 = request_of
    while True:
        joins = (out < 0) & (parent >= 0) & (out[parent] >= 0)
        if not joins.any():
            return out
        out = np.where(joins, out[parent], out).astype(np.int32)


def _merged(
    table: RequestTable,
    path: PathTable,
    new: PathTable,
    stages: tuple[str, ...],
    stage_ns: np.ndarray,
    rows: np.ndarray,
    numbered: np.ndarray,
) -> Restored:
    """The requests at `rows` with their new stage times and paths; `new` identifies requests by index into `numbered`."""
    is_restored = np.zeros(len(table), bool)
    if not set(stages) <= set(table.stages):
        return Restored(table, path, is_restored)
    is_restored[rows] = True
    columns = np.array([table.stages.index(stage) for stage in stages])
    all_ns = table.stage_ns.copy()
    all_ns[np.ix_(rows, np.arange(all_ns.shape[1]))] = 0
    all_ns[np.ix_(rows, columns)] = stage_ns
    places = tuple(dict.fromkeys([*path.places, *new.places]))
    place_of = np.array([*(places.index(place) for place in new.places), -1], np.int32)
    new_row = numbered[new.request_no]
    taken = is_restored[new_row]
    stays = ~np.isin(path.request_no, table.request_no[rows])

    def joined(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return np.concatenate([before[stays], after[taken].astype(before.dtype)])

    merged = replace(
        path,
        request_no=joined(path.request_no, table.request_no[new_row]),
        span_no=joined(path.span_no, new.span_no),
        operation=joined(path.operation, new.operation),
        hop=joined(path.hop, place_of[new.hop]),
        stage=joined(path.stage, columns[new.stage]),
        duration_ns=joined(path.duration_ns, new.duration_ns),
        awaited=joined(path.awaited, new.awaited),
        places=places,
    )
    parts_ns = None if table.parts_ns is None else np.where(is_restored[:, None], -1, table.parts_ns)
    present = tuple(was or bool(all_ns[rows, place].any()) for place, was in enumerate(table.present))
    merged_table = replace(table, stage_ns=all_ns, present=present, parts_ns=parts_ns)
    if ASKS_PERSON in stages:  # the restored requests' waits for a person are computed again
        user_ns = table.user_ns.copy()
        user_ns[rows] = stage_ns[:, stages.index(ASKS_PERSON)]
        merged_table = replace(merged_table, user_ns=user_ns, latency_ns=table.duration_ns - user_ns)
    return Restored(without_waits_for_person(merged_table), merged, is_restored)

"""Changes as factors and flags per span, for the replay."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from overbudget.analysis.budget.problems import question
from overbudget.analysis.requests.parts import part_ns
from overbudget.analysis.requests.table import I32, RequestTable
from overbudget.analysis.whatif.changes import Cache, Cap, Change, Drop, DropRetries, Parallel, Scale, Servers, Tokens
from overbudget.analysis.whatif.lines import Line
from overbudget.analysis.whatif.part_factor import request_factor, share_in_part
from overbudget.analysis.whatif.replay_input import ReplayInput
from overbudget.analysis.whatif.token_costs import token_factor
from overbudget.kernels.jit import kernel
from overbudget.kernels.replay import F64, NodeChanges, no_change, spread
from overbudget.stages.names import PART_NAMES, part_of
from overbudget.store.errors import OverbudgetError

TIMED_PARTS = (".first_token", ".writing")  # known for every span of a call; others for the call as a whole


@dataclass(frozen=True)
class Nodes:
    """The spans of the requests in `table`: `request` is each node's row of the table, -1 for none."""

    replay_input: ReplayInput
    request: I32
    table: RequestTable

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """A cursor for one question."""
        return self.replay_input.connection


def change_of(changes: Sequence[Change], nodes: Nodes) -> NodeChanges:
    """The changes together: factors multiply, caps apply before other changes.

    Errors: OverbudgetError where a change names no stage or operation, or one whose calls record no input.
    """
    factor, group, groups, at_once, _ = no_change(len(nodes.request))
    retry_of = nodes.replay_input.shape.retry_of
    dropped = np.zeros(len(factor), bool)  # failed calls that are left out: their retry takes their place
    saved = np.zeros((2, len(factor)))  # by parts of stages: of calls as a whole, of each of their spans
    of_stages = [one for one in changes if isinstance(one, Cap | Scale) and one.what in nodes.table.stages]
    if of_stages:
        factor *= _stage_factor(of_stages, nodes)
    for change in changes:
        match change:
            case Cap() | Scale() if change in of_stages:
                pass
            case Cap() | Scale() if (whole := part_of(change.what)) is not None:
                saved[int(change.what.endswith(TIMED_PARTS))] += _part_saves(change, whole, nodes)
            case Cap() | Scale():
                factor *= _operation_factor(change, nodes)
            case Cache():
                hit = _hits(change, nodes)
                factor *= _below(np.where(hit, 0.0, 1.0), nodes)
                dropped |= hit
            case DropRetries():
                again = np.zeros(len(factor), bool)
                again[retry_of[retry_of >= 0]] = True
                factor *= _below(np.where(again, 0.0, 1.0), nodes)
                dropped |= again
            case Parallel():
                group, groups = _grouped(change, nodes, group, groups)
            case Drop():
                here = _dropped(change, nodes)
                factor *= _below(np.where(here, 0.0, 1.0), nodes)
                dropped |= here
                at_once |= here
            case Tokens():
                factor *= _below(token_factor(change, nodes.replay_input.model_calls, len(factor)), nodes)
            case Servers():
                _is_operation(change.operation, nodes)
    of_call, of_span = np.maximum(1 - saved, 0)
    factor *= of_span * _below(of_call, nodes) if saved.any() else 1.0
    at_once |= (retry_of >= 0) & dropped[retry_of]
    gone = _below(np.where(dropped, 0.0, 1.0), nodes) == 0
    return NodeChanges(factor, group, groups, at_once, gone)


def _dropped(change: Drop, nodes: Nodes) -> npt.NDArray[np.bool_]:
    """The calls that are left out: all of an operation, or those of each request after its first few."""
    here = _is_operation(change.operation, nodes)
    if change.after is None:
        return here
    calls = np.flatnonzero(here & (nodes.replay_input.request_of >= 0))
    calls = calls[np.lexsort((calls, nodes.replay_input.tree.start[calls], nodes.replay_input.request_of[calls]))]
    request = nodes.replay_input.request_of[calls]
    first = np.searchsorted(request, request)
    out = np.zeros(len(here), bool)
    out[calls[np.arange(len(calls)) - first >= change.after]] = True
    return out


def _is_operation(name: str, nodes: Nodes) -> npt.NDArray[np.bool_]:
    """The nodes of an operation."""
    if name not in nodes.replay_input.names:
        known = [*nodes.table.stages, *PART_NAMES, *nodes.replay_input.names]
        raise OverbudgetError(f"There is no stage or operation `{name}`.{question(name, known)}")
    return np.asarray(nodes.replay_input.operation == nodes.replay_input.names.index(name))


def _part_saves(change: Cap | Scale, stage: str, nodes: Nodes) -> F64:
    """The share of each span's time that a change of a part takes away; what different parts take away adds up."""
    given = nodes.replay_input
    of_stage = nodes.table.stages.index(stage)
    share = share_in_part(nodes.connection, change.what, given.tree, given.stage, of_stage, given.queued)
    return np.asarray(
        share * (1 - np.append(request_factor(change, part_ns(nodes.table, change.what)), 1.0)[nodes.request])
    )


def _stage_factor(changes: Sequence[Cap | Scale], nodes: Nodes) -> F64:
    """By node what changes of whole stages make of its time; the share of it that waits in a server's queue is the stage
    `queue`'s."""
    stages, given = nodes.table.stages, nodes.replay_input
    each = np.ones((len(nodes.table) + 1, len(stages)))  # the last row is of spans of no request
    for change in changes:
        place = stages.index(change.what)
        each[:-1, place] *= request_factor(change, nodes.table.stage_ns[:, place])
        each[-1, place] *= change.factor if isinstance(change, Scale) else 1.0
    factor = np.take(each.ravel(), nodes.request.astype(np.int64) % len(each) * len(stages) + given.stage)
    if not given.queued.any():
        return np.asarray(factor)
    factor += given.queued * (1 - factor)
    if "queue" in stages:
        queue = stages.index("queue")
        waits = 1 - given.queued * (1 - each[:, queue][nodes.request])
        factor *= np.where(given.stage == queue, 1.0, waits)
    return np.asarray(factor)


def _operation_factor(change: Cap | Scale, nodes: Nodes) -> F64:
    here = _is_operation(change.what, nodes)
    if isinstance(change, Scale):
        return _below(np.where(here, change.factor, 1.0), nodes)
    took = nodes.replay_input.tree.end - nodes.replay_input.tree.start
    return _below(np.where(here & (took > change.ns), change.ns / np.maximum(took, 1), 1.0), nodes)


def _below(factor: F64, nodes: Nodes) -> F64:
    """A span's factor applies to all spans below it too; below such a span no other factor counts."""
    return np.asarray(spread(nodes.replay_input.shape.parent, nodes.replay_input.shape.downwards, factor))


def _hits(change: Cache, nodes: Nodes) -> npt.NDArray[np.bool_]:
    """The calls that a cache would have answered."""
    _is_operation(change.operation, nodes)
    replay_input = nodes.replay_input
    node, given = replay_input.inputs
    here = replay_input.operation[node] == replay_input.names.index(change.operation)
    if not here.any():
        raise OverbudgetError(
            f"No call of `{change.operation}` records its input (such as input.value), so the repeated ones are unknown."
        )
    node, given = node[here], given[here]
    start, end = replay_input.tree.start, replay_input.tree.end
    order = np.lexsort((node, start[node], given))
    node, given = node[order], given[order]
    hit = np.zeros(len(nodes.request), bool)
    hit[node[served(given, start[node], end[node], replay_input.failed[node], change.ttl_ns)]] = True
    return hit


@kernel
def served(given, start, end, failed, ttl_ns):
    """Which calls a cache answers; calls of equal input must be together, in order of start.

    The first call fills it when it ends; calls that start until then are made too, and so is the first one after the
    time to live, which fills it again. A call that fails fills nothing.
    """
    hit = np.zeros(given.size, np.bool_)
    filled, full = np.int64(0), False
    for i in range(given.size):
        if i > 0 and given[i] != given[i - 1]:
            full = False
        if full and filled <= start[i] <= filled + ttl_ns:
            hit[i] = True
        elif not failed[i] and not (full and start[i] < filled):
            filled, full = end[i], True
    return hit


def _grouped(change: Parallel, nodes: Nodes, group: I32, groups: int) -> tuple[I32, int]:
    """Add groups: the calls of the named operations under one parent."""
    here = np.zeros(len(group), bool)
    for name in change.operations:
        here |= _is_operation(name, nodes)
    here &= nodes.replay_input.shape.parent >= 0
    parents, number = np.unique(nodes.replay_input.shape.parent[here], return_inverse=True)
    group = group.copy()
    group[here] = (groups + number).astype(np.int32)
    return group, groups + len(parents)


def servers_of(changes: Sequence[Change], lines: Sequence[Line]) -> dict[int, int]:
    """The changed numbers of servers, by index of the line.

    Errors: OverbudgetError where no limit is known before an operation.
    """
    found = {}
    for change in changes:
        if isinstance(change, Servers):
            here = [
                place for place, line in enumerate(lines) if change.operation in {name for _, name in line.operations}
            ]
            if not here:
                known = "; ".join(f"`{line.name}`" for line in lines)
                rest = f" Known limits: {known}." if known else " These traces show no limit at all."
                raise OverbudgetError(f"No limit on `{change.operation}` is known, so it cannot be changed.{rest}")
            found[here[0]] = change.servers
    return found

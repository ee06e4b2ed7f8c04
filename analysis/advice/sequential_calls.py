"""Calls of one stage that follow one another under one parent, with nothing of another stage between them: runs.

turn       [==============================]
  tool a   .[====]                           a run of three tools,
  tool b   ........[===]                     with pauses of 2 and 1
  tool a   ............[=======]
  chat     ......................[#######]
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overbudget.analysis.whatif.factors import Nodes
from overbudget.kernels.arrow import flags, numbers
from overbudget.kernels.columns import I16, I32, I64, Bool
from overbudget.kernels.jit import kernel
from overbudget.kernels.mix import mixed


@dataclass(frozen=True)
class Run:
    """Runs of the same operations, of one stage, under parents of one operation.

    `overlapping` runs have calls that overlap; `pause_ns` is the median pause between calls, `orders` counts the different
    orders that were seen, `most` the calls of the longest run. `calls` are the nodes of all runs.
    """

    stage: str
    operations: tuple[tuple[str, str], ...]  # service, name
    runs: int
    overlapping: int
    pause_ns: float
    orders: int
    swapped: float  # share of the runs that are not in the usual order
    most: int
    calls: I32


class CallTree(NamedTuple):
    """The calls of all requests by node, and the children of each: `by_start[first[n]:first[n + 1]]`."""

    first: I64
    by_start: I32
    start: I64
    end: I64
    operation: I32
    stage: I16
    request: I32


class Kinds(NamedTuple):
    """By operation: numbers of its service and name, and of its name; whether it is weak. By stage: whether it is wanted."""

    pair: I32
    name: I32
    weak: Bool
    wanted: Bool


class Runs(NamedTuple):
    """The calls of all runs; where each begins, and where the last ends; of each run what the kernel says (RUN)."""

    calls: I32
    begins: I64
    each: npt.NDArray[np.void]


RUN = np.dtype(
    [
        ("stage", np.int16),
        ("parent", np.int32),  # its operation
        ("same", np.uint64),  # a hash of the set of operations
        ("order", np.uint64),  # a hash of their order
        ("least_ns", np.int64),  # the shortest pause between two calls, below 0 where they overlap
        ("pause_ns", np.float64),  # the median pause
    ]
)


def sequential_calls(nodes: Nodes, stages: Sequence[str]) -> Iterator[Run]:
    """All runs of calls of `stages` in these requests, equal ones together, the most frequent first.

    Calls of weak stages are skipped, and so are parents of the same stage: calls inside a retriever are its own matter.
    """
    replay_input, shape = nodes.replay_input, nodes.replay_input.shape
    operation = replay_input.tree.operation
    tree = CallTree(shape.first, shape.by_start, shape.start, shape.end, operation, replay_input.stage, nodes.request)
    kinds, known = _kinds(nodes, stages)
    runs = Runs(*_runs(tree, kinds, np.empty(0, RUN)))
    for first, here in _alike(runs.each):
        example = runs.calls[runs.begins[first] : runs.begins[first + 1]]
        each, lengths = runs.each[here], np.diff(runs.begins)
        orders = np.unique(each["order"], return_counts=True)[1]
        yield Run(
            stage=nodes.table.stages[each["stage"][0]],
            operations=tuple(sorted({known[kinds.pair[one]] for one in operation[example].tolist()})),
            runs=len(each),
            overlapping=int((each["least_ns"] < 0).sum()),
            pause_ns=float(np.median(each["pause_ns"])),
            orders=len(orders),
            swapped=float(1 - orders.max() / orders.sum()),
            most=int(lengths[here].max()),
            calls=runs.calls[np.repeat(here, lengths)],
        )


def _kinds(nodes: Nodes, stages: Sequence[str]) -> tuple[Kinds, list[tuple[str, str]]]:
    """What the kernel needs of operations and stages, and the service and name that each number of `pair` stands for."""
    rows = nodes.connection.sql(
        "SELECT operation_id, service_name, name, weak::TINYINT AS weak FROM operations"
    ).to_arrow_table()
    operation, names = numbers(rows["operation_id"]), rows["name"].to_pylist()
    pairs = list(zip(rows["service_name"].to_pylist(), names, strict=True))
    known = list(dict.fromkeys(pairs))
    count = int(operation.max(initial=-1)) + 1
    pair, name, weak = np.zeros(count, np.int32), np.zeros(count, np.int32), np.ones(count, bool)
    pair[operation], name[operation], weak[operation] = _numbered(pairs), _numbered(names), flags(rows["weak"])
    return Kinds(pair, name, weak, np.isin(nodes.table.stages, stages)), known


def _numbered(values: Sequence[Hashable]) -> I32:
    """The index of each value among the distinct ones, in order of first appearance."""
    places = {one: place for place, one in enumerate(dict.fromkeys(values))}
    return np.array([places[one] for one in values], np.int32)


def _alike(each: npt.NDArray[np.void]) -> Iterator[tuple[int, Bool]]:
    """For every kind of run, the most frequent first: its first run, and which runs are of the kind."""
    keys = np.stack([each[key].astype(np.uint64) for key in ("stage", "parent", "same")], axis=1)
    _, first, kind, sizes = np.unique(keys, axis=0, return_index=True, return_inverse=True, return_counts=True)
    for number in np.argsort(-sizes, kind="stable").tolist():
        yield int(first[number]), kind.ravel() == number


@kernel
def _runs(tree, kinds, none):
    """What `Runs` holds; `none` is an empty array of runs."""
    calls, begins = np.empty(tree.by_start.size, np.int32), [np.int64(0)]
    each, filled = np.empty(tree.by_start.size // 2, none.dtype), 0
    for parent in range(tree.first.size - 1):
        i, high = tree.first[parent], tree.first[parent + 1]
        if high - i < 2 or tree.request[parent] < 0:
            continue
        while i < high:
            beyond = _same_stage(tree, i, high)
            count = _take(tree, kinds, parent, i, beyond, calls[filled:])
            if count > 1:
                _describe(tree, kinds, parent, calls[filled : filled + count], each[len(begins) - 1])
                filled += count
                begins.append(np.int64(filled))
            i = beyond
    return calls[:filled], np.array(begins), each[: len(begins) - 1]


@kernel(inner=True)
def _same_stage(tree, i, high):
    """Where the children that are of the stage of the one at `i` end."""
    beyond = i + 1
    while beyond < high and tree.stage[tree.by_start[beyond]] == tree.stage[tree.by_start[i]]:
        beyond += 1
    return beyond


@kernel(inner=True)
def _take(tree, kinds, parent, i, beyond, calls):
    """Write the calls among the children from `i` to `beyond` that are wanted; how many they are."""
    stage, count = tree.stage[tree.by_start[i]], 0
    if stage < 0 or not kinds.wanted[stage] or stage == tree.stage[parent]:
        return count
    for k in range(i, beyond):
        if not kinds.weak[tree.operation[tree.by_start[k]]]:
            calls[count] = tree.by_start[k]
            count += 1
    return count


@kernel(inner=True)
def _describe(tree, kinds, parent, calls, run):
    """Fill in what RUN says of a run of two calls or more."""
    distinct, found = np.zeros(calls.size, np.int32), 0
    same, order = np.uint64(0), np.uint64(0)
    pauses = np.empty(calls.size - 1, np.int64)
    for k in range(calls.size):
        operation = tree.operation[calls[k]]
        pair = kinds.pair[operation]
        if not np.any(distinct[:found] == pair):
            distinct[found] = pair
            found += 1
            same += mixed(pair)
        order = mixed(order ^ np.uint64(kinds.name[operation]))
        if k > 0:
            pauses[k - 1] = tree.start[calls[k]] - tree.end[calls[k - 1]]
    run["stage"], run["parent"] = tree.stage[calls[0]], tree.operation[parent]
    run["same"], run["order"] = same, order
    run["least_ns"], run["pause_ns"] = pauses.min(), np.median(pauses)

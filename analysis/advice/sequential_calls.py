"""CallTree of one stage that follow one another under one parent, with nothing of another stage between them: runs.

turn       [==============================]
  tool a   .[====]                           a run of three tools,
  tool b   ........[===]                     with pauses of 2 and 1
  tool a   ............[=======]
  chat     ......................[#######]
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from overbudget.analysis.whatif.factors import Nodes
from overbudget.kernels.arrow import numbers
from overbudget.kernels.columns import I16, I32, I64, U64, Bool
from overbudget.kernels.jit import kernel
from overbudget.kernels.replay import F64
from overbudget.kernels.tally import mixed


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
    """The calls of all runs; where each begins; per run its stage, the operation of the parent, a hash of the set of operations and
    one of their order, the least and the median pause."""

    calls: I32
    begins: I64
    stage: I16
    parent: I32
    same: U64
    order: U64
    least: I64
    pause: F64


def sequential_calls(nodes: Nodes, stages: Sequence[str]) -> Iterator[Run]:
    """All runs of calls of `stages` in these requests, put together, the most frequent first.

    CallTree of weak stages are passed over, and parents of the same stage: what is below a retriever is its own business.
    """
    table, replay_input = nodes.table, nodes.replay_input
    rows = nodes.connection.sql("SELECT operation_id, service_name, name, weak FROM operations").to_arrow_table()
    pairs = list(zip(rows["service_name"].to_pylist(), rows["name"].to_pylist(), strict=True))
    count = int(numbers(rows["operation_id"]).max(initial=-1)) + 1
    pair, name, weak = np.zeros(count, np.int32), np.zeros(count, np.int32), np.ones(count, bool)
    known, names = list(dict.fromkeys(pairs)), {one: i for i, one in enumerate(dict.fromkeys(n for _, n in pairs))}
    place = {one: i for i, one in enumerate(known)}
    for operation, one, is_weak in zip(rows["operation_id"].to_pylist(), pairs, rows["weak"].to_pylist(), strict=True):
        pair[operation], name[operation], weak[operation] = place[one], names[one[1]], bool(is_weak)
    wanted = np.isin(table.stages, stages)
    shape = replay_input.shape
    tree = CallTree(
        shape.first,
        shape.by_start,
        shape.start,
        shape.end,
        replay_input.tree.operation,
        replay_input.stage,
        nodes.request,
    )
    found = Runs(*_runs(tree, Kinds(pair, name, weak, wanted)))
    calls, begins, of_stage, order = found.calls, found.begins, found.stage, found.order
    groups = np.stack([of_stage.astype(np.uint64), found.parent.astype(np.uint64), found.same], axis=1)
    _, first, group, sizes = np.unique(groups, axis=0, return_index=True, return_inverse=True, return_counts=True)
    lengths = np.diff(begins)
    run_of_call = np.repeat(np.arange(len(lengths)), lengths)
    for number in np.argsort(-sizes, kind="stable").tolist():
        here = group.ravel() == number
        usual = calls[begins[first[number]] : begins[first[number] + 1]]
        counts = np.unique(order[here], return_counts=True)[1]
        yield Run(
            stage=table.stages[of_stage[first[number]]],
            operations=tuple(
                sorted({known[pair[operation]] for operation in replay_input.tree.operation[usual].tolist()})
            ),
            runs=int(sizes[number]),
            overlapping=int((found.least[here] < 0).sum()),
            pause_ns=float(np.median(found.pause[here])),
            orders=len(counts),
            swapped=float(1 - counts.max() / counts.sum()),
            most=int(lengths[here].max()),
            calls=calls[here[run_of_call]],
        )


@kernel
def _runs(tree, kinds):
    """What `Runs` holds."""
    first, by_start, start, end = tree.first, tree.by_start, tree.start, tree.end
    operation, stage, request = tree.operation, tree.stage, tree.request
    pair, name, weak, wanted = kinds.pair, kinds.name, kinds.weak, kinds.wanted
    calls = np.empty(by_start.size, np.int32)
    begins, of_stage, of_parent = [np.int64(0)], [np.int16(0)], [np.int32(0)]
    same, order, least, pause = [np.uint64(0)], [np.uint64(0)], [np.int64(0)], [np.float64(0)]
    filled = 0
    for parent in range(first.size - 1):
        low, high = first[parent], first[parent + 1]
        if high - low < 2 or request[parent] < 0:
            continue
        i = low
        while i < high:
            here = stage[by_start[i]]
            beyond = i
            while beyond < high and stage[by_start[beyond]] == here:
                beyond += 1
            begin = filled
            if here >= 0 and wanted[here] and here != stage[parent]:
                for k in range(i, beyond):
                    if not weak[operation[by_start[k]]]:
                        calls[filled] = by_start[k]
                        filled += 1
            i = beyond
            if filled - begin < 2:
                filled = begin
                continue
            distinct = np.zeros(filled - begin, np.int32)
            found, set_hash, order_hash = 0, np.uint64(0), np.uint64(0)
            pauses = np.empty(filled - begin - 1, np.int64)
            for k in range(begin, filled):
                code = pair[operation[calls[k]]]
                new = True
                for d in range(found):
                    if distinct[d] == code:
                        new = False
                        break
                if new:
                    distinct[found] = code
                    found += 1
                    set_hash += mixed(code)
                order_hash = mixed(order_hash ^ np.uint64(name[operation[calls[k]]]))
                if k > begin:
                    pauses[k - begin - 1] = start[calls[k]] - end[calls[k - 1]]
            begins.append(np.int64(filled))
            of_stage.append(here)
            of_parent.append(operation[parent])
            same.append(set_hash)
            order.append(order_hash)
            least.append(pauses.min())
            pause.append(np.median(pauses))
    return (
        calls[:filled], np.array(begins), np.array(of_stage)[1:], np.array(of_parent)[1:], np.array(same)[1:],
        np.array(order)[1:], np.array(least)[1:], np.array(pause)[1:],
    )  # fmt: skip

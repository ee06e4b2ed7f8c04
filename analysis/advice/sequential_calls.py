"""Calls of one stage that follow one another under one parent, with nothing of another stage between them: runs.

turn       [==============================]
  tool a   .[====]                           a run of three tools,
  tool b   ........[===]                     with pauses of 2 and 1
  tool a   ............[=======]
  chat     ......................[#######]
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from overbudget.analysis.whatif.factors import Nodes
from overbudget.kernels.arrow import numbers
from overbudget.kernels.columns import I32
from overbudget.kernels.jit import kernel


@dataclass(frozen=True)
class Beside:
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
    most: int
    calls: I32


def calls_beside(nodes: Nodes, stages: Sequence[str]) -> Iterator[Beside]:
    """All runs of calls of `stages` in the requests at hand, put together, the most frequent first.

    Calls of weak stages are passed over, and parents of the same stage: what is below a retriever is its own business.
    """
    table, ground = nodes.table, nodes.ground
    rows = nodes.connection.sql("SELECT operation_id, service_name, name, weak FROM operations").to_arrow_table()
    pairs = list(zip(rows["service_name"].to_pylist(), rows["name"].to_pylist(), strict=True))
    count = int(numbers(rows["operation_id"]).max(initial=-1)) + 1
    pair, name, weak = np.zeros(count, np.int32), np.zeros(count, np.int32), np.ones(count, bool)
    known, names = list(dict.fromkeys(pairs)), {one: i for i, one in enumerate(dict.fromkeys(n for _, n in pairs))}
    place = {one: i for i, one in enumerate(known)}
    for operation, one, is_weak in zip(rows["operation_id"].to_pylist(), pairs, rows["weak"].to_pylist(), strict=True):
        pair[operation], name[operation], weak[operation] = place[one], names[one[1]], bool(is_weak)
    wanted = np.isin(table.stages, stages)
    runs = _runs(
        ground.shape.first, ground.shape.by_start, ground.tree.start, ground.tree.end, ground.tree.operation,
        ground.stage, nodes.request, pair, name, weak, wanted,
    )  # fmt: skip
    calls, begins, of_stage, of_parent, same, order, least, pause = runs
    groups = np.stack([of_stage.astype(np.uint64), of_parent.astype(np.uint64), same], axis=1)
    _, first, group, sizes = np.unique(groups, axis=0, return_index=True, return_inverse=True, return_counts=True)
    lengths = np.diff(begins)
    run_of_call = np.repeat(np.arange(len(lengths)), lengths)
    for number in np.argsort(-sizes, kind="stable").tolist():
        here = group.ravel() == number
        one = calls[begins[first[number]] : begins[first[number] + 1]]
        yield Beside(
            stage=table.stages[of_stage[first[number]]],
            operations=tuple(sorted({known[pair[operation]] for operation in ground.tree.operation[one].tolist()})),
            runs=int(sizes[number]),
            overlapping=int((least[here] < 0).sum()),
            pause_ns=float(np.median(pause[here])),
            orders=len(np.unique(order[here])),
            most=int(lengths[here].max()),
            calls=calls[here[run_of_call]],
        )


@kernel
def _mix(value):  # type: ignore[no-untyped-def]
    h = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@kernel
def _runs(first, by_start, start, end, operation, stage, request, pair, name, weak, wanted):  # type: ignore[no-untyped-def]
    """The calls of all runs, and of each run: where they begin, stage, operation of the parent, a hash of the set of
    operations and one of their order, the least and the median pause."""
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
                    set_hash += _mix(code)
                order_hash = _mix(order_hash ^ np.uint64(name[operation[calls[k]]]))
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

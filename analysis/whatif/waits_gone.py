"""The other end of an answer that is at most so long: the same change with none of the waits that cannot be replayed."""

from collections.abc import Sequence

import numpy as np

from overbudget.analysis.whatif.bounds import Bound, Doubt
from overbudget.analysis.whatif.candidates import WITHIN
from overbudget.analysis.whatif.changes import Change, Tokens
from overbudget.analysis.whatif.evidence import LineEvidence
from overbudget.analysis.whatif.lines import Line, System, queues_of
from overbudget.analysis.whatif.token_costs import ModelCalls
from overbudget.kernels.columns import I64
from overbudget.kernels.replay import F64, Graph, NodeChanges, Shape, replay

FASTEST = 0.01  # of the calls of a batching server, that write at the pace of one that is nearly alone
LEAST_CALLS = 100


def may_be_told(bound: Bound | None, doubts: Sequence[Doubt], system: System) -> bool:
    """Whether waits that stayed as they were are all that the answer does not know."""
    reasons = {doubt.why for doubt in doubts}
    within = any(line.per == WITHIN for line in system.unclear)  # of which the graph without a line tells nothing
    return bound == "at_most" and bool(reasons) and reasons <= {"unclear_line", "batching"} and not within


def events_without_waits(
    shape: Shape,
    graph: Graph,
    system: System,
    given: dict[int, int],
    change: NodeChanges,
    changes: Sequence[Change],
    calls: ModelCalls,
) -> I64 | None:
    """The events of a replay in which nobody waits in the lines that are not replayed, and servers that work for several calls at
    once work as fast as for one; None where it is not known how fast that is. What is changed takes at least so long."""
    lag, factor = graph.lag.copy(), change.factor.copy()
    for line in system.unclear:
        seen = line.evidence
        if isinstance(seen, LineEvidence):
            begins = 2 * seen.candidate.node
            lag[begins] = np.minimum(lag[begins], np.maximum(seen.wanted - seen.candidate.base, 0))
            continue
        lag[2 * line.node + 1] -= line.waited_ns
        if line.batches:
            alone = _alone(line, shape, change.factor, any(isinstance(one, Tokens) for one in changes), calls)
            if alone is None:
                return None
            factor[line.node] = alone
    queues = queues_of(system.lines, shape, system.graph, given)
    return replay(shape, graph._replace(lag=lag), change._replace(factor=factor), queues)


def _alone(line: Line, shape: Shape, factor: F64, tokens_changed: bool, calls: ModelCalls) -> F64 | None:
    """What the time of each call of a batching server, its wait apart, is multiplied by where it is alone there."""
    written = np.zeros(len(shape.parent))
    written[calls.node] = calls.output
    took, hold = (x.astype(np.float64) for x in (shape.end - shape.start, shape.end - shape.start))
    hold[line.node] -= line.waited_ns
    took, hold, written = (np.maximum(x[line.node], 1.0) for x in (took, hold, written))
    if (written > 1).sum() < max(LEAST_CALLS, 0.95 * len(written)):
        return None
    left = factor[line.node]
    if tokens_changed:  # which saves time of the whole call that is no wait
        left = np.maximum(0.0, 1 - (1 - left) * took / hold)
    pace = hold / written
    return np.asarray(left * np.minimum(1.0, np.quantile(pace, FASTEST) / pace))

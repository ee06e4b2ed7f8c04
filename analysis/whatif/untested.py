"""Whether a replay waits for what was never the reason before (docs/reference/method.md, Bounds)."""

import numpy as np
import numpy.typing as npt

from overbudget.analysis.whatif.bounds import Doubt
from overbudget.kernels.columns import I32, I64, Bool
from overbudget.kernels.reasons import known_reasons, new_reasons
from overbudget.kernels.replay import Graph, Shape

Reasons = tuple[I64, I32]  # of `known_reasons`
MUCH = 0.01  # of a request's latency, by which it is later than its known reasons make it
MOST = 0.005  # of the requests, that may be


def reasons_of(shape: Shape, graph: Graph, events: I64) -> Reasons:
    """How often starts and ends wait for the end of what, and how often that was the last thing they waited for."""
    keys, counts = known_reasons(graph, events, shape.kind, shape.kinds)
    return keys, counts


def untested_doubts(
    shape: Shape,
    graph: Graph,
    reasons: Reasons,
    was: I64,
    now: I64,
    given: Bool,
    request: I32,
    latency_ns: I64,
    names: tuple[str, ...],
) -> tuple[Doubt, ...]:
    """What the events `now` wait for although hardly anything ever waited for it last, where that changes what requests take.

    That one call began after another does not tell that it waited for it, where a third one ended later still. `given` are nodes
    that a change makes others wait for, `request` is the row of each node in `latency_ns`, `names` are those of the kinds.
    """
    node, what, late = new_reasons(graph, was, now, shape.kind, shape.kinds, *reasons, given)
    row = request[node]
    inside = row >= 0
    later = np.bincount(row[inside], late[inside], minlength=len(latency_ns))
    much: npt.NDArray[np.bool_] = later > MUCH * latency_ns
    if not len(latency_ns) or much.mean() <= MOST:
        return ()
    here = inside & much[np.maximum(row, 0)] & (what >= 0)
    kinds = np.bincount(shape.kind[what[here]], late[here], minlength=shape.kinds)
    return tuple(Doubt("untested", names[kind]) for kind in np.argsort(-kinds).tolist()[:1] if kinds[kind])

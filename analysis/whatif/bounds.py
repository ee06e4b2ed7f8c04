"""What a replay cannot know, and whether its answer is then an upper or a lower bound (docs/reference/method.md, Bounds)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from overbudget.analysis.whatif.lines import System
from overbudget.kernels.columns import I32, I64
from overbudget.kernels.replay import Shape
from overbudget.kernels.server_lines import by_number, levels, spearman

Bound = Literal["at_most", "at_least"]
Why = Literal[
    "unclear_line",
    "grows_with_load",
    "closed_loop",
    "hedged",
    "batching",
    "more_at_once",
    "untested",
    "lost_spans",
    "upstream",
]
LEAST_CALLS = 100
LEAST_CORRELATION = 0.3
LOOKED_AT = 5_000  # calls of an operation
TOUCHED = 0.01  # share of an operation's calls that must change
CLOSED = 0.7  # variance over mean of the requests in flight; below it, arrivals wait for answers


@dataclass(frozen=True)
class Doubt:
    """Why an answer is a bound, or (`upstream`) why there is not even a bound; `operation` is its name, "" for all."""

    why: Why
    operation: str


@dataclass(frozen=True)
class Unexplained:
    """An operation whose wait ("gap") or self time ("own") grows with the number of concurrent calls, though no line explains it."""

    kind: int
    what: Literal["gap", "own"]
    node: I32


def suspects(shape: Shape, system: System) -> tuple[Unexplained, ...]:
    """The operations that are slower when many calls use them, though no replayed line explains it."""
    looked_at = shape.parent >= 0
    for line in system.lines:
        looked_at[line.node] = False
    base = shape.start - system.graph.lag[0::2]
    begins, nodes = by_number(shape.kind, shape.kinds)
    found = []
    for kind in np.flatnonzero(np.diff(begins) >= LEAST_CALLS).tolist():
        node = nodes[begins[kind] : begins[kind + 1]]
        some = node[:: max(1, len(node) // LOOKED_AT)]
        some = some[looked_at[some]]
        if len(some) < LEAST_CALLS:
            continue
        gap, took = (shape.start - base)[some], (shape.end - shape.start)[some]
        leaf = (shape.first[some + 1] == shape.first[some]).all()
        vary = [(what, x) for what, x in (("gap", gap), ("own", took)) if (what == "gap" or leaf) and _varies(x)]
        if not vary:
            continue
        node = node[looked_at[node]]
        load = levels(base[node], shape.end[node], base[some]) - 1
        for what, x in vary:
            if _grows(x, load):
                found.append(Unexplained(kind, what, node))  # type: ignore[arg-type]
    return tuple(found)


def _varies(x: I64) -> bool:
    low, high = np.quantile(x, (0.1, 0.9))
    return bool(high >= 1.5 * low + 1_000_000)


def _grows(x: I64, load: I64) -> bool:
    """Whether times grow with the load: by rank, by more than a millisecond, and by more than half of themselves."""
    if load.max() < 2 or spearman(x, load) < LEAST_CORRELATION:
        return False
    quiet, busy = x[load <= np.quantile(load, 0.25)], x[load >= np.quantile(load, 0.75)]
    return bool(np.median(busy) >= 1.5 * np.median(quiet) + 1_000_000)


def is_closed_loop(start: I64, end: I64) -> bool:
    """Whether requests seem to arrive only when others are answered: then the number in flight hardly varies."""
    if len(start) < LEAST_CALLS:
        return False
    low, high = np.quantile(start, (0.05, 0.95))
    running = levels(start, end, np.linspace(low, high, 4_000).astype(np.int64))
    return bool(running.mean() > 0 and running.var() < CLOSED * running.mean())


def doubts(
    shape: Shape, system: System, suspected: tuple[Unexplained, ...], names: tuple[str, ...], after: I64, closed: bool
) -> tuple[Doubt, ...]:
    """What makes the events `after` a change uncertain. `names` are the names of the kinds of operations."""
    found: list[Doubt] = []
    watched: list[tuple[Why, str, I32]] = [
        ("unclear_line", line.name, line.node) for line in system.unclear if not line.batches
    ]
    watched += [("grows_with_load", names[one.kind], one.node) for one in suspected]
    for why, name, node in watched:
        doubt = _touched(system.nothing, after, node, why)
        if doubt is not None:
            found.append(Doubt(doubt, name))
    for kind in np.unique(shape.kind[shape.lost]).tolist():
        node = np.flatnonzero(shape.kind == kind).astype(np.int32)
        if _touched(system.nothing, after, node, "hedged") == "hedged":
            found.append(Doubt("hedged", names[kind]))
    if closed and any((_moved(system.nothing, after, line.node) != 0).any() for line in system.lines):
        found.append(Doubt("closed_loop", ""))
    return tuple(dict.fromkeys(found))


def _moved(before: I64, after: I64, node: I32) -> I64:
    return after[2 * node] - before[2 * node]


def _touched(before: I64, after: I64, node: I32, why: Why) -> Why | None:
    """`why` where the calls' durations change, "upstream" where they only begin at another time."""
    length = (after[2 * node + 1] - after[2 * node]) - (before[2 * node + 1] - before[2 * node])
    least = max(1.0, TOUCHED * len(node))
    if np.count_nonzero(length) >= least:
        return why
    return "upstream" if np.count_nonzero(_moved(before, after, node)) >= least else None


def bound_of(found: tuple[Doubt, ...], before_ns: I64, after_ns: I64) -> Bound | None:
    """Whether the percentiles after a change are an upper or a lower bound; None where they are exact, or nothing can be proved.

    Waits that no line explains, and the time of lost spans, are kept: faster calls would wait less (so: at most this long), slower
    ones more. Where requests arrive only when others are answered, faster answers bring more requests: at least this long. The same
    holds where waits for a server that works on several calls at once are removed. Of hedged calls, the one that answered first is
    replayed; the other might then be first: at most this long, faster or slower. The same holds where the replay waits for something
    that was never the reason to wait.
    """
    reasons = {doubt.why for doubt in found} - {"upstream"}
    if not reasons or (before_ns == after_ns).all():
        return None
    faster = after_ns.sum() <= before_ns.sum()
    sides: set[Bound] = set()
    if reasons & {"unclear_line", "grows_with_load", "batching", "lost_spans"}:
        sides.add("at_most" if faster else "at_least")
    if reasons & {"hedged", "untested"}:
        sides.add("at_most")
    if reasons & {"closed_loop", "more_at_once"}:
        sides.add("at_least" if faster else "at_most")
    return sides.pop() if len(sides) == 1 else None

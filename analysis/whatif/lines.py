"""Lines: queues in which calls wait for a limited number of servers, found in the traces and ready to be replayed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.whatif.candidates import WITHIN, Callers, candidates
from overbudget.analysis.whatif.evidence import LineEvidence, evidence_of
from overbudget.analysis.whatif.own_time import OwnTime, waits_in_own_time
from overbudget.kernels.columns import I32, I64
from overbudget.kernels.replay import Graph, Queues, Shape, graph_of, lengths, no_change, no_queues, replay

REPRODUCED_WITHIN = 0.005  # of a percentile
PERCENTILES = (50, 90, 95)


@dataclass(frozen=True)
class Line:
    """Calls that wait for one of `servers` (of each instance of what they share).

    `first_come` says whether they are served first come, first served, as far as the traces show: only then is it replayed.
    `node` are the calls, `waited_ns` how long each waited in line.
    """

    operations: tuple[tuple[str, str], ...]
    per: str  # what has its own servers: "", "pod", "peer", "model", "caller", WITHIN; "rate": a rate limit
    servers: int
    instances: int
    node: I32
    waited_ns: I64
    first_come: bool
    period_ns: int
    evidence: LineEvidence | OwnTime
    batches: bool = False  # the server works on several calls at once: each takes longer the more there are

    @property
    def name(self) -> str:
        """The names of its operations."""
        return ", ".join(dict.fromkeys(name for _, name in self.operations))

    @property
    def within_calls(self) -> bool:
        """Whether the calls wait during their self time, not before they start."""
        return isinstance(self.evidence, OwnTime)

    def waits(self) -> tuple[int, int, int]:
        """How many calls waited, and p50 and p95 of their waits (ns)."""
        waited = self.waited_ns[self.waited_ns > 0]
        p50, p95 = (one.value_ns or 0 for one in quantiles(waited, (50, 95))[0]) if len(waited) else (0, 0)
        return len(waited), p50, p95


def find_lines(
    callers: Callers, kinds: Sequence[tuple[str, str]], own_time: Sequence[OwnTime] | None = None
) -> tuple[Line, ...]:
    """The lines of all requests together, no two with a common call: first those that are first come, first served, then those
    that explain most of the waiting, then those of the fewest instances. `kinds` are service and name; `own_time` has the waits
    during calls' self time, if computed already."""
    shape, found = callers.shape, []
    for own in waits_in_own_time(shape) if own_time is None else own_time:
        waited = np.maximum(own.grant - shape.start[own.node], 0)
        found.append(Line(_operations(shape, own.node, kinds), "", own.servers, 1, own.node, waited, True, 0, own))
    for one in candidates(callers):
        seen = evidence_of(one)
        if seen is not None:
            found.append(_before_calls(shape, seen, kinds))
    found.sort(key=lambda line: (not line.first_come, -int(line.waited_ns.sum()), line.instances, line.per))
    taken, kept = np.zeros(len(shape.start), bool), []
    for line in found:
        if not taken[line.node].any():
            taken[line.node] = True
            kept.append(line)
    return tuple(kept)


def _before_calls(shape: Shape, seen: LineEvidence, kinds: Sequence[tuple[str, str]]) -> Line:
    one = seen.candidate
    waited = np.where(seen.queued, seen.grant - seen.ready, 0)
    return Line(
        _operations(shape, one.node, kinds), one.per, int(seen.servers.max()), len(seen.servers), one.node, waited,
        seen.first_come, one.period_ns, seen,
    )  # fmt: skip


def _operations(shape: Shape, node: I32, kinds: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(kinds[kind] for kind in np.unique(shape.kind[node]).tolist()))


def line_of_node(lines: Sequence[Line], nodes: int) -> I32:
    """int32[nodes]: siblings with the same number, other than -1, do not wait for one another but for a server."""
    of = np.full(nodes, -1, np.int32)
    for line in lines:
        if line.per == WITHIN and isinstance(line.evidence, LineEvidence):
            of[line.node] = len(of)
    return of


def queues_of(lines: Sequence[Line], shape: Shape, graph: Graph, servers: dict[int, int] | None = None) -> Queues:
    """What the replay needs to know of the lines. `servers` replaces the number of servers of a line, by its index."""
    nodes, given = len(shape.parent), servers or {}
    queues = no_queues(nodes)
    if not lines:
        return queues
    ready, delta, rank, lag = (np.zeros(2 * nodes, np.int64) for _ in range(4))
    release = np.full(2 * nodes, -1, np.int32)
    of, count = queues.line, list[int]()
    for number, line in enumerate(lines):
        seen = line.evidence
        if isinstance(seen, OwnTime):
            event, start, end = 2 * seen.node + 1, shape.start[seen.node], shape.end[seen.node]
            let_in = np.minimum(np.maximum(seen.grant, start + seen.before_ns), end)
            ready[event] = np.minimum(seen.before_ns, end - start)
            delta[event], rank[event], release[event] = end - let_in, seen.rank, event
            of[event] = len(count)
            count.append(given.get(number, seen.servers))
            continue
        one = seen.candidate
        event, base = 2 * one.node, shape.start[one.node] - graph.lag[2 * one.node]
        ready[event] = seen.ready - base
        delta[event], rank[event] = np.where(seen.queued, one.start - seen.grant, 0), seen.rank
        release[event] = event if line.period_ns else 2 * one.last + 1
        lag[event] = line.period_ns
        instance = np.repeat(np.arange(len(seen.servers)), np.diff(one.begins))
        of[event] = len(count) + instance
        usual = np.full(len(seen.servers), line.servers) if one.per == WITHIN else seen.servers
        count += [given.get(number, int(c)) for c in usual]
    return Queues(of, np.array(count, np.int64), ready, delta, rank, release, lag)


@dataclass(frozen=True)
class System:
    """A dataset's replay with its lines. `nothing` has all events with nothing changed, `unlike` the lines that are left out
    because they do not reproduce the percentiles of the observed durations."""

    graph: Graph
    lines: tuple[Line, ...]  # replayed
    unclear: tuple[Line, ...]  # known, but not replayed: their waits stay as recorded
    nothing: I64
    reproduced: float  # share of the requests whose duration the replay reproduces within 0.5 %


def system_of(shape: Shape, found: Sequence[Line], entries: I32, plain: Graph | None = None) -> System:
    """The lines that the replay can serve. All of them together must reproduce p50, p90 and p95 of the entries' durations.

    `plain` is the graph without lines, if computed already.
    """
    served = tuple(line for line in found if line.first_come)
    unclear = tuple(line for line in found if not line.first_come)
    observed = shape.end[entries] - shape.start[entries]
    while True:
        within = any(line.per == WITHIN for line in served)
        if within or plain is None:
            graph = graph_of(shape, line_of=line_of_node(served, len(shape.parent)))
        else:
            graph = plain
        events = replay(shape, graph, no_change(len(shape.parent)), queues_of(served, shape, graph))
        took = lengths(events)[entries]
        if not served or _alike(observed, took):
            near = np.abs(took - observed) <= REPRODUCED_WITHIN * observed
            return System(graph, served, unclear, events, float(near.mean()) if len(near) else 1.0)
        worst = served[-1]  # the one that explains least
        served, unclear = served[:-1], (*unclear, worst)


def without(system: System, places: Sequence[int], shape: Shape) -> System:
    """The same system with the waits of some lines (by index) kept as recorded."""
    left = tuple(line for place, line in enumerate(system.lines) if place not in places)
    kept = tuple(line for place, line in enumerate(system.lines) if place in places)
    nothing = replay(shape, system.graph, no_change(len(shape.parent)), queues_of(left, shape, system.graph))
    return replace(system, lines=left, unclear=(*system.unclear, *kept), nothing=nothing)


def _alike(a: I64, b: I64) -> bool:
    old, new = (quantiles(one, PERCENTILES)[0] for one in (a, b))
    pairs = [(x.value_ns or 0, y.value_ns or 0) for x, y in zip(old, new, strict=True)]
    return all(abs(y - x) <= REPRODUCED_WITHIN * x for x, y in pairs)

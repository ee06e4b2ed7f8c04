"""Small systems simulated event by event, whose truth under a change is known by simulating them again with the change made.

What a request draws depends on its number and the seed alone, so that two runs differ by the change and nothing else.
"""

import heapq
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from overbudget.analysis.whatif.bounds import is_closed_loop, suspects
from overbudget.analysis.whatif.candidates import Callers, callers_of
from overbudget.analysis.whatif.lines import Line, System, find_lines, queues_of, system_of
from overbudget.kernels.columns import Tree
from overbudget.kernels.replay import Shape, graph_of, lengths, no_change, replay, shape_of, spread

MS = 1_000_000
Process = Generator[Any, None, None]


class Servers:
    """A limited number of servers; who comes first is served first, or with `newest_first` who came last."""

    def __init__(self, count: int, newest_first: bool = False) -> None:
        self.free, self.newest_first = count, newest_first
        self.standing: list[Process] = []


@dataclass
class Simulation:
    """Runs processes that yield an int (so many ns pass), ("take", servers), ("give", servers) or a list of processes to wait for."""

    now: int = 0
    spans: list[tuple[int, int, str, str, int, int]] = field(
        default_factory=list
    )  # trace, parent, service, name, start, end
    running: int = 0  # model calls, where a world counts them

    def __post_init__(self) -> None:
        self._next: list[tuple[int, int, Process]] = []
        self._count = 0
        self._joins: dict[Process, tuple[Process, list[Process]]] = {}

    def start(self, process: Process, at: int) -> None:
        self._count += 1
        heapq.heappush(self._next, (at, self._count, process))

    def run(self) -> None:
        while self._next:
            self.now, _, process = heapq.heappop(self._next)
            self._step(process)

    def _step(self, process: Process) -> None:
        while True:
            try:
                asked = next(process)
            except StopIteration:
                waiting = self._joins.pop(process, None)
                if waiting is not None:
                    waiting[1].remove(process)
                    if not waiting[1]:
                        self.start(waiting[0], self.now)
                return
            if isinstance(asked, int):
                self.start(process, self.now + asked)
                return
            if isinstance(asked, list):
                left = list(asked)
                for one in asked:
                    self._joins[one] = (process, left)
                    self.start(one, self.now)
                if left:
                    return
                continue
            what, servers = asked
            if what == "give":
                servers.free += 1
                if servers.standing:
                    servers.free -= 1
                    self.start(servers.standing.pop(-1 if servers.newest_first else 0), self.now)
            elif servers.free:
                servers.free -= 1
            else:
                servers.standing.append(process)
                return

    def open(self, trace: int, parent: int, name: str, service: str = "app") -> int:
        self.spans.append((trace, parent, service, name, self.now, -1))
        return len(self.spans) - 1

    def close(self, span: int) -> None:
        self.spans[span] = (*self.spans[span][:5], self.now)


@dataclass
class Seen:
    """A simulated dump, prepared for replays as the workbench does it."""

    shape: Shape
    kinds: list[tuple[str, str]]
    entries: np.ndarray  # type: ignore[type-arg]
    system: System
    lines: tuple[Line, ...]

    @property
    def durations(self) -> np.ndarray:  # type: ignore[type-arg]
        return (self.shape.end - self.shape.start)[self.entries]

    def nodes(self, name: str) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([self.kinds[k][1] == name for k in range(len(self.kinds))])[self.shape.kind]

    def predicted(self, scale: dict[str, float] | None = None, servers: dict[str, int] | None = None) -> np.ndarray:  # type: ignore[type-arg]
        """Durations after a change, in the order of the entries."""
        return self.observed_and(self.events(scale, servers))

    def events(self, scale: dict[str, float] | None = None, servers: dict[str, int] | None = None) -> np.ndarray:  # type: ignore[type-arg]
        factor = np.ones(len(self.shape.parent))
        for name, by in (scale or {}).items():
            assert self.nodes(name).any()
            factor[self.nodes(name)] = by
        change = no_change(len(factor))._replace(factor=spread(self.shape.parent, self.shape.downwards, factor))
        given = {
            place: count
            for name, count in (servers or {}).items()
            for place, line in enumerate(self.system.lines)
            if name in line.name
        }
        queues = queues_of(self.system.lines, self.shape, self.system.graph, given)
        return replay(self.shape, self.system.graph, change, queues)

    def observed_and(self, events: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return self.durations + (lengths(events) - lengths(self.system.nothing))[self.entries]

    def is_closed_loop(self) -> bool:
        return is_closed_loop(self.shape.start[self.entries], self.shape.end[self.entries])

    def suspected(self) -> set[str]:
        return {self.kinds[one.kind][1] for one in suspects(self.shape, self.system)}


def seen(simulation: Simulation, peers: dict[str, str] | None = None) -> Seen:
    """What the traces of a finished simulation tell. `peers` says what operations call."""
    rows = sorted(range(len(simulation.spans)), key=lambda i: (simulation.spans[i][0], simulation.spans[i][4], i))
    place = {row: node for node, row in enumerate(rows)} | {-1: -1}
    spans = [simulation.spans[row] for row in rows]
    n = len(spans)
    trace, start, end = (np.array([span[i] for span in spans], np.int64) for i in (0, 4, 5))
    parent = np.array([place[span[1]] for span in spans], np.int32)
    kinds = sorted({(span[2], span[3]) for span in spans})
    kind = np.array([kinds.index((span[2], span[3])) for span in spans], np.int32)
    nothing = np.zeros(n, np.int64)
    depth_first = np.arange(n, dtype=np.int32)
    tree = Tree(
        depth_first, trace.astype(np.int32), parent, start, end, nothing, kind, nothing.astype(np.uint64),
        nothing.astype(np.uint8), depth_first,
    )  # fmt: skip
    shape = shape_of(tree, tree.trace, kind, np.zeros(n, bool))
    unknown = np.full(n, -1, np.int32)
    named = sorted(set((peers or {}).values()))
    peer = np.array([named.index(peers[span[3]]) if peers and span[3] in peers else -1 for span in spans], np.int32)
    callers: Callers = callers_of(shape, graph_of(shape), (np.zeros(n, np.int32), unknown, peer, unknown))
    found = find_lines(callers, kinds)
    entries = np.flatnonzero(parent < 0).astype(np.int32)
    return Seen(shape, kinds, entries, system_of(shape, found, entries), found)


Body = Callable[[Simulation, int, int, np.random.Generator], Process]


def simulated(body: Body, requests: int, between_ms: float, seed: int = 1, burst: int = 1) -> Simulation:
    """Requests that come at random, every `between_ms` on the average, `burst` at a time; `body` is what each does."""
    simulation = Simulation()
    arrivals = np.random.default_rng(seed)
    at = 0
    for number in range(requests):
        if number % burst == 0:
            at += int(arrivals.exponential(between_ms * burst) * MS) + 1
        simulation.start(_request(simulation, body, number, np.random.default_rng([seed, number])), at + number)
    simulation.run()
    return simulation


def _request(simulation: Simulation, body: Body, number: int, rng: np.random.Generator) -> Process:
    entry = simulation.open(number, -1, "POST /answer")
    yield from body(simulation, number, entry, rng)
    simulation.close(entry)


def work(simulation: Simulation, trace: int, parent: int, name: str, ns: int) -> Iterator[Any]:
    """A call that takes so long."""
    span = simulation.open(trace, parent, name)
    yield ns
    simulation.close(span)


def held(simulation: Simulation, trace: int, parent: int, name: str, ns: int, servers: Servers) -> Iterator[Any]:
    """A call that begins when it has got a server, and gives it back at its end."""
    yield "take", servers
    yield from work(simulation, trace, parent, name, ns)
    yield "give", servers


def around(rng: np.random.Generator, ms: float, spread_by: float = 0.4) -> int:
    """A lognormal time of that median, ns."""
    return int(ms * MS * np.exp(spread_by * rng.standard_normal()))

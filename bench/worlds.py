"""Random worlds with a known fault: services, stages, parallel calls, retries, repeats; and the same world changed.

A world is drawn from a seed: which operations a request is made of, how long each takes, what requests carry, and what
is wrong, for whom. `run` simulates its requests; the same seed with a change gives the same requests with just that
change made, so a prediction can be held against what would truly have happened.
"""

import itertools
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
MS = 1_000_000
START_NS = 1_790_000_000_000_000_000

MARKS: dict[str, dict[str, str]] = {
    "retrieval": {"openinference.span.kind": "RETRIEVER"},
    "context": {"openinference.span.kind": "PROMPT"},
    "safety": {"openinference.span.kind": "GUARDRAIL"},
    "inference": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1"},
    "tools": {"gen_ai.operation.name": "execute_tool"},
    "database": {"db.system.name": "postgresql"},
}
NAMES = {
    "retrieval": ("search", "fetch documents", "rerank", "lookup"),
    "context": ("build prompt", "trim history", "render template"),
    "safety": ("check input", "check output", "scan answer"),
    "inference": ("chat m-1", "rewrite question"),
    "tools": ("tool weather", "tool orders", "tool stock", "tool maps", "tool calendar"),
    "database": ("SELECT users", "SELECT sessions", "SELECT plans"),
}
KEYS: dict[str, tuple[str, ...]] = {
    "tenant": tuple(f"tenant-{i}" for i in range(12)),
    "region": ("eu", "us", "asia", "africa"),
    "app.version": ("1.8", "1.9", "2.0", "2.1", "2.2"),
    "channel": ("web", "ios", "android", "api", "mail", "kiosk"),
}


@dataclass(frozen=True)
class Operation:
    """A call that requests make; `remote` runs in a service of its own, after a hop. Times in ms."""

    name: str
    stage: str
    service: str
    remote: bool
    median: float
    sigma: float
    hop: float
    fails: float = 0.0  # share of first attempts that fail and are made again
    inputs: int = 0  # how many different inputs there are; 0: none is recorded


@dataclass(frozen=True)
class Fault:
    """What is wrong: one operation's own time or hop, by how much (ms), and for whom."""

    operation: str
    on_hop: bool
    ms: float
    attribute: tuple[str, str] | None  # requests with it are slow; None: a share of all
    share: float


@dataclass(frozen=True)
class WorldChange:
    """One change, as `overbudget whatif` would make it."""

    kind: Literal["none", "scale", "cap", "parallel", "cache", "retries"] = "none"
    operations: tuple[str, ...] = ()
    value: float = 0.0  # a factor, or ms


@dataclass(frozen=True)
class World:
    """The plan of a service: groups of operations, one after the other, those of a group in parallel."""

    seed: int
    requests: int
    groups: tuple[tuple[Operation, ...], ...]
    fault: Fault | None

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(operation for group in self.groups for operation in group)


@dataclass
class Outcome:
    """What happened: latency of each request (ns), the spans, and which requests the fault hit."""

    latency_ns: npt.NDArray[np.int64]
    hit: npt.NDArray[np.bool_]
    spans: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """A dump of OTLP/JSON."""
        resources = [
            {
                "resource": {"attributes": [_attribute("service.name", service)]},
                "scopeSpans": [{"scope": {"name": "world"}, "spans": spans}],
            }
            for service, spans in self.spans.items()
        ]
        path.write_text(json.dumps({"resourceSpans": resources}))
        return path


def draw_world(seed: int, faulty: bool = True) -> World:
    """A world; `faulty` with one fault. The same seed gives the same service, healthy or not."""
    random = np.random.default_rng([seed, 1])
    stages = [stage for stage in MARKS if random.random() < 0.75]
    groups: list[tuple[Operation, ...]] = []
    for stage in stages or ["inference"]:
        names = random.permutation(NAMES[stage])[: 1 + random.integers(3)]
        drawn = tuple(_draw_operation(random, stage, str(name)) for name in names)
        if len(drawn) > 1 and random.random() < 0.5:
            groups.append(drawn)
        else:
            groups += [(one,) for one in drawn]
    world = World(seed, int(random.integers(400, 800)), tuple(groups), None)
    return replace(world, fault=_draw_fault(random, world)) if faulty else world


def _draw_operation(random: np.random.Generator, stage: str, name: str) -> Operation:
    remote = bool(random.random() < 0.5)
    median = float(np.exp(random.uniform(np.log(10), np.log(150)))) * (5 if stage == "inference" else 1)
    return Operation(
        name=name,
        stage=stage,
        service=f"{name.replace(' ', '-').lower()}-service",
        remote=remote,
        median=median,
        sigma=float(random.uniform(0.05, 0.4)),
        hop=float(random.uniform(0.5, 4)),
        fails=float(random.uniform(0.05, 0.2)) if random.random() < 0.15 else 0.0,
        inputs=int(random.integers(5, 60)) if random.random() < 0.3 else 0,
    )


def _draw_fault(random: np.random.Generator, world: World) -> Fault:
    guilty = world.operations[random.integers(len(world.operations))]
    typical = sum(max(operation.median for operation in group) for group in world.groups)
    attribute = None
    if random.random() < 0.7:
        key = str(random.choice(list(KEYS)))
        attribute = (key, str(random.choice(KEYS[key])))
    return Fault(
        operation=guilty.name,
        on_hop=bool(guilty.remote and random.random() < 0.4),
        ms=float(typical * random.uniform(0.2, 1.5)),
        attribute=attribute,
        share=float(np.exp(random.uniform(np.log(0.06), 0))),
    )


def run(world: World, change: WorldChange | None = None, noise: int = 0, spans: bool = True) -> Outcome:
    """Simulate the requests of a world, with a change made; another `noise` gives other requests of the same service."""
    return _Run(world, change or WorldChange(), noise, spans).go()


class _Run:
    def __init__(self, world: World, change: WorldChange, noise: int, record: bool) -> None:
        self.world, self.change, self.record = world, change, record
        n = world.requests
        random = np.random.default_rng([world.seed, 2, noise])
        self.arrival = np.cumsum(random.exponential(600 * MS, n)).astype(np.int64)
        self.carried = {key: random.choice(values, n) for key, values in KEYS.items()}
        self.user = random.integers(0, 300, n)
        self.tokens = random.integers(100, 4000, n)
        self.pause = (random.uniform(0.2, 1.5, (n, len(world.groups) + 1)) * MS).astype(np.int64)
        self.drawn = {operation.name: self._draw(operation, random) for operation in world.operations}
        fault = world.fault
        self.hit = np.zeros(n, bool)
        if fault is not None:
            chance = random.random(n)
            self.hit = (
                self.carried[fault.attribute[0]] == fault.attribute[1] if fault.attribute else chance < fault.share
            )
        self.extra = np.where(self.hit, (fault.ms if fault else 0) * MS * random.lognormal(0, 0.2, n), 0)
        self.outcome = Outcome(np.zeros(n, np.int64), self.hit)
        self.filled: dict[tuple[str, int], int] = {}
        self.ids = 0

    def _draw(self, operation: Operation, random: np.random.Generator) -> dict[str, Any]:
        n = self.world.requests
        return {
            "own": operation.median * MS * random.lognormal(0, operation.sigma, (2, n)),
            "hop": operation.hop * MS * random.lognormal(0, 0.3, (2, n)) if operation.remote else np.zeros((2, n)),
            "fails": random.random(n) < operation.fails,
            "backoff": random.uniform(10, 40, n) * MS,
            "input": random.integers(0, max(operation.inputs, 1), n),
        }

    def go(self) -> Outcome:
        for number in range(self.world.requests):
            self._request(number)
        return self.outcome

    def _request(self, r: int) -> None:
        start = START_NS + int(self.arrival[r])
        root, at = self._id(), start
        sequences = self._sequences()
        for number, group in enumerate(sequences):
            at += int(self.pause[r, min(number, self.pause.shape[1] - 1)])
            at = max(self._call(operation, r, at, root) for operation in group)
        at += int(self.pause[r, -1])
        attributes = {key: str(values[r]) for key, values in self.carried.items()}
        attributes |= {"user.id": f"u-{self.user[r]}", "tokens": str(self.tokens[r])}
        self._span("api", "POST /ask", 2, r, root, None, start, at, attributes)
        self.outcome.latency_ns[r] = at - start

    def _sequences(self) -> list[tuple[Operation, ...]]:
        """The groups, those that the change makes parallel put together."""
        if self.change.kind != "parallel":
            return list(self.world.groups)
        together = [one for one in self.world.operations if one.name in self.change.operations]
        found: list[tuple[Operation, ...]] = []
        for group in self.world.groups:
            if group[0].name not in self.change.operations:
                found.append(group)
            elif group[0] is together[0]:
                found.append(tuple(together))
        return found

    def _call(self, operation: Operation, r: int, at: int, root: str) -> int:
        drawn = self.drawn[operation.name]
        attempts = [0, 1] if drawn["fails"][r] else [1]
        if self.change.kind == "retries":
            attempts = [1]
        if self._served(operation, r, at):
            return at
        for attempt in attempts:
            failed = attempt != attempts[-1]
            at = self._attempt(operation, r, at, root, attempt, failed)
            at += int(drawn["backoff"][r]) if failed else 0
        self.filled[operation.name, int(drawn["input"][r])] = at
        return at

    def _served(self, operation: Operation, r: int, at: int) -> bool:
        if self.change.kind != "cache" or operation.name not in self.change.operations:
            return False
        filled = self.filled.get((operation.name, int(self.drawn[operation.name]["input"][r])))
        return filled is not None and filled <= at <= filled + self.change.value * MS

    def _attempt(self, operation: Operation, r: int, at: int, root: str, attempt: int, failed: bool) -> int:
        drawn, fault = self.drawn[operation.name], self.world.fault
        extra = float(self.extra[r]) if fault is not None and fault.operation == operation.name and not failed else 0.0
        own = float(drawn["own"][attempt, r]) + (0.0 if fault is not None and fault.on_hop else extra)
        there, back = float(drawn["hop"][0, r]), float(drawn["hop"][1, r])
        there += extra if fault is not None and fault.on_hop else 0.0
        took = there + own + back
        share = self._share(operation, took)
        end = at + int(took * share)
        span = self._id()
        attributes = dict(MARKS[operation.stage])
        if operation.inputs:
            attributes["input.value"] = f"input {drawn['input'][r]}"
        kind = 3 if operation.remote else 1
        self._span("api", operation.name, kind, r, span, root, at, end, attributes, failed)
        if operation.remote:
            inner = at + int(there * share), end - int(back * share)
            self._span(operation.service, f"handle {operation.name}", 2, r, self._id(), span, *inner, {})
        return end

    def _share(self, operation: Operation, took: float) -> float:
        if operation.name not in self.change.operations:
            return 1.0
        if self.change.kind == "scale":
            return self.change.value
        return min(1.0, self.change.value * MS / took) if self.change.kind == "cap" else 1.0

    def _id(self) -> str:
        self.ids += 1
        return f"{self.ids:016x}"

    def _span(
        self, service: str, name: str, kind: int, r: int, span: str, parent: str | None, start: int, end: int,
        attributes: dict[str, str], failed: bool = False,
    ) -> None:  # fmt: skip
        if not self.record:
            return
        self.outcome.spans.setdefault(service, []).append(
            {
                "traceId": f"{r + 1:032x}", "spanId": span, **({"parentSpanId": parent} if parent else {}), "name": name,
                "kind": kind, "startTimeUnixNano": str(start), "endTimeUnixNano": str(end),
                "attributes": [_attribute(key, value) for key, value in attributes.items()],
                **({"status": {"code": 2, "message": "timeout"}} if failed else {}),
            }
        )  # fmt: skip


def _attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def changes_of(world: World) -> list[WorldChange]:
    """Changes of every kind that the world allows, drawn from its seed."""
    random = np.random.default_rng([world.seed, 3])
    some = lambda those: those[random.integers(len(those))]  # noqa: E731
    operation = some(world.operations)
    found = [
        WorldChange("scale", (operation.name,), float(random.choice([0.25, 0.5, 0.75, 1.5]))),
        WorldChange("cap", (operation.name,), operation.median * float(random.uniform(0.5, 1.1))),
    ]
    alone = [group[0] for group in world.groups if len(group) == 1]
    for first, second in itertools.pairwise(alone):
        adjoining = world.groups.index((second,)) == world.groups.index((first,)) + 1
        if adjoining:
            found.append(WorldChange("parallel", (first.name, second.name)))
            break
    cached = [operation for operation in world.operations if operation.inputs]
    if cached:
        found.append(WorldChange("cache", (some(cached).name,), float(random.choice([30_000.0, 120_000.0, 600_000.0]))))
    if any(operation.fails for operation in world.operations):
        found.append(WorldChange("retries"))
    return found

"""Random applications of many small services with one faulty: who slows the requests when a service's network or processor is slow?

Unlike in bench.worlds a request passes through a dozen services within milliseconds, a window has some seventy
requests, services drift between windows because they share a machine, and a fault hits every hop that its service takes
part in. A mesh is drawn from a seed; `run` simulates its windows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bench.worlds.engine import MS, START_NS

USUAL_REQUESTS = 70
GATEWAY = "gateway"


@dataclass(frozen=True)
class Call:
    """One service's operation, and the calls it makes one after the other; `median` is its own time in ms."""

    service: str
    name: str
    median: float
    calls: tuple["Call", ...] = ()


@dataclass(frozen=True)
class Disease:
    """What is wrong with a service: `network` delays each hop to it and from it by so many ms, `processor` stretches its
    own time so many times and keeps calls waiting; `share` is the share of requests that feel it."""

    service: str
    kind: Literal["network", "processor"]
    size: float
    share: float


@dataclass(frozen=True)
class Mesh:
    """Routes of a gateway, how often each is requested, and what is wrong in the faulty window."""

    seed: int
    routes: tuple[Call, ...]
    asked: tuple[float, ...]
    hop: float
    drift: float
    stalls: float  # the share of calls that the machine holds up
    disease: Disease


@dataclass
class Outcome:
    """What happened in a window: latency of each request (ns), which requests the fault hit, the spans by service."""

    latency_ns: npt.NDArray[np.int64]
    hit: npt.NDArray[np.bool_]
    spans: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """A dump of OTLP/JSON."""
        resources = [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [{"scope": {"name": "mesh"}, "spans": spans}],
            }
            for service, spans in self.spans.items()
        ]
        path.write_text(json.dumps({"resourceSpans": resources}))
        return path


def draw_mesh(seed: int) -> Mesh:
    """A mesh; services call only later ones."""
    random = np.random.default_rng([seed, 11])
    services = [f"service-{number}" for number in range(1, int(random.integers(8, 20)))]
    operations: list[Call] = []
    for service in reversed(services):
        for number in range(int(random.integers(1, 3))):
            below = [one for one in operations if one.service != service]
            calls = _some(random, below, 4) if below and random.random() < 0.5 else ()
            operations.append(Call(service, f"{service}/{number}", float(np.exp(random.uniform(-0.7, 1.7))), calls))
    routes = tuple(
        Call(GATEWAY, f"GET /{number}", float(random.uniform(1, 4)), _some(random, operations, 8))
        for number in range(int(random.integers(2, 6)))
    )
    reached = sorted({call.service for route in routes for call in _all(route)})
    kind: Literal["network", "processor"] = "network" if random.random() < 0.6 else "processor"
    size = (
        float(np.exp(random.uniform(np.log(30), np.log(1000)))) if kind == "network" else float(random.uniform(3, 30))
    )
    disease = Disease(str(random.choice(reached)), kind, size, float(random.choice([0.4, 1.0])))
    return Mesh(
        seed,
        routes,
        tuple(random.dirichlet(np.full(len(routes), 2.0)).tolist()),
        float(random.uniform(0.3, 1.5)),
        float(random.choice([0.1, 0.3])),
        float(random.choice([0.0, 0.001, 0.004])),
        disease,
    )


def _some(random: np.random.Generator, operations: Sequence[Call], most: int) -> tuple[Call, ...]:
    return tuple(operations[int(i)] for i in random.integers(0, len(operations), int(random.integers(1, most))))


def _all(call: Call) -> list[Call]:
    return [call, *(below for made in call.calls for below in _all(made))]


def run(mesh: Mesh, window: int, ill: bool = False) -> Outcome:
    """Simulate one window of requests, with or without the fault."""
    return _Window(mesh, window, ill).go()


class _Window:
    def __init__(self, mesh: Mesh, window: int, ill: bool) -> None:
        self.mesh, self.ill = mesh, ill
        self.random = np.random.default_rng([mesh.seed, 12, window])
        services = sorted({call.service for route in mesh.routes for call in _all(route)})
        self.drift = {service: self.random.lognormal(0, mesh.drift) for service in services}
        self.ids, self.hit = 0, False

    def go(self) -> Outcome:
        n = USUAL_REQUESTS if not self.ill else int(self.random.integers(60, 150))
        self.outcome = Outcome(np.zeros(n, np.int64), np.zeros(n, bool))
        asked = np.array(self.mesh.asked) * self.random.lognormal(0, 0.3, len(self.mesh.asked))
        for r in range(n):
            route = self.mesh.routes[self.random.choice(len(asked), p=asked / asked.sum())]
            self.outcome.hit[r] = self.hit = self.ill and self.random.random() < self.mesh.disease.share
            start = START_NS + r * 2000 * MS
            self.outcome.latency_ns[r] = self._serve(route, r, None, start) - start
        return self.outcome

    def _serve(self, call: Call, r: int, parent: str | None, start: int) -> int:
        own = call.median * self.random.lognormal(0, 0.4) * self.drift[call.service] + self._stall()
        if self.hit and self._is("processor", call.service):
            own *= self.mesh.disease.size * self.random.lognormal(0, 0.4)
        pieces = self.random.dirichlet(np.ones(len(call.calls) + 1)) * own * MS
        span, at = self._id(), start
        for piece, made in zip(pieces, call.calls, strict=False):
            at = self._call(call, made, r, span, at + int(piece))
        at += int(pieces[-1])
        self._record(call.service, call.name, 2, r, span, parent, start, at)
        return at

    def _call(self, caller: Call, made: Call, r: int, parent: str, start: int) -> int:
        span = self._id()
        there = self._hop(caller.service, made.service)
        back = self.mesh.hop * self.random.lognormal(0, 0.4)
        end = self._serve(made, r, span, start + int(there * MS)) + int(back * MS)
        self._record(caller.service, f"call {made.name}", 3, r, span, parent, start, end)
        return end

    def _hop(self, source: str, target: str) -> float:
        took = self.mesh.hop * self.random.lognormal(0, 0.4) * self.drift[target] + self._stall()
        if self.hit and (self._is("network", source) or self._is("network", target)):
            took += self.mesh.disease.size * self.random.lognormal(0, 0.2)
        if self.hit and (self._is("processor", source) or self._is("processor", target)):
            took += self.mesh.disease.size * self.random.uniform(0.1, 0.4)
        return took

    def _is(self, kind: str, service: str) -> bool:
        return self.mesh.disease.kind == kind and self.mesh.disease.service == service

    def _stall(self) -> float:
        return self.random.exponential(200) if self.random.random() < self.mesh.stalls else 0.0

    def _id(self) -> str:
        self.ids += 1
        return f"{self.ids:016x}"

    def _record(
        self, service: str, name: str, kind: int, r: int, span: str, parent: str | None, start: int, end: int
    ) -> None:
        self.outcome.spans.setdefault(service, []).append(
            {
                "traceId": f"{r + 1:032x}", "spanId": span, **({"parentSpanId": parent} if parent else {}), "name": name,
                "kind": kind, "startTimeUnixNano": str(start), "endTimeUnixNano": str(end),
            }
        )  # fmt: skip

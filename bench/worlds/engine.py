"""One simulation of a system: requests that arrive, wait, call each other, and the spans they leave.

simpy runs the events; times are whole nanoseconds. What a request draws depends on the seed, the name of what is drawn
and the request's number alone, so that two runs, with and without a cause, differ by the cause and nothing else.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import simpy

I64 = npt.NDArray[np.int64]
Process = Generator[simpy.Event, Any, Any]

MS = 1_000_000
SECOND = 1000 * MS
START_NS = 1_790_000_000_000_000_000
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5  # kinds of spans, as OTLP numbers them


@dataclass
class Span:
    """What an instrumentation records of one operation; times count from the start of the simulation."""

    number: int
    request: int
    parent: "Span | None"
    service: str
    pod: str
    version: str
    name: str
    kind: int
    start: int
    end: int = -1
    attributes: dict[str, str | int | float | bool] = field(default_factory=dict)
    failed: bool = False
    events: list[tuple[int, str]] = field(default_factory=list)  # time, name


class Run:
    """A simulation. `cause` tells whether the mechanism is at work, `change` names what is changed besides.

    `scale` multiplies the work of operations by name, of all that happens below them too. After `go`, `latency_ns` and
    `failed` hold what each request took and whether it failed, `spans` all spans in order of their start.
    """

    def __init__(
        self, seed: int, requests: int, noise: int = 0, cause: bool = False, change: str = "",
        scale: dict[str, float] | None = None,
    ) -> None:  # fmt: skip
        self.seed, self.noise, self.requests = seed, noise, requests
        self.cause, self.change, self.scale = cause, change, scale or {}
        self.env = simpy.Environment()
        self.spans: list[Span] = []
        self.latency_ns = np.zeros(requests, np.int64)
        self.failed = np.zeros(requests, bool)
        self.shared: dict[str, Any] = {}
        self._drawn: dict[tuple[str, int, str], npt.NDArray[np.float64]] = {}
        self._times: Counter[tuple[int, str]] = Counter()

    def draw(self, kind: str, key: str, request: int) -> float:
        """The request's next number of that name, "normal" or "uniform"."""
        again = self._times[request, key]
        self._times[request, key] += 1
        place = (key, again, kind)
        if place not in self._drawn:
            random = np.random.default_rng([self.seed, self.noise, zlib.crc32(key.encode()), again])
            values = random.standard_normal(self.requests) if kind == "normal" else random.random(self.requests)
            self._drawn[place] = values
        return float(self._drawn[place][request])

    def go(self, arrivals: Sequence[int] | I64, body: Callable[["Scope"], Process], entry: "Entry") -> "Run":
        """Let requests arrive at these times and run `body` inside an entry span of each."""
        for request, at in enumerate(arrivals):
            self.env.process(self._request(request, int(at), body, entry))
        self.env.run()
        self.spans.sort(key=lambda span: (span.start, span.number))
        return self

    def _request(self, request: int, at: int, body: Callable[["Scope"], Process], entry: "Entry") -> Process:
        yield self.env.timeout(at)
        span = self.record(request, None, entry.service, entry.pod(self, request), entry.name, SERVER, {})
        span.version = entry.version(self, request)
        span.attributes.update(entry.attributes(self, request))
        yield from body(Scope(self, request, span))
        span.end = self.env.now
        self.latency_ns[request] = span.end - span.start
        self.failed[request] = span.failed

    def record(
        self, request: int, parent: Span | None, service: str, pod: str, name: str, kind: int,
        attributes: dict[str, Any], version: str = "",
    ) -> Span:  # fmt: skip
        """A span that starts now."""
        version = version or (parent.version if parent is not None and parent.service == service else "1.0.0")
        span = Span(
            len(self.spans) + 1, request, parent, service, pod, version, name, kind, self.env.now, -1, dict(attributes)
        )
        self.spans.append(span)
        return span


@dataclass(frozen=True)
class Entry:
    """How requests come in: service, route, and per request the pod, the version and what the entry span carries."""

    service: str
    name: str
    pod: Callable[[Run, int], str]
    version: Callable[[Run, int], str]
    attributes: Callable[[Run, int], dict[str, Any]]


@dataclass(frozen=True)
class Scope:
    """Where a request is: inside which span, and by how much its work is scaled there."""

    run: Run
    request: int
    span: Span
    factor: float = 1.0
    scaled: frozenset[str] = frozenset()  # names whose change is in `factor`; it counts once

    def chance(self, key: str) -> float:
        """A number between 0 and 1."""
        return self.run.draw("uniform", key, self.request)

    def choose(self, key: str, values: Sequence[Any], shares: Sequence[float] | None = None) -> Any:
        """One of `values`, evenly or by their shares."""
        if shares is None:
            return values[int(self.chance(key) * len(values))]
        return values[min(int(np.searchsorted(np.cumsum(shares), self.chance(key))), len(values) - 1)]

    def around(self, key: str, ms: float, spread: float = 0.3) -> float:
        """A lognormal number with the median `ms`."""
        return ms * float(np.exp(spread * self.run.draw("normal", key, self.request)))

    def wait(self, ms: float) -> Process:
        """Pass so much time of work, scaled as the enclosing operations are."""
        yield self.run.env.timeout(max(0, round(ms * self.factor * MS)))

    def idle(self, ms: float) -> Process:
        """Pass so much time that no operation's speed changes."""
        yield self.run.env.timeout(max(0, round(ms * MS)))

    @contextmanager
    def open(
        self, name: str, kind: int = INTERNAL, attributes: dict[str, Any] | None = None, service: str = "",
        pod: str = "", version: str = "",
    ) -> Iterator["Scope"]:  # fmt: skip
        """A span of what happens inside; in the same service and pod where none is given."""
        service = service or self.span.service
        pod = pod or (self.span.pod if service == self.span.service else f"{service}-0")
        span = self.run.record(self.request, self.span, service, pod, name, kind, attributes or {}, version)
        try:
            by = 1.0 if name in self.scaled else self.run.scale.get(name, 1.0)
            yield Scope(self.run, self.request, span, self.factor * by, self.scaled | {name})
        finally:
            span.end = self.run.env.now

    def work(
        self, name: str, ms: float, spread: float = 0.3, kind: int = INTERNAL, attributes: dict[str, Any] | None = None
    ) -> Process:
        """An operation that takes about `ms` and calls nothing."""
        with self.open(name, kind, attributes) as inner:
            yield from inner.wait(inner.around(name, ms, spread))

    def at_once(self, processes: Sequence[Process]) -> Process:
        """Run them together and wait for all."""
        yield self.run.env.all_of([self.run.env.process(one) for one in processes])

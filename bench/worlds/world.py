"""A world: a random system with one mechanism in it, and what is true of it with the cause at work."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.worlds import emit
from bench.worlds.engine import I64, MS, Entry, Process, Run, Scope
from bench.worlds.names import Names
from bench.worlds.steps import Chat, Ordinary, ordinary
from overbudget.analysis.whatif.changes import Change, Scale

Culprit = tuple[str, str, str | None]  # service, operation, where its hop leads to

HARMLESS = frozenset({"instrument", "model", "prompt_prefix", "shorten_prompt", "limit_output"})


@dataclass(frozen=True)
class Truth:
    """What is right to say of a world whose cause is at work; None or empty where the question does not arise.

    `culprits` are the operations that may be named, `services` those of which compare is to
    name one first, where it is not one of theirs. `attributes` are
    what slow requests share: key and value, or key and None where any value (a threshold) will do. `why` is the largest
    part of the growth. `advice` are the kinds that help; `grows` are the stages that grow first under load.
    """

    culprits: frozenset[Culprit] = frozenset()
    services: frozenset[str] = frozenset()
    attributes: frozenset[tuple[str, str | None]] = frozenset()
    why: frozenset[str] = frozenset()
    advice: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()  # advice that is right without the cause, too
    tolerated: frozenset[str] = HARMLESS
    grows: frozenset[str | None] = frozenset()
    fails: bool = False  # the cause lets requests fail early
    model_call: str | None = None  # why model calls take longer: longer prompts or answers, a queue, or a slower model

    @property
    def guilty(self) -> frozenset[str]:
        """The services of which one is to be first: those of the culprits, and where their hops lead, if none are given."""
        return self.services or frozenset(one for service, _, hop in self.culprits for one in (service, hop) if one)


def called(service: str, name: str, place: str | None = None) -> frozenset[Culprit]:
    """An operation as a culprit; one that calls a `place` without spans of its own may be told with or without it."""
    return frozenset({(service, name, None), (service, name, place)})


class World:
    """A system drawn from a seed; subclasses add the mechanism as one `step` among ordinary ones."""

    about: ClassVar[str] = ""
    between_ms: float = 400.0  # mean time between arrivals
    requests: int = 700
    natural: ClassVar[frozenset[str]] = frozenset()  # attributes that slow requests share without any fault

    def __init__(self, seed: int, requests: int = 0) -> None:
        self.seed = seed
        self.random = np.random.default_rng([seed, zlib.crc32(type(self).__name__.encode())])
        self.names = Names(self.random)
        self.app, self.path = self.names.new(), self.names.new()
        self.before = self._ordinary(int(self.random.integers(0, 3)))
        self.after = self._ordinary(int(self.random.integers(1, 3)))
        self.tenants = self.names.some(8)
        self.pods = int(self.random.integers(1, 4))
        self.setup()
        self.requests = requests or self.requests

    def _ordinary(self, count: int) -> list[Ordinary]:
        return [ordinary(self.names, self.random) for _ in range(count)]

    def setup(self) -> None:
        """Draw what the mechanism is."""

    def prepare(self, run: Run) -> None:
        """Make what the requests of a run share: pools, servers, caches."""

    def step(self, scope: Scope) -> Process:
        """The mechanism, in one request."""
        raise NotImplementedError

    def truth(self) -> Truth:
        """What is right to say with the cause at work."""
        return Truth()

    def changes(self) -> dict[str, Change]:
        """Changes to predict, by the name under which `run` makes them."""
        return {}

    def body(self, scope: Scope) -> Process:
        """A request: ordinary steps, the mechanism, ordinary steps."""
        for step in self.before:
            yield from self.pause(scope)
            yield from step.run(scope)
        yield from self.pause(scope)
        yield from self.step(scope)
        for step in self.after:
            yield from self.pause(scope)
            yield from step.run(scope)
        yield from self.pause(scope)

    def pause(self, scope: Scope) -> Process:
        """What a function does between two calls."""
        yield from scope.idle(0.2 + scope.chance("pause"))

    def entry(self) -> Entry:
        """How requests come in."""
        return Entry(
            self.app,
            f"POST /{self.path}",
            lambda run, request: f"{self.app}-{int(run.draw('uniform', 'pod', request) * self.pods)}",
            self.version,
            self.carried,
        )

    def version(self, run: Run, request: int) -> str:
        """The version of the app that serves a request."""
        return "1.0.0"

    def tenant(self, run: Run, request: int) -> str:
        """Who asks."""
        random = np.random.default_rng([run.seed, run.noise, request, 7])
        return str(self.tenants[int(random.integers(len(self.tenants)))])

    def carried(self, run: Run, request: int) -> dict[str, Any]:
        """Attributes of a request's entry span."""
        return {
            "http.request.method": "POST",
            "http.route": f"/{self.path}",
            "tenant.id": self.tenant(run, request),
            "user.id": f"u{int(run.draw('uniform', 'user', request) * 250)}",
        }

    def arrivals(self, run: Run) -> I64:
        """When requests come: at random."""
        random = np.random.default_rng([self.seed, run.noise, 99])
        return np.cumsum(random.exponential(self.between_ms * MS, self.requests)).astype(np.int64)

    def run(
        self, cause: bool = False, noise: int = 0, change: str = "", scale: Mapping[str, float] | None = None
    ) -> Run:
        """Simulate it."""
        run = Run(self.seed, self.requests, noise, cause, change, dict(scale or {}))
        self.prepare(run)
        return run.go(self.arrivals(run), self.body, self.entry())

    def write(self, run: Run, path: Path) -> Path:
        """The dump that its instrumentation and collector leave."""
        return emit.write(run.spans, path)

    def changed(self, label: str, cause: bool = True) -> Run:
        """The run with the change of that label made; a `Scale` is made by the engine, others by the world itself."""
        change = self.all_changes()[label]
        if isinstance(change, Scale):
            return self.run(cause, scale={change.what: change.factor})
        return self.run(cause, change=label)

    def all_changes(self) -> dict[str, Change]:
        """Those of the mechanism, and an ordinary step at half its time."""
        found = self.changes()
        for step in self.before[:1]:
            if not isinstance(step, Chat):
                found[f"scale {step.name}"] = Scale(step.name, 0.5)
        return found


@dataclass
class Registry:
    """All worlds by name."""

    worlds: dict[str, type[World]] = field(default_factory=dict)

    def add(self, name: str, about: str) -> Any:
        """A decorator that adds a world."""

        def added(world: type[World]) -> type[World]:
            assert name not in self.worlds
            world.about = about
            self.worlds[name] = world
            return world

        return added


REGISTRY = Registry()
world = REGISTRY.add

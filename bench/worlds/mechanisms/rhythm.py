"""When requests come: in bursts, and by the time of day."""

import numpy as np

from bench.worlds.engine import I64, MS, Process, Run, Scope
from bench.worlds.mechanisms.queues import Pool
from bench.worlds.steps import query
from bench.worlds.world import Truth, World, called, world


@world("daily rhythm", "arrivals that rise and fall; a pool that is too small at the top of the day")
class DailyRhythm(Pool):
    requests = 1500

    def setup(self) -> None:
        super().setup()
        self.between_ms *= 1.25
        self.days = int(self.random.integers(2, 5))

    def arrivals(self, run: Run) -> I64:
        random = np.random.default_rng([self.seed, run.noise, 98])
        total = self.requests * self.between_ms
        at = np.linspace(0, total, 20_000)
        rate = 1 + 0.4 * np.sin(at / total * 2 * np.pi * self.days - np.pi / 2)
        passed = np.cumsum(rate) / rate.sum()
        return (np.interp(np.sort(random.random(self.requests)), passed, at) * MS).astype(np.int64)


@world("bursts", "requests that come together, each slower in the company of the others")
class Bursts(World):
    natural = frozenset({"requests in flight"})
    requests = 600

    def setup(self) -> None:
        self.query = query(self.names, float(self.random.uniform(20, 60)))
        self.size, self.gap_ms = int(self.random.integers(6, 25)), float(self.random.uniform(2, 8)) * 1000
        self.worse = float(self.random.uniform(0.2, 0.8))
        self.spell_ms = self.gap_ms

    def arrivals(self, run: Run) -> I64:
        random = np.random.default_rng([self.seed, run.noise, 97])
        found: list[float] = []
        at = 0.0
        while len(found) < self.requests:
            at += float(random.exponential(self.gap_ms))
            found += [at + float(random.uniform(0, 300)) for _ in range(1 + random.poisson(self.size))]
        return np.sort(np.array(found[: self.requests]) * MS).astype(np.int64)

    def prepare(self, run: Run) -> None:
        """Better and worse times: each lasts as long as from one burst to the next, and makes the queries of its time slow."""
        random = np.random.default_rng([self.seed, run.noise, 96])
        run.shared["weather"] = np.exp(self.worse * random.standard_normal(4000))

    def step(self, scope: Scope) -> Process:
        weather = scope.run.shared["weather"][int(scope.run.env.now / MS / self.spell_ms) % 4000]
        times = 5.0 if scope.run.cause else 1.0
        with scope.open(self.query.name, self.query.kind, dict(self.query.attributes)) as inner:
            yield from inner.wait(inner.around(self.query.name, self.query.ms * times) * weather)

    def truth(self) -> Truth:
        return Truth(called(self.app, self.query.name, "db"), why=frozenset({"how_slow"}))

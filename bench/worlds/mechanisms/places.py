"""Slow somewhere: one pod, one tenant, one version, one shard, or an operation for a share of the requests."""

from typing import Any

from bench.worlds.engine import SECOND, Process, Run, Scope
from bench.worlds.steps import query, remote
from bench.worlds.world import Truth, World, called, world
from overbudget.analysis.whatif.changes import Change, Scale

SLOW = frozenset({"how_slow"})
ONE_BY_ONE = frozenset({"batch_calls", "parallelise"})  # true advice wherever shards are asked one after the other


@world("slow operation", "an operation's own time grows, for all or for a share of the requests")
class SlowOperation(World):
    def setup(self) -> None:
        self.remote = remote(self.names, self.random, float(self.random.uniform(20, 80)))
        self.share = float(self.random.choice([1.0, self.random.uniform(0.08, 0.5)]))
        self.slower = self.remote.ms * float(self.random.uniform(4, 12))

    def step(self, scope: Scope) -> Process:
        hit = scope.chance("hit") < self.share and scope.run.cause
        longer = scope.around("longer", self.slower) if hit else 0.0
        work = self.remote
        yield from work.calling(scope, lambda inner: inner.wait(inner.around(work.route, work.ms) + longer))

    def truth(self) -> Truth:
        return Truth(called(self.remote.service, self.remote.route), why=SLOW)

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.remote.route, 0.5)}


class InPods(World):
    """A service of several pods, of which each call meets one."""

    def setup(self) -> None:
        self.remote = remote(
            self.names, self.random, float(self.random.uniform(10, 60)), int(self.random.integers(2, 6))
        )
        self.sick = f"{self.remote.service}-{int(self.random.integers(self.remote.pods))}"

    def step(self, scope: Scope) -> Process:
        pod = f"{self.remote.service}-{scope.choose(self.remote.service + ' pod', range(self.remote.pods))}"
        yield from self.remote.calling(scope, lambda inner: self.serve(inner, pod), pod)

    def serve(self, inner: Scope, pod: str) -> Process:
        """What the pod does."""
        yield from inner.wait(inner.around(self.remote.route, self.remote.ms) + self.extra(inner, pod))

    def extra(self, inner: Scope, pod: str) -> float:
        """What the cause adds, in ms."""
        raise NotImplementedError

    def truth(self) -> Truth:
        return Truth(
            called(self.remote.service, self.remote.route),
            attributes=frozenset({("k8s.pod.name", self.sick)}), why=SLOW,
        )  # fmt: skip


@world("pod pauses", "one pod stands still for a while, again and again")
class PodPauses(InPods):
    def setup(self) -> None:
        super().setup()
        self.every = float(self.random.uniform(4, 12))
        self.long = self.every * float(self.random.uniform(0.4, 0.7))

    def extra(self, inner: Scope, pod: str) -> float:
        if pod != self.sick or not inner.run.cause:
            return 0.0
        into = inner.run.env.now / SECOND % self.every
        return max(0.0, self.long - into) * 1000


@world("slow pod", "one pod runs on a slow machine")
class SlowPod(InPods):
    def setup(self) -> None:
        super().setup()
        self.times = float(self.random.uniform(6, 15))

    def extra(self, inner: Scope, pod: str) -> float:
        slow = pod == self.sick and inner.run.cause
        return inner.around("slow", self.remote.ms * self.times) if slow else 0.0


@world("cold starts", "functions that are started anew after a while without calls")
class ColdStarts(World):
    between_ms = 900.0

    def setup(self) -> None:
        self.remote = remote(self.names, self.random, float(self.random.uniform(10, 60)))
        self.cold_ms, self.share = float(self.random.uniform(1200, 4000)), float(self.random.uniform(0.07, 0.2))

    def step(self, scope: Scope) -> Process:
        cold = scope.chance("cold") < self.share and scope.run.cause

        def serve(inner: Scope) -> Process:
            inner.span.attributes["faas.coldstart"] = cold
            if cold:
                yield from inner.wait(inner.around("start", self.cold_ms))
            yield from inner.wait(inner.around(self.remote.route, self.remote.ms))

        yield from self.remote.calling(scope, serve)

    def truth(self) -> Truth:
        return Truth(
            called(self.remote.service, self.remote.route),
            attributes=frozenset({("faas.coldstart", "true")}), why=SLOW, advice=frozenset({"cold_start"}),
        )  # fmt: skip


@world("noisy tenant", "one tenant's requests are many times as much work")
class NoisyTenant(World):
    def setup(self) -> None:
        self.query = query(self.names, float(self.random.uniform(10, 50)))
        self.sick, self.times = str(self.tenants[3]), float(self.random.uniform(8, 25))

    def step(self, scope: Scope) -> Process:
        slow = scope.span.attributes["tenant.id"] == self.sick and scope.run.cause
        longer = scope.around("longer", self.query.ms * self.times) if slow else 0.0
        with scope.open(self.query.name, self.query.kind, dict(self.query.attributes)) as inner:
            yield from inner.wait(inner.around(self.query.name, self.query.ms) + longer)

    def truth(self) -> Truth:
        return Truth(
            called(self.app, self.query.name, "db"),
            attributes=frozenset({("tenant.id", self.sick)}), why=SLOW,
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.query.name, 0.5)}


@world("canary", "a new version, for a share of the requests, is slow in one function")
class Canary(World):
    def setup(self) -> None:
        self.function, self.ms = self.names.new(), float(self.random.uniform(5, 30))
        self.share, self.slower = float(self.random.uniform(0.08, 0.3)), float(self.random.uniform(300, 1200))

    def version(self, run: Run, request: int) -> str:
        new = run.draw("uniform", "version", request) < self.share
        return "1.1.0" if new and run.cause else "1.0.0"

    def step(self, scope: Scope) -> Process:
        with scope.open(self.function) as inner:
            slow = scope.span.version == "1.1.0"
            longer = inner.around("longer", self.slower) if slow else 0.0
            yield from inner.wait(inner.around(self.function, self.ms) + longer)

    def truth(self) -> Truth:
        attributes = frozenset({("service.version", "1.1.0")})
        return Truth(called(self.app, self.function), attributes=attributes, why=SLOW)

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.function, 0.5)}


@world("skewed shard", "every request asks all shards one after the other; one has most of the data")
class SkewedShard(World):
    def setup(self) -> None:
        self.query = query(self.names, float(self.random.uniform(3, 12)))
        self.shards = int(self.random.integers(4, 9))
        self.sick, self.times = int(self.random.integers(self.shards)), float(self.random.uniform(20, 60))
        self.share = float(self.random.uniform(0.08, 0.4))

    def step(self, scope: Scope) -> Process:
        hit = scope.chance("hit") < self.share and scope.run.cause
        for shard in range(self.shards):
            told: dict[str, Any] = {**dict(self.query.attributes), "db.namespace": f"shard{shard}"}
            longer = scope.around("longer", self.query.ms * self.times) if hit and shard == self.sick else 0.0
            with scope.open(self.query.name, self.query.kind, told) as inner:
                yield from inner.wait(inner.around(self.query.name, self.query.ms) + longer)

    def truth(self) -> Truth:
        return Truth(
            called(self.app, self.query.name, "db"),
            attributes=frozenset({("db.namespace", f"shard{self.sick}")}), why=SLOW, always=ONE_BY_ONE,
        )  # fmt: skip

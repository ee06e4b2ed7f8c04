"""Calls and requests that fail: retried, in storms, or quickly."""

import simpy

from bench.worlds.engine import MS, Process, Run, Scope
from bench.worlds.steps import remote
from bench.worlds.world import Truth, World, world
from overbudget.analysis.whatif.changes import Change, DropRetries


@world("retries", "a flaky call that is made again after a pause")
class Retries(World):
    def setup(self) -> None:
        self.remote = remote(self.names, self.random, float(self.random.uniform(20, 60)))
        self.share, self.pause_ms = float(self.random.uniform(0.12, 0.4)), float(self.random.uniform(100, 400))

    def step(self, scope: Scope) -> Process:
        failing = scope.run.cause and scope.run.change != "no retries"
        for attempt in range(3):
            fails = scope.chance("fails") < self.share and failing and attempt < 2
            yield from self.remote.calling(scope, lambda inner, fails=fails: self._serve(inner, fails))
            if not fails:
                return
            yield from scope.idle(scope.around("backoff", self.pause_ms))

    def _serve(self, inner: Scope, fails: bool) -> Process:
        yield from inner.wait(inner.around(self.remote.route, self.remote.ms))
        inner.span.failed = fails

    def truth(self) -> Truth:
        called = [(self.app, self.remote.name, self.remote.service), (self.remote.service, self.remote.route, None)]
        waited = (self.app, f"POST /{self.path}", None)  # the pause before the next attempt
        return Truth(
            frozenset([*called, waited]), why=frozenset({"how_often", "how_slow"}), advice=frozenset({"retries"})
        )

    def changes(self) -> dict[str, Change]:
        return {"no retries": DropRetries()}


@world("retry storm", "time-outs below what a busy service takes, each followed by the same call")
class RetryStorm(World):
    requests = 800
    natural = frozenset({"requests in flight"})

    def setup(self) -> None:
        self.remote = remote(self.names, self.random, float(self.random.uniform(30, 80)))
        self.workers = int(self.random.integers(3, 7))
        self.between_ms = self.remote.ms * 1.05 / self.workers / 0.85
        self.timeout_ms = self.remote.ms * float(self.random.uniform(2.5, 3.5))

    def prepare(self, run: Run) -> None:
        run.shared["workers"] = simpy.Resource(run.env, self.workers if run.cause else 10 * self.workers)

    def step(self, scope: Scope) -> Process:
        """The service works on what its caller has given up; that is the storm."""
        env, remote = scope.run.env, self.remote
        for attempt in range(3):
            with scope.open(remote.name, 3, {"server.address": remote.service}) as call:
                served = env.process(self._serve(call))
                late = env.timeout(round(self.timeout_ms * MS))
                yield served | late if attempt < 2 else served
                call.span.failed = not served.processed
                if call.span.failed:
                    call.span.attributes["error.type"] = "timeout"
            if not call.span.failed:
                return
            yield from scope.idle(20)

    def _serve(self, call: Scope) -> Process:
        remote = self.remote
        yield from call.wait(remote.hop_ms)
        with call.run.shared["workers"].request() as got:
            yield got
            with call.open(remote.route, 2, {}, remote.service) as inner:
                yield from inner.wait(inner.around(remote.route, remote.ms))

    def truth(self) -> Truth:
        return Truth(
            frozenset({(self.app, self.remote.name, self.remote.service)}), services=frozenset({self.remote.service}),
            advice=frozenset({"retries", "queue"}), why=frozenset({"how_often", "how_slow"}),
        )  # fmt: skip


@world("fast failures", "a share of the requests fails within milliseconds")
class FastFailures(World):
    def setup(self) -> None:
        self.remote = remote(self.names, self.random, float(self.random.uniform(60, 200)))
        self.share = float(self.random.uniform(0.1, 0.7))

    def body(self, scope: Scope) -> Process:
        if scope.chance("fails") < self.share and scope.run.cause:
            yield from scope.idle(scope.around("failing", 8))
            scope.span.failed = True
            scope.span.attributes["error.type"] = "503"
            return
        yield from super().body(scope)

    def step(self, scope: Scope) -> Process:
        yield from self.remote.run(scope)

    def truth(self) -> Truth:
        return Truth(fails=True)

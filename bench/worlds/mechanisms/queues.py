"""Limits that requests stand in line for: pools, locks, semaphores, connections."""

import simpy

from bench.worlds.engine import Process, Run, Scope
from bench.worlds.steps import chat, query, remote
from bench.worlds.world import Truth, World, called, world
from overbudget.analysis.whatif.changes import Change, Scale, Servers


class Limited(World):
    """A world with `servers` of something, `enough` without the cause. `busy` is the share of time they are taken."""

    between_ms = 60.0
    requests = 900
    servers = 3
    enough = 60
    natural = frozenset({"requests in flight"})

    def set_servers(self, hold_ms: float, least: int = 2, most: int = 6) -> None:
        """Draw how many there are, and arrivals that keep them busy."""
        self.servers = int(self.random.integers(least, most + 1))
        self.between_ms = hold_ms / self.servers / float(self.random.uniform(0.86, 0.95))

    def prepare(self, run: Run) -> None:
        more = {"one more": 1}.get(run.change, 0)
        run.shared["line"] = simpy.Resource(run.env, self.servers + more if run.cause else self.enough)


@world("pool", "a database pool with too few connections; the wait is inside or before the query's span")
class Pool(Limited):
    def setup(self) -> None:
        self.query = query(self.names, float(self.random.uniform(20, 90)))
        self.holder = self.names.new()
        self.inside = bool(self.random.random() < 0.4)
        self.set_servers(self.query.ms * 1.05)

    def step(self, scope: Scope) -> Process:
        line = scope.run.shared["line"]
        if self.inside:
            with (
                scope.open(self.query.name, self.query.kind, dict(self.query.attributes)) as inner,
                line.request() as got,
            ):
                yield got
                yield from inner.wait(inner.around(self.query.name, self.query.ms))
            return
        with scope.open(self.holder) as inner, line.request() as got:
            yield got
            yield from self.query.run(inner)

    def truth(self) -> Truth:
        named = {(self.app, self.query.name, None), (self.app, self.query.name, "db")}
        if not self.inside:
            named = {(self.app, self.holder, None)}
        return Truth(
            frozenset(named), why=frozenset({"how_slow"}), advice=frozenset({"queue"}),
            grows=frozenset({"database"} if self.inside else {"unattributed", "orchestration", "database"}),
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {
            "halve": Scale(self.query.name, 0.5),
            "slow": Scale(self.query.name, 1.03),
            "one more": Servers(self.query.name, self.servers + 1),
        }


@world("lock", "a section that one request at a time may enter")
class Lock(Limited):
    def setup(self) -> None:
        self.section, self.holder = self.names.new(), self.names.new()
        self.ms = float(self.random.uniform(8, 40))
        self.set_servers(self.ms * 1.05, 1, 1)

    def step(self, scope: Scope) -> Process:
        with scope.open(self.holder) as inner, scope.run.shared["line"].request() as got:
            yield got
            yield from inner.work(self.section, self.ms)

    def truth(self) -> Truth:
        return Truth(
            called(self.app, self.holder), why=frozenset({"how_slow"}),
            advice=frozenset({"queue"}), grows=frozenset({"unattributed", "orchestration"}),
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.section, 0.5)}


@world("semaphore", "a limit on model calls that a client keeps itself")
class Semaphore(Limited):
    def setup(self) -> None:
        self.chat = chat(self.names, self.random)
        self.holder = self.names.new()
        self.set_servers(self.chat.typical_ms * 1.05, 3, 10)

    def step(self, scope: Scope) -> Process:
        with scope.open(self.holder) as inner, scope.run.shared["line"].request() as got:
            yield got
            yield from self.chat.run(inner)

    def truth(self) -> Truth:
        return Truth(
            called(self.app, self.holder), why=frozenset({"how_slow"}),
            advice=frozenset({"queue"}), grows=frozenset({"unattributed", "orchestration", "inference"}),
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.chat.name, 0.5), "one more": Servers(self.chat.name, self.servers + 1)}


@world("workers", "a service with too few workers; calls wait before its span starts")
class Workers(Limited):
    def setup(self) -> None:
        self.remote = remote(self.names, self.random, float(self.random.uniform(20, 80)))
        self.set_servers(self.remote.ms * 1.05)

    def step(self, scope: Scope) -> Process:
        remote = self.remote
        pod = f"{remote.service}-0"
        with scope.open(remote.name, 3, {"server.address": remote.service}) as call:
            yield from call.wait(remote.hop_ms)
            with scope.run.shared["line"].request() as got:
                yield got
                with call.open(
                    remote.route, 2, {"http.route": "/" + remote.route.split("/")[1]}, remote.service, pod
                ) as it:
                    yield from it.wait(it.around(remote.route, remote.ms))
            yield from call.wait(remote.hop_ms)

    def truth(self) -> Truth:
        return Truth(
            frozenset({(self.app, self.remote.name, self.remote.service)}), services=frozenset({self.remote.service}),
            why=frozenset({"how_slow"}), advice=frozenset({"queue"}), grows=frozenset({"unattributed", "orchestration", "tools", "queue"}),
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.remote.route, 0.5)}


@world("connects", "every call opens a new connection, because it is not kept alive")
class Connects(World):
    def setup(self) -> None:
        self.remote = remote(self.names, self.random, float(self.random.uniform(10, 60)))
        self.connect_ms = float(self.random.uniform(150, 500))

    def step(self, scope: Scope) -> Process:
        longer = scope.around("connect", self.connect_ms) if scope.run.cause else 0.0
        work = self.remote
        yield from work.calling(scope, lambda inner: inner.wait(inner.around(work.route, work.ms)), hop_ms=longer)

    def truth(self) -> Truth:
        culprit = (self.app, self.remote.name, self.remote.service)
        return Truth(frozenset({culprit}), services=frozenset({self.remote.service}), why=frozenset({"how_slow"}))

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.remote.route, 0.5)}

"""More work than before: queries in a loop, missing caches, new steps."""

import zlib
from dataclasses import replace

from bench.worlds.engine import CLIENT, SECOND, Process, Run, Scope
from bench.worlds.steps import query, remote, search
from bench.worlds.world import Truth, World, called, world
from overbudget.analysis.whatif.changes import Cache, Change, Drop, Scale

OFTEN = frozenset({"how_often"})


@world("n plus one", "a query for each row instead of one for all")
class NPlusOne(World):
    between_ms = 1500.0

    def setup(self) -> None:
        self.query, self.rows = (
            query(self.names, float(self.random.uniform(1.5, 6))),
            int(self.random.integers(40, 150)),
        )
        self.share = float(self.random.choice([1.0, self.random.uniform(0.1, 0.5)]))

    def step(self, scope: Scope) -> Process:
        hit = scope.chance("hit") < self.share and scope.run.cause
        for _ in range(int(scope.around("rows", self.rows, 0.2)) if hit else 2):
            yield from self.query.run(scope)
            yield from scope.idle(0.05)

    def truth(self) -> Truth:
        return Truth(
            called(self.app, self.query.name, "db"),
            why=OFTEN, advice=frozenset({"batch_calls"}),
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.query.name, 0.5)}


@world("cache misses", "a cache that hardly ever has the answer; the work behind it is done for each request")
class CacheMisses(World):
    natural = frozenset({"http.request.method", "http.route", "server.address"})  # slow requests do make the call

    def setup(self) -> None:
        self.get = query(self.names, 1.0, "GET")
        drawn = remote(self.names, self.random, float(self.random.uniform(150, 600)))
        self.remote = replace(drawn, name=drawn.route)
        self.misses = float(self.random.uniform(0.5, 0.9))

    def step(self, scope: Scope) -> Process:
        told = {"db.system.name": "redis", "db.operation.name": "GET"}
        yield from scope.work(self.get.name, 1.0, 0.3, CLIENT, told)
        missed = scope.chance("hit") < (self.misses if scope.run.cause else 0.02)
        if missed and scope.run.change != "none":
            yield from self.remote.run(scope)

    def truth(self) -> Truth:
        return Truth(called(self.remote.service, self.remote.route), why=OFTEN)

    def changes(self) -> dict[str, Change]:
        return {"none": Drop(self.remote.name)}


@world("new step", "a step that every request has now and had not before")
class NewStep(World):
    def setup(self) -> None:
        self.remote = remote(self.names, self.random, float(self.random.uniform(150, 600)))

    def step(self, scope: Scope) -> Process:
        if scope.run.cause:
            yield from self.remote.run(scope)
        else:
            yield from scope.idle(0.1)

    def truth(self) -> Truth:
        return Truth(called(self.remote.service, self.remote.route), why=OFTEN)


@world("repeats", "a search whose inputs repeat within minutes, and which is slow")
class Repeats(World):
    between_ms = 800.0

    def setup(self) -> None:
        self.search = search(self.names, float(self.random.uniform(20, 60)))
        self.slower, self.inputs = float(self.random.uniform(200, 700)), int(self.random.integers(8, 40))

    def prepare(self, run: Run) -> None:
        run.shared["filled"] = {}

    def step(self, scope: Scope) -> Process:
        asked = int(scope.chance("input") ** 2 * self.inputs)
        filled, now = scope.run.shared["filled"], scope.run.env.now
        if scope.run.change == "cached" and asked in filled and now - filled[asked] <= 600 * SECOND:
            return
        text = f"what of {zlib.crc32(str((self.seed, asked)).encode())}"
        told = {**dict(self.search.attributes), "openinference.span.kind": "RETRIEVER", "input.value": text}
        longer = scope.around("longer", self.slower) if scope.run.cause else 0.0
        with scope.open(self.search.name, CLIENT, told) as inner:
            yield from inner.wait(inner.around(self.search.name, self.search.ms) + longer)
        filled[asked] = scope.run.env.now

    def truth(self) -> Truth:
        return Truth(
            called(self.app, self.search.name, "qdrant"),
            why=frozenset({"how_slow"}), advice=frozenset({"cache"}),
            always=frozenset({"cache"}),
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {"cached": Cache(self.search.name, 600 * SECOND), "halve": Scale(self.search.name, 0.5)}

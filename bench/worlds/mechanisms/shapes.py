"""How a request's steps stand to each other: in a row, at once, twice, or with nobody waiting."""

from dataclasses import replace

from bench.worlds.engine import CLIENT, MS, PRODUCER, Process, Run, Scope
from bench.worlds.steps import MODEL_HOST, Step, chat, query, search, tool
from bench.worlds.world import Truth, World, called, world
from overbudget.analysis.whatif.changes import Change, Parallel, Scale

SLOW = frozenset({"how_slow"})


@world("in a row", "independent tools that run one after the other, in whatever order, and have become slow")
class InARow(World):
    between_ms = 2500.0

    def setup(self) -> None:
        self.tools = [
            tool(self.names, float(self.random.uniform(60, 200))) for _ in range(int(self.random.integers(2, 5)))
        ]
        self.slower = float(self.random.uniform(2, 4))
        self.group = self.names.new()

    def step(self, scope: Scope) -> Process:
        order = sorted(self.tools, key=lambda one: scope.chance(one.name + " first"))
        used = [one for one in order if scope.chance(one.name + " used") < 0.85]
        with scope.open(self.group) as inner:
            if scope.run.change == "at once":
                yield from inner.at_once([self._use(inner, one) for one in used])
                return
            for one in used:
                yield from self._use(inner, one)
                yield from inner.idle(0.5)

    def _use(self, inner: Scope, one: Step) -> Process:
        times = self.slower if inner.run.cause else 1.0
        yield from replace(one, ms=one.ms * times).run(inner)

    def truth(self) -> Truth:
        return Truth(
            frozenset({(self.app, one.name, None) for one in self.tools}),
            why=SLOW,
            advice=frozenset({"parallelise"}),
            always=frozenset({"parallelise"}),
        )

    def changes(self) -> dict[str, Change]:
        return {"at once": Parallel(tuple(one.name for one in self.tools)), "halve": Scale(self.tools[0].name, 0.5)}


@world("each needs the one before", "embedding, search, reranking: slow, in a row, and not to be run at once")
class Dependent(World):
    between_ms = 1500.0

    def setup(self) -> None:
        model = self.names.new()
        told = (("gen_ai.operation.name", "embeddings"), ("gen_ai.request.model", model))
        self.embed = Step(f"embeddings {model}", float(self.random.uniform(20, 60)), CLIENT, told)
        self.search = search(self.names, float(self.random.uniform(20, 60)))
        rerank = (("openinference.span.kind", "RERANKER"),)
        self.rerank = Step(self.names.new(), float(self.random.uniform(20, 60)), CLIENT, rerank)
        self.chain = [self.embed, self.search, self.rerank]
        self.sick, self.slower = int(self.random.integers(3)), float(self.random.uniform(6, 12))

    def step(self, scope: Scope) -> Process:
        for place, one in enumerate(self.chain):
            times = self.slower if scope.run.cause and place == self.sick else 1.0
            yield from replace(one, ms=one.ms * times).run(scope)
            yield from scope.idle(0.3)

    def truth(self) -> Truth:
        named = self.chain[self.sick].name
        return Truth(called(self.app, named, "qdrant"), why=SLOW)

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.chain[self.sick].name, 0.5)}


@world("fan-out", "all shards at once, and the slowest decides; a share of calls straggles")
class FanOut(World):
    def setup(self) -> None:
        self.query = query(self.names, float(self.random.uniform(10, 30)))
        self.width = int(self.random.integers(6, 14))
        self.share, self.slower = float(self.random.uniform(0.01, 0.05)), float(self.random.uniform(300, 1500))

    def step(self, scope: Scope) -> Process:
        yield from scope.at_once([self._ask(scope, shard) for shard in range(self.width)])

    def _ask(self, scope: Scope, shard: int) -> Process:
        told = {**dict(self.query.attributes), "db.namespace": f"shard{shard}"}
        hit = scope.chance(f"straggles {shard}") < self.share and scope.run.cause
        longer = scope.around(f"longer {shard}", self.slower) if hit else 0.0
        with scope.open(self.query.name, self.query.kind, told) as inner:
            yield from inner.wait(inner.around(f"shard {shard}", self.query.ms) + longer)

    def truth(self) -> Truth:
        return Truth(called(self.app, self.query.name, "db"), why=SLOW)

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.query.name, 0.5)}


@world("hedging", "a second call after a fixed time; the first answer counts")
class Hedging(World):
    def setup(self) -> None:
        self.query = query(self.names, float(self.random.uniform(20, 60)))
        self.hedged_after = self.query.ms * float(self.random.uniform(2.5, 4))
        self.share, self.slower = float(self.random.uniform(0.1, 0.3)), float(self.random.uniform(300, 900))

    def step(self, scope: Scope) -> Process:
        env = scope.run.env
        first = env.process(self._leg(scope, "first"))
        yield first | env.timeout(round(self.hedged_after * MS))
        if first.processed:
            return
        yield first | env.process(self._leg(scope, "second"))

    def _leg(self, scope: Scope, leg: str) -> Process:
        hit = scope.chance("slow " + leg) < self.share and scope.run.cause
        longer = scope.around("longer " + leg, self.slower) if hit else 0.0
        with scope.open(self.query.name, self.query.kind, dict(self.query.attributes)) as inner:
            yield from inner.wait(inner.around(self.query.name + leg, self.query.ms) + longer)

    def truth(self) -> Truth:
        told = frozenset({"hedging"})
        return Truth(called(self.app, self.query.name, "db"), why=SLOW, advice=told, always=told)

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.query.name, 0.5)}


@world("fire and forget", "a task that nobody waits for runs long after; something else is slow")
class FireAndForget(World):
    def setup(self) -> None:
        self.task, self.send = self.names.new(), self.names.new()
        self.task_ms = float(self.random.uniform(300, 2500))
        self.query, self.slower = (
            query(self.names, float(self.random.uniform(10, 40))),
            float(self.random.uniform(200, 600)),
        )
        self.sends = bool(self.random.random() < 0.5)

    def step(self, scope: Scope) -> Process:
        scope.run.env.process(self._forgotten(scope))
        yield from scope.idle(0.5)
        longer = scope.around("longer", self.slower) if scope.run.cause else 0.0
        with scope.open(self.query.name, self.query.kind, dict(self.query.attributes)) as inner:
            yield from inner.wait(inner.around(self.query.name, self.query.ms) + longer)

    def _forgotten(self, scope: Scope) -> Process:
        if not self.sends:
            yield from scope.work(self.task, self.task_ms, 0.8)
            return
        with scope.open(f"send {self.send}", PRODUCER, {"messaging.system": "kafka"}) as sent:
            yield from sent.idle(0.3)
        with sent.open(f"process {self.send}", 5, {"messaging.system": "kafka"}, self.send) as inner:
            yield from inner.idle(inner.around(self.task, self.task_ms, 0.8))

    def truth(self) -> Truth:
        return Truth(called(self.app, self.query.name, "db"), why=SLOW)

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.query.name, 0.5)}


@world("streaming", "the function that asks for an answer returns at once; the request ends when the answer is written")
class Streaming(World):
    def setup(self) -> None:
        self.chat, self.function = chat(self.names, self.random), self.names.new()
        self.times = float(self.random.uniform(3, 8))

    def body(self, scope: Scope) -> Process:
        for one in self.before:
            yield from one.run(scope)
        done = scope.run.env.event()
        with scope.open(self.function) as inner:
            scope.run.env.process(self._stream(inner, done))
            yield from inner.idle(2)
        yield done
        yield from self.pause(scope)

    def _stream(self, inner: Scope, done) -> Process:  # type: ignore[no-untyped-def]
        prompt, answer = self.chat.tokens(inner)
        times = self.times if inner.run.cause else 1.0
        yield from replace(self.chat, answer_ms=self.chat.answer_ms * times).asking(inner, prompt, answer)
        done.succeed()

    def truth(self) -> Truth:
        culprits = called(self.app, self.chat.name, MODEL_HOST)
        return Truth(culprits, why=SLOW)

    def prepare(self, run: Run) -> None:
        self.natural = frozenset({"gen_ai.usage.output_tokens"})  # type: ignore[misc]

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.chat.name, 0.5)}

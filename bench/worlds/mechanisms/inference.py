"""Model servers: batching with a cache limit, long prompts and answers, a slow first token."""

from collections import deque
from dataclasses import dataclass, replace

import simpy

from bench.worlds.engine import CLIENT, MS, Process, Run, Scope
from bench.worlds.steps import MODEL_HOST, chat, tool
from bench.worlds.world import Truth, World, called, world
from overbudget.analysis.whatif.changes import Change, Scale, Tokens

ALL_LOOP = (
    0.4  # share of requests that loop, from which on typical ones do: no trace shows then that fewer steps suffice
)
READING_MS = 40.0  # per 1,000 tokens of a prompt; all of the batch wait for it


@dataclass
class Job:
    """A sequence that is read and written by a batching server."""

    prompt: int
    left: int
    holds: int  # tokens of the cache that it takes
    granted: simpy.Event
    first: simpy.Event
    done: simpy.Event


class BatchingServer:
    """Writes for all sequences in its batch at once, slower the more there are; admits while its cache has room."""

    def __init__(self, run: Run, cache: int, token_ms: float, each_ms: float, prompt_ms: float) -> None:
        self.env, self.free = run.env, cache
        self.token_ms, self.each_ms, self.prompt_ms = token_ms, each_ms, prompt_ms
        self.line: deque[Job] = deque()
        self.batch: list[Job] = []
        self.woken: simpy.Event | None = None
        run.env.process(self._serve())

    def ask(self, prompt: int, answer: int) -> Job:
        """Stand in line."""
        job = Job(prompt, answer, prompt + answer, self.env.event(), self.env.event(), self.env.event())
        self.line.append(job)
        if self.woken is not None and not self.woken.triggered:
            self.woken.succeed()
        return job

    def _serve(self) -> Process:
        while True:
            admitted = self._admit()
            if not self.batch:
                self.woken = self.env.event()
                yield self.woken
                continue
            reading = self.prompt_ms * sum(job.prompt for job in admitted) / 1000
            yield self.env.timeout(round((reading + self.token_ms + self.each_ms * len(self.batch)) * MS))
            for job in admitted:
                job.first.succeed()
            for job in self.batch:
                job.left -= 1
                if job.left <= 0:
                    self.free += job.holds
                    job.done.succeed()
            self.batch = [job for job in self.batch if job.left > 0]

    def _admit(self) -> list[Job]:
        admitted = []
        while self.line and (self.line[0].holds <= self.free or not self.batch):
            job = self.line.popleft()
            self.free -= job.holds
            self.batch.append(job)
            admitted.append(job)
            job.granted.succeed()
        return admitted


@world("batching", "an inference server whose cache holds too few sequences; waits are reported or not")
class Batching(World):
    natural = frozenset({"requests in flight", "gen_ai.usage.output_tokens", "gen_ai.usage.input_tokens"})
    requests = 800

    def setup(self) -> None:
        self.chat = chat(self.names, self.random)
        self.server = self.names.new()
        self.token_ms, self.each_ms = float(self.random.uniform(6, 14)), float(self.random.uniform(0.2, 0.6))
        self.fit = int(self.random.integers(6, 12))
        self.cache = self.fit * (self.chat.prompt + self.chat.answer)
        self.reports = bool(self.random.random() < 0.5)
        took = (
            self.chat.answer * (self.token_ms + self.each_ms * self.fit)
            + READING_MS / 1000 * self.chat.prompt * self.fit
        )
        self.between_ms = took / self.fit / float(self.random.uniform(0.74, 0.86))  # batches read prompts, too

    def prepare(self, run: Run) -> None:
        cache = self.cache if run.cause else self.cache * 20
        run.shared["server"] = BatchingServer(run, cache, self.token_ms, self.each_ms, READING_MS)

    def step(self, scope: Scope) -> Process:
        prompt, answer = self.chat.tokens(scope)
        if scope.run.change == "shorter":
            answer = max(1, answer // 2)
        asked = scope.run.env.now
        with scope.open(self.chat.name, CLIENT, self.chat.attributes(prompt, answer)) as call:
            job = scope.run.shared["server"].ask(prompt, answer)
            yield job.granted
            if self.reports:
                call.span.attributes["gen_ai.latency.time_in_queue"] = (scope.run.env.now - asked) / 1e9
            yield job.first
            call.span.attributes["gen_ai.response.time_to_first_chunk"] = (scope.run.env.now - asked) / 1e9
            yield job.done

    def truth(self) -> Truth:
        return Truth(
            called(self.app, self.chat.name, MODEL_HOST),
            why=frozenset({"how_slow"}), advice=frozenset({"queue"}), always=frozenset({"queue"}), grows=frozenset({"inference", "queue"}),
            model_call="queue",
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {"shorter": Tokens("output", factor=0.5)}


@world("growing prompts", "conversations whose history is never cut")
class GrowingPrompts(World):
    natural = frozenset({"gen_ai.usage.input_tokens"})

    def setup(self) -> None:
        self.chat = chat(self.names, self.random)
        self.chat = type(self.chat)(
            self.chat.model, self.chat.start_ms, float(self.random.uniform(90, 200)), self.chat.answer_ms, 800,
            self.chat.answer, self.chat.streamed,
        )  # fmt: skip
        self.turns = int(self.random.integers(8, 16))

    def prompt(self, scope: Scope) -> int:
        """How long this turn's prompt is: a turn's tokens, and without a cut those of all turns before."""
        turn = scope.request // 25 % self.turns
        new = scope.around("turn", self.chat.prompt, 0.2)
        long = int(new * (1 + turn)) if scope.run.cause else int(new)
        return min(long, 2000) if scope.run.change == "cut" else long

    def step(self, scope: Scope) -> Process:
        _, answer = self.chat.tokens(scope)
        yield from self.chat.asking(scope, self.prompt(scope), answer)

    def truth(self) -> Truth:
        return Truth(
            called(self.app, self.chat.name, MODEL_HOST),
            attributes=frozenset({("gen_ai.usage.input_tokens", None)}), why=frozenset({"how_large"}), advice=frozenset({"shorten_prompt"}),
            model_call="prompts",
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {"cut": Tokens("input", most=2000), "halve": Scale(self.chat.name, 0.5)}


@world("long answers", "a prompt that makes some answers many times as long")
class LongAnswers(World):
    natural = frozenset({"gen_ai.usage.output_tokens"})

    def setup(self) -> None:
        self.chat = chat(self.names, self.random)
        self.share, self.times = float(self.random.uniform(0.1, 0.4)), float(self.random.uniform(5, 10))

    def step(self, scope: Scope) -> Process:
        prompt, answer = self.chat.tokens(scope)
        if scope.chance("long") < self.share and scope.run.cause:
            answer = int(answer * self.times)
        if scope.run.change == "cut":
            answer = min(answer, 150)
        yield from self.chat.asking(scope, prompt, answer)

    def truth(self) -> Truth:
        return Truth(
            called(self.app, self.chat.name, MODEL_HOST),
            attributes=frozenset({("gen_ai.usage.output_tokens", None)}), why=frozenset({"how_large"}), advice=frozenset({"limit_output"}),
            model_call="answers",
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {"cut": Tokens("output", most=150)}


@world("slow first token", "a model whose first token comes late for a share of the calls")
class SlowFirstToken(World):
    def setup(self) -> None:
        self.chat = chat(self.names, self.random)
        self.slower, self.share = float(self.random.uniform(600, 2500)), float(self.random.uniform(0.1, 0.6))

    def step(self, scope: Scope) -> Process:
        hit = scope.chance("hit") < self.share and scope.run.cause
        slower = scope.around("slower", self.slower) if hit else 0.0
        yield from self.chat.asking(scope, *self.chat.tokens(scope), slower)

    def truth(self) -> Truth:
        culprits = called(self.app, self.chat.name, MODEL_HOST)
        return Truth(culprits, why=frozenset({"how_slow"}), model_call="slower model")

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.chat.name, 0.5)}


@world("slower model", "a model that writes each token slower, and whose prompts and answers vary as before")
class SlowerModel(World):
    natural = frozenset({"gen_ai.usage.output_tokens"})

    def setup(self) -> None:
        self.chat = chat(self.names, self.random)
        self.times = float(self.random.uniform(1.6, 3.0))

    def step(self, scope: Scope) -> Process:
        prompt, answer = self.chat.tokens(scope)
        pace = self.chat.answer_ms * (self.times if scope.run.cause else 1.0)
        yield from replace(self.chat, answer_ms=pace).asking(scope, prompt, answer)

    def truth(self) -> Truth:
        culprits = called(self.app, self.chat.name, MODEL_HOST)
        return Truth(culprits, why=frozenset({"how_slow"}), model_call="slower model")

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.chat.name, 0.5)}


@world("agent loop", "an agent that asks its model and tools many times as often")
class AgentLoop(World):
    natural = frozenset({"gen_ai.usage.input_tokens"})
    between_ms = 1500.0

    def setup(self) -> None:
        self.chat, self.agent = chat(self.names, self.random), self.names.new()
        self.tools = [tool(self.names, float(self.random.uniform(10, 60))) for _ in range(2)]
        self.share = float(self.random.choice([1.0, self.random.uniform(0.08, 0.3)], p=[0.2, 0.8]))
        self.more = int(self.random.integers(3, 8))

    def step(self, scope: Scope) -> Process:
        turns = 1 + int(scope.chance("turns") * 3)
        if scope.chance("lost") < self.share and scope.run.cause:
            turns += self.more
        told = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": self.agent}
        with scope.open(f"invoke_agent {self.agent}", attributes=told) as inner:
            for turn in range(turns):
                yield from self.chat.run(inner)
                if turn + 1 < turns:
                    yield from inner.choose("tool", self.tools).run(inner)

    def truth(self) -> Truth:
        return Truth(
            called(self.app, self.chat.name, MODEL_HOST),
            why=frozenset({"how_often"}), advice=frozenset({"fewer_steps"} if self.share < ALL_LOOP else ()),
        )  # fmt: skip

    def changes(self) -> dict[str, Change]:
        return {"halve": Scale(self.chat.name, 0.5)}

"""What requests of any system are made of: queries, searches, model calls, tools, calls of other services.

Each is recorded as its usual instrumentation does it (OpenTelemetry's semantic conventions).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.worlds.engine import CLIENT, INTERNAL, SERVER, Process, Scope
from bench.worlds.names import Names

MODEL_HOST = "api.openai.example"
Body = Callable[[Scope], Process]


@dataclass(frozen=True)
class Step:
    """One operation of a request: its span's name, kind and attributes, and about how long it takes."""

    name: str
    ms: float
    kind: int = INTERNAL
    attributes: tuple[tuple[str, Any], ...] = ()
    spread: float = 0.3

    def run(self, scope: Scope) -> Process:
        """Do it once."""
        yield from scope.work(self.name, self.ms, self.spread, self.kind, dict(self.attributes))


@dataclass(frozen=True)
class Remote:
    """A call of another service: a client span here, `hop_ms` on the way, a server span there."""

    name: str  # of the client span
    service: str
    route: str
    ms: float
    hop_ms: float = 1.0
    pods: int = 1

    def run(self, scope: Scope) -> Process:
        """Call it once."""
        yield from self.calling(scope, lambda inner: inner.wait(inner.around(self.route, self.ms)))

    def calling(self, scope: Scope, body: Body, pod: str = "", version: str = "", hop_ms: float = 0.0) -> Process:
        """Call it once with `body` as what the service does; the way there takes `hop_ms` more."""
        pod = pod or f"{self.service}-{scope.choose(self.service + ' pod', range(self.pods))}"
        attributes = {"http.request.method": self.name.split(" ")[0], "server.address": self.service}
        with scope.open(self.name, CLIENT, attributes) as call:
            yield from call.wait(call.around(self.route + " there", self.hop_ms) + hop_ms)
            served = {"http.request.method": self.name.split(" ")[0], "http.route": self.route.split(" ")[1]}
            with call.open(self.route, SERVER, served, self.service, pod, version) as inner:
                yield from body(inner)
                failed = inner.span.failed
            yield from call.wait(call.around(self.route + " back", self.hop_ms))
            call.span.failed = failed


@dataclass(frozen=True)
class Chat:
    """A model call. Its time is what reading the prompt and writing the answer take."""

    model: str
    start_ms: float  # before the first token, whatever the prompt
    prompt_ms: float  # per 1,000 tokens of the prompt
    answer_ms: float  # per token of the answer
    prompt: int = 1200
    answer: int = 80
    streamed: bool = True

    @property
    def name(self) -> str:
        return f"chat {self.model}"

    @property
    def typical_ms(self) -> float:
        return self.start_ms + self.prompt_ms * self.prompt / 1000 + self.answer_ms * self.answer

    def tokens(self, scope: Scope) -> tuple[int, int]:
        """How many tokens the next prompt and answer have."""
        prompt = scope.around(self.model + " prompt", self.prompt, 0.25)
        return int(prompt), 1 + int(scope.around(self.model + " answer", self.answer, 0.3))

    def run(self, scope: Scope) -> Process:
        """Ask once."""
        yield from self.asking(scope, *self.tokens(scope))

    def asking(self, scope: Scope, prompt: int, answer: int, slower: float = 0.0) -> Process:
        """Ask with so many tokens; the first comes `slower` ms later."""
        with scope.open(self.name, CLIENT, self.attributes(prompt, answer)) as call:
            first = call.around(self.model, self.start_ms, 0.2) + self.prompt_ms * prompt / 1000 + slower
            yield from call.wait(first)
            if self.streamed:
                call.span.attributes["gen_ai.response.time_to_first_chunk"] = round(first * call.factor / 1000, 9)
            yield from call.wait(self.answer_ms * answer * call.around(self.model + " pace", 1.0, 0.05))

    def attributes(self, prompt: int, answer: int) -> dict[str, Any]:
        """What the conventions ask for."""
        return {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": self.model,
            "gen_ai.response.model": self.model,
            "gen_ai.usage.input_tokens": prompt,
            "gen_ai.usage.output_tokens": answer,
            "server.address": MODEL_HOST,
        }


Ordinary = Step | Remote | Chat


def query(names: Names, ms: float, verb: str = "SELECT") -> Step:
    """A query of a database."""
    table = names.new()
    told = (
        ("db.system.name", "postgresql"), ("db.operation.name", verb), ("db.collection.name", table),
        ("server.address", "db"),
    )  # fmt: skip
    return Step(f"{verb} {table}", ms, CLIENT, told)


def search(names: Names, ms: float) -> Step:
    """A search in a vector store."""
    collection = names.new()
    return Step(f"query {collection}", ms, CLIENT, (("db.system.name", "qdrant"), ("db.collection.name", collection)))


def tool(names: Names, ms: float) -> Step:
    """A tool that a model asked for."""
    name = names.new()
    told = (("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", name))
    return Step(f"execute_tool {name}", ms, INTERNAL, told)


def guard(names: Names, ms: float) -> Step:
    """A check of what comes in or goes out."""
    return Step(names.new(), ms, INTERNAL, (("openinference.span.kind", "GUARDRAIL"),))


def internal(names: Names, ms: float) -> Step:
    """A function with a span and no convention."""
    return Step(names.new(), ms)


def remote(names: Names, random: np.random.Generator, ms: float, pods: int = 1) -> Remote:
    """A call of a service of its own."""
    service, verb, path = names.new(), random.choice(["GET", "POST"]), names.new()
    named = random.random() < 0.5  # older instrumentations name the client span by the method alone
    call = f"{verb} /{path}" if named else str(verb)
    return Remote(call, service, f"{verb} /{path}", ms, float(random.uniform(0.3, 3)), pods)


def chat(names: Names, random: np.random.Generator) -> Chat:
    """A model call of a random model."""
    return Chat(
        names.new(), float(random.uniform(80, 250)), float(random.uniform(20, 80)), float(random.uniform(2, 8)),
        int(random.integers(500, 2500)), int(random.integers(30, 120)), bool(random.random() < 0.6),
    )  # fmt: skip


def ordinary(names: Names, random: np.random.Generator) -> Ordinary:
    """Any of them."""
    ms = float(np.exp(random.uniform(np.log(5), np.log(60))))
    match random.integers(7):
        case 0:
            return query(names, ms)
        case 1:
            return search(names, ms)
        case 2:
            return tool(names, ms * 2)
        case 3:
            return guard(names, ms)
        case 4:
            return internal(names, ms / 2)
        case 5:
            return chat(names, random)
        case _:
            return remote(names, random, ms, int(random.integers(1, 4)))

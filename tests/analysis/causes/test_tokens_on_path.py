"""Longer prompts, longer answers, caches that miss, slower servers: compare and tail name the right one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.causes.spending import read_spending
from overbudget.analysis.causes.why import Why
from overbudget.analysis.compare.compare import Side, compare
from overbudget.analysis.requests.read import load_requests
from overbudget.analysis.review.review import review
from overbudget.analysis.tail.tail import tail
from tests.span_dump import Span, dataset


@dataclass(frozen=True)
class World:
    """Requests that search and then ask a model: 0.1 ms for a prompt token, 8 ms for an answer token. Factors stretch tokens of
    all requests, `heavy_*` those of every twelfth; `hits` is how often the provider's cache holds nine tenths of the prompt."""

    prompt: float = 1
    answer: float = 1
    server_ms: float = 150
    calls: int = 1
    spread: float = 0.4
    heavy_prompt: float = 1
    heavy_answer: float = 1
    hits: float | None = None
    remote: bool = False  # the wait for the provider is a span of its own
    streams: bool = False

    def traces(self, seed: int, n: int = 240) -> list[list[Span]]:
        random = np.random.default_rng(seed)
        return [self._trace(random, number % 12 == 0) for number in range(n)]

    def _trace(self, random: np.random.Generator, heavy: bool) -> list[Span]:
        at = random.uniform(20, 60)
        spans = [Span("search", 0, at, "GET /", attributes={"gen_ai.operation.name": "retrieval"})]
        for number in range(self.calls):
            prompt = int(random.lognormal(8, self.spread) * self.prompt * (self.heavy_prompt if heavy else 1))
            answer = int(random.lognormal(4.5, self.spread) * self.answer * (self.heavy_answer if heavy else 1))
            cached = int(0.9 * prompt) if self.hits is not None and random.random() < self.hits else 0
            first = self.server_ms * random.lognormal(0, 0.2) + 0.1 * (prompt - cached)
            end = at + first + 8 * answer * random.lognormal(0, 0.1)
            said: dict[str, str | int] = {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "m1",
                "gen_ai.usage.input_tokens": prompt,
                "gen_ai.usage.output_tokens": answer,
                "gen_ai.usage.cache_read.input_tokens": cached,
            }
            if self.streams:
                said["gen_ai.response.time_to_first_chunk"] = str(first / 1000)
            spans.append(Span("chat m1", at, end, "GET /", key=f"c{number}", attributes=said))
            if self.remote:
                there: dict[str, str | int] = {"http.request.method": "POST", "server.address": "api.m"}
                spans.append(
                    Span("POST", at + 1, end - 1, f"c{number}", kind="client", key=f"p{number}", attributes=there)
                )
            at = end
        return [Span("GET /", 0, at + 5, kind="server"), *spans]


def compared(tmp_path: Path, base: World, candidate: World) -> Why:
    """Why the operation that grew most grew."""
    first, second = (dataset(tmp_path / f"{i}.duckdb", w.traces(i)) for i, w in enumerate((base, candidate)))
    found = compare(Side(first), Side(second))
    for one in found.operations:
        assert one.why.how_often_ns + one.why.how_large_ns + one.why.how_slow_ns == one.change_ns
    return found.operations[0].why


def in_tail(tmp_path: Path, world: World) -> Why:
    connection = dataset(tmp_path / "d.duckdb", world.traces(3))
    at_p95 = next(one for one in review(connection).breakdown if one.percentile == 95)
    assert at_p95.culprit is not None
    assert at_p95.culprit.operation is not None
    assert at_p95.culprit.operation.why is not None
    found = tail(connection).operations
    for one in found:
        assert one.why.how_often_ns + one.why.how_large_ns + one.why.how_slow_ns == one.excess_ns
    kind = found[0].why.sentence.split(" of ")[0]
    assert at_p95.culprit.operation.why.sentence.startswith(f"{kind} of ")
    return found[0].why


KINDS = [
    pytest.param(World(), id="whole calls"),
    pytest.param(World(streams=True), id="first tokens"),
    pytest.param(World(remote=True), id="the wait for the provider"),
]


@pytest.mark.parametrize("world", KINDS)
def test_longer_prompts_are_told_as_such(tmp_path: Path, world: World) -> None:
    found = compared(tmp_path, world, World(prompt=2.5, streams=world.streams, remote=world.remote))
    assert found.sentence.startswith("prompts of ")
    assert found.how_large_ns > 3 * abs(found.how_slow_ns)
    assert found.tokens_explain is not None
    assert 0 < found.tokens_explain <= 1


@pytest.mark.parametrize("world", KINDS)
def test_a_slower_server_is_how_slow(tmp_path: Path, world: World) -> None:
    found = compared(tmp_path, world, World(server_ms=700, streams=world.streams, remote=world.remote))
    assert found.sentence.endswith("slower")
    assert found.how_slow_ns > 3 * abs(found.how_large_ns)


def test_longer_answers_are_told_as_such(tmp_path: Path) -> None:
    assert compared(tmp_path, World(), World(answer=2)).sentence.startswith("answers of ")


def test_more_calls_of_the_same_size_are_how_often(tmp_path: Path) -> None:
    found = compared(tmp_path, World(calls=2), World(calls=5))
    assert found.sentence.startswith("5 calls a request instead of 2")
    assert found.how_often_ns > 3 * abs(found.how_large_ns)


def test_a_provider_s_cache_that_misses_is_more_tokens_that_it_did_not_hold(tmp_path: Path) -> None:
    found = compared(tmp_path, World(hits=0.95), World(hits=0.05))
    assert "tokens not from the provider's cache instead of" in found.sentence


def test_prompts_that_are_longer_and_never_vary_are_no_claim(tmp_path: Path) -> None:
    found = compared(tmp_path, World(spread=0), World(spread=0, prompt=2, server_ms=500))
    assert (found.how_large_ns, found.tokens_explain) == (0, None)
    assert found.sentence.endswith("slower")


def test_large_prompts_of_slow_requests_are_told_in_tail_and_review(tmp_path: Path) -> None:
    assert in_tail(tmp_path, World(heavy_prompt=6)).sentence.startswith("prompts of ")


def test_large_answers_of_slow_requests_are_told_in_tail_and_review(tmp_path: Path) -> None:
    assert in_tail(tmp_path, World(heavy_answer=6, remote=True)).sentence.startswith("answers of ")


def test_datasets_without_tokens_are_not_asked_for_any(tmp_path: Path) -> None:
    plain = [[Span("GET /", 0, 100, kind="server"), Span("chat", 1, 99, "GET /")] for _ in range(3)]
    connection = dataset(tmp_path / "d.duckdb", plain)
    assert read_spending(connection, load_requests(connection)).tokens is None

"""Limits on what runs at once, found in simulated systems, and what-ifs compared with the systems simulated again."""

from typing import Any

import numpy as np
import pytest

from overbudget.analysis.whatif.candidates import WITHIN
from tests.analysis.whatif.worlds import (
    MS,
    Body,
    Process,
    Seen,
    Servers,
    Simulation,
    around,
    held,
    seen,
    simulated,
    work,
)


def close(predicted: np.ndarray, truth: np.ndarray, within: float = 0.05) -> None:  # type: ignore[type-arg]
    for p in (50, 90, 95):
        assert np.percentile(predicted, p) == pytest.approx(np.percentile(truth, p), rel=within), f"p{p}"


def durations(simulation: Simulation) -> np.ndarray:  # type: ignore[type-arg]
    """In the order of the requests."""
    entries = sorted(span for span in simulation.spans if span[1] < 0)
    return np.array([span[5] - span[4] for span in entries])


def pool(connections: int, query: float = 1.0, chat: float = 1.0, newest_first: bool = False) -> Body:
    """A retrieval that needs a connection, then a model call."""
    servers = Servers(connections, newest_first)

    def body(s: Simulation, n: int, entry: int, rng: np.random.Generator) -> Process:
        lead, took, answer = around(rng, 1, 0.1), around(rng, 60), around(rng, 300)
        yield lead
        yield from held(s, n, entry, "SELECT docs", int(took * query), servers)
        yield from work(s, n, entry, "chat", int(answer * chat))

    return body


def found(body: Body, **world: Any) -> Seen:
    return seen(simulated(body, **world))


BUSY = {"requests": 600, "between_ms": 17, "burst": 3}
QUIET = {"requests": 600, "between_ms": 60}


def test_a_full_pool_is_found_with_its_size_and_its_waits() -> None:
    world = found(pool(4), **BUSY)
    (line,) = world.system.lines
    assert (line.name, line.servers, line.per) == ("SELECT docs", 4, "")
    assert line.first_come
    waited, p50, p95 = line.waits()
    assert waited > 100
    assert 0 < p50 < p95


@pytest.mark.parametrize("factor", [0.5, 1.1])
def test_shorter_and_longer_queries_change_the_line_too(factor: float) -> None:
    world = found(pool(4), **BUSY)
    truth = durations(simulated(pool(4, query=factor), **BUSY))
    close(world.predicted({"SELECT docs": factor}), truth)


def test_one_more_connection_brings_what_it_brings() -> None:
    world = found(pool(4), **BUSY)
    close(world.predicted(servers={"SELECT docs": 5}), durations(simulated(pool(5), **BUSY)))


def test_what_comes_after_the_line_does_not_change_it() -> None:
    world = found(pool(4), **BUSY)
    close(world.predicted({"chat": 0.5}), durations(simulated(pool(4, chat=0.5), **BUSY)))


def test_a_pool_that_is_never_full_is_no_line() -> None:
    world = found(pool(200), **QUIET)
    assert world.lines == ()
    assert world.suspected() == set()


def test_a_pool_that_serves_the_newest_first_is_not_replayed() -> None:
    world = found(pool(4, newest_first=True), **BUSY)
    assert world.system.lines == ()
    assert {line.name for line in world.system.unclear} | world.suspected() >= {"SELECT docs"}


def test_nothing_changed_moves_nothing_with_lines_too() -> None:
    world = found(pool(4), **BUSY)
    assert (world.predicted() == world.durations).all()
    assert world.system.reproduced > 0.99


def fan_out(at_once: int, piece: float = 1.0) -> Body:
    """Eight pieces of work within each request, so many of them at once."""

    def body(s: Simulation, n: int, entry: int, rng: np.random.Generator) -> Process:
        times = [int(around(rng, 80) * piece) for _ in range(8)]
        servers = Servers(at_once)
        yield around(rng, 5)
        yield [held(s, n, entry, "load page", ns, servers) for ns in times]  # type: ignore[list-item]
        yield from work(s, n, entry, "chat", around(rng, 200))

    return body


def test_a_limit_within_each_request_is_found() -> None:
    world = found(fan_out(3), **QUIET)
    (line,) = world.system.lines
    assert (line.name, line.servers, line.per) == ("load page", 3, WITHIN)
    close(world.predicted({"load page": 0.5}), durations(simulated(fan_out(3, 0.5), **QUIET)))
    close(world.predicted(servers={"load page": 4}), durations(simulated(fan_out(4), **QUIET)))


def test_calls_that_all_start_together_show_no_limit() -> None:
    world = found(fan_out(8), **QUIET)
    assert world.lines == ()
    close(world.predicted({"load page": 0.5}), durations(simulated(fan_out(8, 0.5), **QUIET)))


def locked(write: float = 1.0) -> Body:
    """A write that waits for a lock within its own time."""
    lock = Servers(1)

    def body(s: Simulation, n: int, entry: int, rng: np.random.Generator) -> Process:
        before, took, answer = around(rng, 20), around(rng, 40, 0.15), around(rng, 100)
        yield before
        span = s.open(n, entry, "UPDATE balance")
        yield "take", lock
        yield int(took * write)
        yield "give", lock
        s.close(span)
        yield from work(s, n, entry, "chat", answer)

    return body


def test_a_lock_that_is_waited_for_within_the_calls_is_found() -> None:
    load = {"requests": 800, "between_ms": 58}
    world = found(locked(), **load)
    (line,) = world.system.lines
    assert (line.name, line.servers, line.within_calls) == ("UPDATE balance", 1, True)
    close(world.predicted({"UPDATE balance": 0.5}), durations(simulated(locked(0.5), **load)))


def limited(every_ms: int) -> Body:
    """Calls that are let through at a constant distance."""
    gate = [0]

    def body(s: Simulation, n: int, entry: int, rng: np.random.Generator) -> Process:
        before, took = around(rng, 2, 0.1), around(rng, 100)
        yield before
        through = max(s.now, gate[0])
        gate[0] = through + every_ms * MS
        if through > s.now:
            yield through - s.now
        yield from work(s, n, entry, "chat", took)

    return body


def test_a_rate_limit_is_found() -> None:
    load = {"requests": 800, "between_ms": 24, "burst": 4}
    world = found(limited(20), **load)
    (line,) = world.system.lines
    assert line.period_ns == pytest.approx(20 * MS, rel=0.02)
    close(world.predicted({"chat": 0.5}), durations(simulated(_halved(20), **load)))


def _halved(every_ms: int) -> Body:
    whole = limited(every_ms)

    def body(s: Simulation, n: int, entry: int, rng: np.random.Generator) -> Process:
        pieces = whole(s, n, entry, rng)
        open_spans = len(s.spans)
        for asked in pieces:
            in_call = len(s.spans) > open_spans and s.spans[-1][0] == n and s.spans[-1][5] < 0
            yield asked // 2 if in_call and isinstance(asked, int) else asked

    return body


def transaction(connections: int, query: float = 1.0) -> Body:
    """A connection that is held from the first of two queries to the last."""
    servers = Servers(connections)

    def body(s: Simulation, n: int, entry: int, rng: np.random.Generator) -> Process:
        before, first, between, second = around(rng, 3), around(rng, 30), around(rng, 10), around(rng, 20)
        yield before
        yield "take", servers
        yield from work(s, n, entry, "SELECT row", int(first * query))
        yield between
        yield from work(s, n, entry, "UPDATE row", second)
        yield "give", servers
        yield from work(s, n, entry, "chat", around(rng, 100))

    return body


def test_a_connection_held_over_a_transaction_is_found() -> None:
    load = {"requests": 700, "between_ms": 23, "burst": 2}
    peers = {"SELECT row": "pg", "UPDATE row": "pg"}
    world = seen(simulated(transaction(3), **load), peers)
    (line,) = world.system.lines
    assert (line.servers, line.per) == (3, "caller")
    close(world.predicted({"SELECT row": 0.5}), durations(simulated(transaction(3, 0.5), **load)))


def agent(chat: float = 1.0) -> Body:
    """Model calls and tools in turn, more of them in some requests."""

    def body(s: Simulation, n: int, entry: int, rng: np.random.Generator) -> Process:
        for _ in range(int(rng.integers(2, 9))):
            yield from work(s, n, entry, "chat", int(around(rng, 150) * chat))
            yield around(rng, 3)
            yield from work(s, n, entry, "search" if rng.random() < 0.5 else "calculate", around(rng, 40))

    return body


def test_the_steps_of_an_agent_wait_for_one_another() -> None:
    world = found(agent(), **QUIET)
    assert world.lines == ()
    close(world.predicted({"chat": 0.5}), durations(simulated(agent(0.5), **QUIET)))


def with_background(chat: float = 1.0) -> Body:
    """A step that goes on in the background, and ends early at times."""

    def body(s: Simulation, n: int, entry: int, rng: np.random.Generator) -> Process:
        aside, first, second = around(rng, 120, 0.8), around(rng, 150), around(rng, 100)
        s.start(work(s, n, entry, "write log", aside), s.now)  # type: ignore[arg-type]
        yield from work(s, n, entry, "chat", int(first * chat))
        yield around(rng, 4)
        yield from work(s, n, entry, "format", second)

    return body


def test_what_goes_on_in_the_background_holds_nobody_up() -> None:
    world = found(with_background(), **QUIET)
    close(world.predicted({"chat": 0.3}), durations(simulated(with_background(0.3), **QUIET)))


def batching(chat: float = 1.0) -> Body:
    """A model that is slower the more calls it has at a time."""

    def body(s: Simulation, n: int, entry: int, rng: np.random.Generator) -> Process:
        left = around(rng, 80, 0.2) * chat
        span = s.open(n, entry, "chat")
        s.running += 1
        while left > 0:
            rate = 1 / (1 + 0.25 * (s.running - 1))
            step = min(5.0 * MS, left / rate)
            yield max(1, int(step))
            left -= step * rate
        s.running -= 1
        s.close(span)

    return body


def test_a_model_that_batches_is_no_line_but_under_suspicion_and_its_bound_holds() -> None:
    load = {"requests": 500, "between_ms": 45, "burst": 2}
    world = found(batching(), **load)
    assert world.system.lines == ()
    assert world.suspected() == {"chat"}
    truth = durations(simulated(batching(0.8), **load))
    at_most = world.predicted({"chat": 0.8})
    for p in (50, 90, 95):
        assert np.percentile(truth, p) <= np.percentile(at_most, p) <= 1.25 * np.percentile(truth, p)


@pytest.mark.parametrize("seed", range(4))
def test_healthy_systems_show_no_line(seed: int) -> None:
    for body in (pool(200), agent(), with_background(), fan_out(8)):
        world = found(body, seed=seed, **QUIET)
        assert world.lines == ()
        assert (world.predicted() == world.durations).all()

"""Clients that wait for their answer before they ask again: arrivals follow answers, so a replay over the recorded ones is a bound."""

import numpy as np
import pytest

from overbudget.analysis.whatif.bounds import Doubt, bound_of, doubts
from tests.analysis.whatif.worlds import MS, Process, Seen, Servers, Simulation, around, held, seen, work

REQUESTS = 900


def clients(count: int, think_ms: float, servers: int, query: float = 1.0) -> Simulation:
    """So many clients ask, wait for the answer, think (0 for not at all) and ask again; a request is a query through a pool, then
    a model call."""
    simulation, pool = Simulation(), Servers(servers)
    asked = iter(range(REQUESTS))

    def client(number: int) -> Process:
        rng = np.random.default_rng([4, number])
        yield int(rng.uniform(0, think_ms + 100) * MS)
        for request in asked:
            docs, answer = int(around(rng, 50) * query), around(rng, 80)
            entry = simulation.open(request, -1, "POST /answer")
            yield from held(simulation, request, entry, "SELECT docs", docs, pool)
            yield from work(simulation, request, entry, "chat", answer)
            simulation.close(entry)
            yield int(rng.exponential(think_ms) * MS)

    for number in range(count):
        simulation.start(client(number), number)
    simulation.run()
    return simulation


def told(world: Seen, events: np.ndarray, closed: bool) -> tuple[tuple[Doubt, ...], str | None]:  # type: ignore[type-arg]
    found = doubts(world.shape, world.system, (), tuple(name for _, name in world.kinds), events, closed)
    return found, bound_of(found, world.durations, world.observed_and(events))


def latencies(simulation: Simulation) -> np.ndarray:  # type: ignore[type-arg]
    return np.percentile([span[5] - span[4] for span in simulation.spans if span[1] < 0], (50, 90, 95))


@pytest.mark.parametrize(("count", "think_ms", "servers"), [(12, 0, 3), (12, 200, 3), (6, 0, 2)])
def test_what_a_closed_loop_gains_is_at_least_so_long(count: int, think_ms: float, servers: int) -> None:
    """Though nearly no call finds a server free: what the soonest take to begin is then taken for what all would."""
    world = seen(clients(count, think_ms, servers))
    assert world.is_closed_loop()
    assert len(world.system.lines) == 1
    for scale, more in (({"SELECT docs": 0.5}, None), ({}, {"SELECT docs": servers + 1})):
        events = world.events(scale, more)
        assert told(world, events, True) == ((Doubt("closed_loop", ""),), "at_least")
        truth = latencies(clients(count, think_ms, servers + bool(more), scale.get("SELECT docs", 1.0)))
        at_least = np.percentile(world.observed_and(events), (50, 90, 95))
        assert (at_least <= 1.06 * truth).all()
        assert (at_least >= 0.75 * truth).all()


def test_what_gets_slower_in_a_closed_loop_is_at_most_so_long() -> None:
    world = seen(clients(12, 0, 3))
    events = world.events({"SELECT docs": 1.2})
    assert told(world, events, True) == ((Doubt("closed_loop", ""),), "at_most")
    assert (np.percentile(world.observed_and(events), (50, 90, 95)) >= latencies(clients(12, 0, 3, 1.2))).all()


def test_many_clients_that_think_long_are_as_good_as_open() -> None:
    world = seen(clients(80, 4_000, 3))
    assert not world.is_closed_loop()
    predicted = np.percentile(world.predicted({"SELECT docs": 0.5}), (50, 90, 95))
    assert predicted == pytest.approx(latencies(clients(80, 4_000, 3, 0.5)), rel=0.05)

"""On which side of the truth an answer is, where a replay cannot know it."""

import numpy as np

from overbudget.analysis.whatif.bounds import Doubt, bound_of, doubts
from tests.analysis.whatif.worlds import MS, Seen, Simulation, around, seen

DELAY = 70 * MS


def hedging(query: float = 1.0, requests: int = 400) -> Simulation:
    """A query that is asked again after a fixed time; the first answer counts, and both legs go on. Then a model call."""
    simulation = Simulation()
    for n in range(requests):
        rng = np.random.default_rng([3, n])
        slow = rng.random() < 0.3
        first, second = (int(around(rng, 30 + 400 * hit) * query) for hit in (slow, False))
        answer, at = around(rng, 100), 1_000 * MS * n
        got = at + (first if first <= DELAY else min(first, DELAY + second))
        rows = [(-1, "POST /answer", at, got + answer), (0, "SELECT docs", at, at + first)]
        rows += [(0, "SELECT docs", at + DELAY, at + DELAY + second)] if first > DELAY else []
        rows += [(0, "chat", got, got + answer)]
        begins = len(simulation.spans)
        simulation.spans += [(n, begins if up == 0 else -1, "app", name, s, e) for up, name, s, e in rows]
    return simulation


def told(world: Seen, scale: dict[str, float]) -> tuple[tuple[Doubt, ...], str | None]:
    events = world.events(scale)
    names = tuple(name for _, name in world.kinds)
    found = doubts(world.shape, world.system, (), names, events, False)
    return found, bound_of(found, world.durations, world.observed_and(events))


def test_a_change_of_hedged_calls_is_at_most_and_holds():
    world = seen(hedging())
    for factor in (0.4, 0.8, 1.5):
        assert told(world, {"SELECT docs": factor}) == ((Doubt("hedged", "SELECT docs"),), "at_most")
        truth = np.array([span[5] - span[4] for span in hedging(factor).spans if span[1] < 0])
        at_most = world.predicted({"SELECT docs": factor})
        assert (truth <= at_most + 1).all()
        for p in (50, 90, 95):
            assert np.percentile(at_most, p) <= 1.25 * np.percentile(truth, p)


def test_what_follows_hedged_calls_is_exact():
    world = seen(hedging())
    assert told(world, {"chat": 0.5}) == ((), None)
    assert (world.predicted() == world.durations).all()

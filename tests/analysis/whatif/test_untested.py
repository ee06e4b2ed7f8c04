"""A replay that waits for what was never the reason to wait is a bound, and says so."""

import numpy as np
import pytest

from overbudget.analysis.whatif.bounds import Doubt, bound_of
from overbudget.analysis.whatif.untested import reasons_of, untested_doubts
from tests.analysis.whatif.worlds import MS, Seen, Simulation, seen


def branches(
    chat: float = 1.0, log_ms: float = 100, slow_logs: int = 0, needs_log: bool = False, requests: int = 1_000
) -> Simulation:
    """A model call of 360 to 440 ms beside a log of `log_ms`, a tenth more or less; an answer follows the model, or both. `slow_logs`
    of the logs take longer than the model."""
    simulation = Simulation()
    for n in range(requests):
        rng = np.random.default_rng([5, n])
        model, log = (int(ms * MS * rng.uniform(0.9, 1.1)) for ms in (400, log_ms))
        model, log = round(model * chat), log + (2_000 * MS if n < slow_logs else 0)
        at = 10_000 * MS * n
        got = at + (max(model, log) if needs_log or n < slow_logs else model)
        rows = [(-1, "POST /answer", at, got + 50 * MS), (0, "chat", at, at + model), (0, "log", at, at + log)]
        rows += [(0, "answer", got, got + 50 * MS)]
        begins = len(simulation.spans)
        simulation.spans += [(n, begins if up == 0 else -1, "app", name, s, e) for up, name, s, e in rows]
    return simulation


def told(world: Seen, scale: dict[str, float], given: str = "") -> tuple[Doubt, ...]:
    shape, system = world.shape, world.system
    reasons = reasons_of(shape, system.graph, system.nothing)
    request = np.cumsum(shape.parent < 0).astype(np.int32) - 1
    names = tuple(name for _, name in world.kinds)
    made = world.nodes(given) if given else np.zeros(len(shape.parent), bool)
    return untested_doubts(
        shape, system.graph, reasons, system.nothing, world.events(scale), made, request, world.durations, names
    )


def test_waiting_for_what_was_never_the_last_is_at_most_and_holds():
    world = seen(branches())
    found = told(world, {"chat": 0.1})
    assert found == (Doubt("untested", "log"),)
    at_most = world.predicted({"chat": 0.1})
    assert bound_of(found, world.durations, at_most) == "at_most"
    for needs_log in (False, True):  # which of the two is so, no trace shows
        truth = np.array([span[5] - span[4] for span in branches(0.1, needs_log=needs_log).spans if span[1] < 0])
        assert (truth <= at_most + 1).all()
        assert (abs(truth - at_most) <= 1).all() == needs_log


@pytest.mark.parametrize(
    ("slow_logs", "requests", "tested"), [(9, 1_000, False), (10, 1_000, True), (19, 4_000, False), (20, 4_000, True)]
)
def test_what_was_the_last_in_one_of_a_hundred_or_twenty_times_is_a_reason(slow_logs: int, requests: int, tested: bool):
    world = seen(branches(slow_logs=slow_logs, requests=requests))
    assert told(world, {"chat": 0.1}) == (() if tested else (Doubt("untested", "log"),))


def test_nothing_is_doubted_where_the_order_of_ends_stays():
    world = seen(branches())
    for scale in ({}, {"chat": 0.5}, {"chat": 2.0}, {"answer": 0.1}):
        assert told(world, scale) == ()


def test_what_a_change_makes_others_wait_for_is_no_doubt():
    assert told(seen(branches()), {"chat": 0.1}, given="log") == ()


def test_a_wait_too_short_to_matter_is_no_doubt():
    """The log ends up to 9 ms after the model call, of requests of about 100 ms; then up to 0.5 ms."""
    assert told(seen(branches(log_ms=41)), {"chat": 0.1}) == (Doubt("untested", "log"),)
    assert told(seen(branches(log_ms=33.2)), {"chat": 0.1}) == ()


@pytest.mark.parametrize(("late", "doubted"), [(5, False), (6, True)])
def test_more_than_five_requests_of_a_thousand_must_be_later_for_it(late: int, doubted: bool):
    """Logs of 10 ms, which end before the fastest of the shorter model calls, but for a few of 200 ms."""
    simulation = branches(log_ms=10)
    logs = [place for place, span in enumerate(simulation.spans) if span[3] == "log"]
    for place in logs[:late]:
        simulation.spans[place] = (*simulation.spans[place][:5], simulation.spans[place][4] + 200 * MS)
    assert told(seen(simulation), {"chat": 0.1}) == ((Doubt("untested", "log"),) if doubted else ())

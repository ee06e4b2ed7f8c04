"""The simulator: its lines are as long as queueing theory says, its draws depend on names and numbers alone."""

import itertools

import numpy as np
import pytest
import simpy

from bench.worlds.engine import MS, Entry, Process, Run, Scope

REQUESTS = 12_000
SERVICE_MS, SPREAD = 10.0, 0.5
ENTRY = Entry("app", "POST /", lambda run, request: "app-0", lambda run, request: "1", lambda run, request: {})


@pytest.fixture(scope="module")
def busy() -> tuple[Run, list[int], list[int]]:
    """One server, three quarters busy; the arrivals, and how many stood in line or were served at each arrival."""
    run = Run(3, REQUESTS)
    server = simpy.Resource(run.env, 1)
    standing: list[int] = []

    def body(scope: Scope) -> Process:
        standing.append(len(server.queue) + server.count)
        with server.request() as got:
            yield got
            yield from scope.work("serve", SERVICE_MS, SPREAD)

    mean_ms = SERVICE_MS * np.exp(SPREAD**2 / 2)
    arrivals = np.cumsum(np.random.default_rng(5).exponential(mean_ms / 0.75 * MS, REQUESTS)).astype(np.int64)
    return run.go(arrivals, body, ENTRY), arrivals.tolist(), standing


def test_who_is_there_is_arrivals_times_stay(busy: tuple[Run, list[int], list[int]]) -> None:
    """J. D. C. Little, Operations Research 9 (1961); random arrivals see what any observer sees."""
    run, arrivals, standing = busy
    rate = REQUESTS / (arrivals[-1] - arrivals[0])
    assert np.mean(standing) == pytest.approx(rate * run.latency_ns.mean(), rel=0.05)


def test_the_wait_is_that_of_pollaczek_and_khinchine(busy: tuple[Run, list[int], list[int]]) -> None:
    run, arrivals, _ = busy
    served = np.array([span.end - span.start for span in run.spans if span.name == "serve"])
    rate = REQUESTS / (arrivals[-1] - arrivals[0])
    expected = rate * np.mean(served.astype(float) ** 2) / (2 * (1 - rate * served.mean()))
    assert run.latency_ns.mean() - served.mean() == pytest.approx(expected, rel=0.15)


def test_who_comes_first_is_served_first_and_alone(busy: tuple[Run, list[int], list[int]]) -> None:
    run, _, _ = busy
    served = sorted((span.start, span.end, span.request) for span in run.spans if span.name == "serve")
    assert [request for _, _, request in served] == list(range(REQUESTS))
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(served))


def test_a_draw_depends_on_its_name_and_the_request_and_on_nothing_drawn_before() -> None:
    one, other = Run(1, 5), Run(1, 5)
    for request in range(5):
        one.draw("normal", "something else", request)
    mine = [[run.draw("normal", "pause", request) for request in range(5)] for run in (one, other)]
    assert mine[0] == mine[1]
    assert len(set(mine[0])) == 5
    assert [one.draw("normal", "pause", request) for request in range(5)] != mine[0], "the second draw is another"
    assert [Run(2, 5).draw("normal", "pause", request) for request in range(5)] != mine[0], (
        "another seed is another world"
    )


def test_a_change_of_speed_reaches_what_is_below_and_counts_once() -> None:
    def body(scope: Scope) -> Process:
        with scope.open("call") as outer:
            yield from outer.wait(10)
            with outer.open("call") as inner:
                yield from inner.wait(20)
            yield from outer.idle(7)
        yield from scope.wait(3)

    usual, halved = (Run(1, 1, scale=scale).go([0], body, ENTRY) for scale in ({}, {"call": 0.5}))
    assert usual.latency_ns[0] == 40 * MS
    assert halved.latency_ns[0] == (5 + 10 + 7 + 3) * MS


def test_what_runs_at_once_takes_as_long_as_the_longest() -> None:
    def body(scope: Scope) -> Process:
        yield from scope.at_once([scope.work(name, ms, 0.0) for name, ms in (("a", 5), ("b", 9))])

    run = Run(1, 1).go([4 * MS], body, ENTRY)
    assert run.latency_ns[0] == 9 * MS
    assert [(span.name, span.start // MS, span.end // MS) for span in run.spans] == [
        ("POST /", 4, 13), ("a", 4, 9), ("b", 4, 13),
    ]  # fmt: skip

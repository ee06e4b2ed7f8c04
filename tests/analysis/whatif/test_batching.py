"""Servers that work for several calls at once: never a plain number, and not taken for lines where all are slow at times."""

import numpy as np
import pytest

from bench.worlds.case import Case
from overbudget.analysis.whatif.bounds import Doubt, bound_of
from overbudget.analysis.whatif.changes import Change, Scale, Servers, Tokens
from overbudget.analysis.whatif.whatif import Workbench
from tests.analysis.whatif.worlds import MS, Simulation, seen


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return Workbench(Case("batching", 2, tmp_path_factory.mktemp("batching"), 400).faulty)


def chat(bench: Workbench) -> str:
    (line,) = bench.nodes.replay_input.system.lines
    assert line.batches
    return line.name


@pytest.mark.parametrize(("factor", "side"), [(0.5, "at_most"), (1.2, "at_least")])
def test_the_work_of_a_batching_server_changes_by_a_bound(bench, factor, side):
    found = bench.what_if([Tokens("output", factor=factor)])
    assert found.bound == side
    assert Doubt("batching", chat(bench)) in found.doubts
    assert [line.batches for line in found.kept] == [True]  # waits as they were


def test_waits_that_are_taken_away_are_at_least(bench):
    changes: tuple[Change, ...] = (Scale("queue", 0.0), Servers(chat(bench), 12))
    for change in changes:
        found = bench.what_if([change])
        assert (found.bound, found.doubts) == ("at_least", (Doubt("more_at_once", chat(bench)),))
        assert dict(found.after)[95] < dict(found.before)[95]


def test_fewer_tokens_and_more_servers_at_once_prove_nothing(bench):
    found = bench.what_if([Tokens("output", factor=0.5), Servers(chat(bench), 12)])
    assert {doubt.why for doubt in found.doubts} == {"batching", "more_at_once"}
    assert found.bound is None


def test_what_does_not_touch_the_calls_is_replayed_with_their_line(bench):
    other = next(name for _, name in bench.nodes.replay_input.kinds if name not in (chat(bench),))
    found = bench.what_if([Scale(other, 1.0)])
    assert found.doubts == ()
    assert found.before == found.after


def test_no_reason_is_no_bound():
    one = np.array([5, 6])
    assert bound_of((), one, one - 1) is None
    assert bound_of((Doubt("batching", "x"),), one, one) is None  # nothing moved


def spells(seed: int, requests: int = 600) -> Simulation:
    """Requests in bursts of a dozen; in bad times all queries take long, however many there are. No server is ever waited for."""
    rng, simulation, at, n = np.random.default_rng(seed), Simulation(), 0.0, 0
    while n < requests:
        at += 7_000 + rng.exponential(2_000)
        weather = np.exp(0.8 * rng.standard_normal())
        for _ in range(1 + rng.poisson(12)):
            begins, row = at + rng.uniform(0, 300), len(simulation.spans)
            start, end = int(begins * MS), int((begins + 150 * weather * np.exp(0.3 * rng.standard_normal())) * MS)
            simulation.spans += [(n, -1, "app", "GET /", start, end + MS), (n, row, "app", "SELECT x", start + MS, end)]
            n += 1
    return simulation


@pytest.mark.parametrize("seed", range(8))
def test_calls_that_are_slow_in_bad_times_stand_in_no_line(seed):
    assert seen(spells(seed)).lines == ()

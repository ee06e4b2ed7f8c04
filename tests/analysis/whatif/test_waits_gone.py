"""Where waits cannot be replayed, what a change brings is between what it brings with them and without them."""

import numpy as np
import pytest

from bench.worlds.case import Case
from overbudget.analysis.whatif.bounds import Doubt
from overbudget.analysis.whatif.changes import Scale, Tokens
from overbudget.analysis.whatif.lines import without
from overbudget.analysis.whatif.token_costs import ModelCalls
from overbudget.analysis.whatif.waits_gone import events_without_waits, may_be_told
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.kernels.replay import lengths, no_change, spread
from tests.analysis.whatif.worlds import Process, Seen, Servers, Simulation, around, held, seen, simulated, work

PERCENTILES = (50, 90, 95)
NO_CALLS = ModelCalls(*(np.zeros(0, np.int64),) * 4, np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, np.int64))  # type: ignore[arg-type]


def newest_first(query: float = 1.0) -> Simulation:
    """A pool of which a free connection goes to who came last, then a model call."""
    pool = Servers(3, newest_first=True)

    def body(simulation: Simulation, number: int, entry: int, rng: np.random.Generator) -> Process:
        docs, answer = int(around(rng, 60) * query), around(rng, 80)
        yield from held(simulation, number, entry, "SELECT docs", docs, pool)
        yield from work(simulation, number, entry, "chat", answer)

    return simulated(body, 900, 25)


def without_waits(world: Seen, factor: float) -> np.ndarray:  # type: ignore[type-arg]
    shape, system = world.shape, world.system
    of = spread(shape.parent, shape.downwards, np.where(world.nodes("SELECT docs"), factor, 1.0))
    change = no_change(len(shape.parent))._replace(factor=of)
    events = events_without_waits(shape, system.graph, system, {}, change, [Scale("SELECT docs", factor)], NO_CALLS)
    assert events is not None
    return world.observed_and(events)


@pytest.mark.parametrize("factor", [0.9, 0.5])
def test_the_truth_is_between_all_waits_and_none(factor: float) -> None:
    world = seen(newest_first())
    assert [line.name for line in world.system.unclear] == ["SELECT docs"]
    truth = np.percentile([s[5] - s[4] for s in newest_first(factor).spans if s[1] < 0], PERCENTILES)
    kept = np.percentile(world.predicted({"SELECT docs": factor}), PERCENTILES)
    gone = np.percentile(without_waits(world, factor), PERCENTILES)
    assert (gone <= truth).all()
    assert (truth <= kept).all()
    assert (gone < 0.98 * kept).all()


def test_without_waits_a_call_takes_what_it_held() -> None:
    """A request is then its query and its model call, one after the other."""
    world = seen(newest_first())
    calls = [world.nodes(name) for name in ("SELECT docs", "chat")]
    took = world.shape.end - world.shape.start
    held_for = sum(took[node] for node in calls)
    assert (abs(without_waits(world, 1.0) - held_for) <= 1000).mean() > 0.99


@pytest.fixture(scope="module")
def batching(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Workbench]:
    case = Case("batching", 12, tmp_path_factory.mktemp("batching"), 400)
    return case, Workbench(case.faulty)


def test_a_batching_server_without_waits_is_as_fast_as_for_one(batching: tuple[Case, Workbench]) -> None:
    case, bench = batching
    found = bench.what_if([Tokens("output", factor=0.5)])
    assert found.bound == "at_most"
    assert found.at_least is not None
    rows = found.as_dict()["percentiles"]
    assert [row["at_least_ns"] for row in rows] == [ns for _, ns in found.at_least]
    truth = case.world.changed("shorter").latency_ns
    for row in rows[:-1]:
        assert row["at_least_ns"] <= np.percentile(truth, row["percentile"]) <= row["after_ns"]


@pytest.mark.parametrize("left", [1.0, 0.8])
def test_of_a_call_what_it_waited_goes_and_what_it_held_is_at_the_fastest_pace(
    batching: tuple[Case, Workbench], left: float
) -> None:
    """`left` is what is left of each call, its wait in it: what is saved is saved of what it held."""
    replay_input = batching[1].nodes.replay_input
    shape, calls = replay_input.shape, replay_input.model_calls
    system = without(replay_input.system, [0], shape)
    (line,) = system.unclear
    factor = np.ones(len(shape.parent))
    factor[line.node] = left
    change, tokens = no_change(len(factor))._replace(factor=factor), Tokens("output", factor=left)
    events = events_without_waits(shape, system.graph, system, {}, change, [tokens], calls)
    assert events is not None
    took = (shape.end - shape.start)[line.node].astype(np.float64)
    hold = took - line.waited_ns
    written = np.zeros(len(factor))
    written[calls.node] = calls.output
    pace = hold / written[line.node]
    expected = np.maximum(hold - (1 - left) * took, 0) * np.minimum(1, np.quantile(pace, 0.01) / pace)
    assert lengths(events)[line.node] == pytest.approx(expected, abs=2)
    assert (line.waited_ns > 0).any()


def test_what_is_exact_or_slower_has_no_other_end(batching: tuple[Case, Workbench]) -> None:
    _, bench = batching
    other = next(name for _, name in bench.nodes.replay_input.kinds if not name.startswith(("chat", "POST")))
    for change in (Scale(other, 0.5), Tokens("output", factor=1.5)):
        assert bench.what_if([change]).at_least is None


def test_only_waits_have_another_end() -> None:
    system = seen(newest_first()).system
    assert may_be_told("at_most", [Doubt("unclear_line", "x"), Doubt("batching", "y")], system)
    assert not may_be_told("at_most", [Doubt("unclear_line", "x"), Doubt("untested", "y")], system)
    assert not may_be_told("at_least", [Doubt("unclear_line", "x")], system)
    assert not may_be_told("at_most", [], system)

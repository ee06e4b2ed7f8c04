"""The worlds of `make accuracy`: with and without the cause they differ by it alone, and what is called true is so."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.worlds.engine import SERVER, Run, Span
from bench.worlds.mechanisms import WORLDS
from bench.worlds.mechanisms.queues import Pool
from bench.worlds.mechanisms.records import ClockSkew, LostSpans, Sampled
from bench.worlds.world import World
from overbudget.analysis.requests.read import read_requests
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

REQUESTS = 120
MORE = {"daily rhythm": 500, "batching": 250, "bursts": 250}  # what takes time to be seen
SEED = 11
Both = tuple[World, Run, Run]


@pytest.fixture(scope="module")
def simulated() -> dict[str, Both]:
    """Every world without and with its cause."""
    found = {}
    for name, world in WORLDS.items():
        drawn = world(SEED, MORE.get(name, REQUESTS))
        found[name] = (drawn, drawn.run(cause=False), drawn.run(cause=True))
    return found


def ordinary_ns(world: World, run: Run) -> dict[int, list[tuple[str, int]]]:
    """What the ordinary steps of requests that did not fail took."""
    names = {step.name for step in (*world.before, *world.after)}
    found = defaultdict(list)
    for span in run.spans:
        top = span.parent is not None and span.parent.parent is None
        if top and span.name in names and not run.failed[span.request]:
            found[span.request].append((span.name, span.end - span.start))
    return found


@pytest.mark.parametrize("name", WORLDS)
def test_the_cause_leaves_everything_else_as_it_is(simulated: dict[str, Both], name: str) -> None:
    world, well, ill = simulated[name]
    mine = {one for culprit in world.truth().culprits for one in culprit[:2]}
    usual, now = ordinary_ns(world, well), ordinary_ns(world, ill)
    for request, steps in now.items():
        assert [one for one in steps if one[0] not in mine] == [one for one in usual[request] if one[0] not in mine]


@pytest.mark.parametrize("name", [name for name in WORLDS if name != "fast failures"])
def test_the_cause_makes_requests_slower(simulated: dict[str, Both], name: str) -> None:
    _, well, ill = simulated[name]
    assert ill.latency_ns.mean() > 1.01 * well.latency_ns.mean()
    assert not well.failed.any()


def test_requests_that_fail_fast_are_fast(simulated: dict[str, Both]) -> None:
    _, well, ill = simulated["fast failures"]
    assert 0.05 < ill.failed.mean() < 0.8
    assert ill.latency_ns[ill.failed].max() < np.quantile(well.latency_ns, 0.05)
    assert (ill.latency_ns[~ill.failed] == well.latency_ns[~ill.failed]).all()


@pytest.mark.parametrize("name", WORLDS)
def test_the_guilty_operation_is_there_and_grows_most(simulated: dict[str, Both], name: str) -> None:
    world, well, ill = simulated[name]
    truth = world.truth()
    if not truth.culprits:
        return
    named = {culprit[:2] for culprit in truth.culprits}
    before, after = (own_ns(run, named) for run in (well, ill))
    assert after > before
    assert truth.guilty <= {span.service for span in ill.spans} | {str(value) for value in places(ill)}
    carried = {(key, str(value)) for span in ill.spans for key, value in told(span)}
    for key, value in truth.attributes:
        assert value is None or (key, value.replace("true", "True")) in carried


def own_ns(run: Run, named: set[tuple[str, str]]) -> int:
    return sum(span.end - span.start for span in run.spans if (span.service, span.name) in named)


def places(run: Run) -> Iterator[object]:
    return (span.attributes.get(key, "") for span in run.spans for key in ("server.address", "db.system.name"))


def told(span: Span) -> Iterator[tuple[str, object]]:
    yield from span.attributes.items()
    yield from (("k8s.pod.name", span.pod), ("service.version", span.version))


@pytest.mark.parametrize("name", WORLDS)
def test_spans_lie_in_time_and_parents_in_their_request(simulated: dict[str, Both], name: str) -> None:
    _, _, ill = simulated[name]
    assert all(0 <= span.start <= span.end for span in ill.spans)
    assert all(span.parent is None or span.parent.request == span.request for span in ill.spans)
    assert all(span.parent is None or span.parent.start <= span.start for span in ill.spans)
    entries = [span for span in ill.spans if span.parent is None]
    assert sorted(span.request for span in entries) == list(range(len(ill.latency_ns)))
    assert {span.kind for span in entries} == {SERVER}


def test_the_same_seed_is_the_same_world_and_another_another() -> None:
    one, same, other = (WORLDS["pool"](seed, 40).run(cause=True) for seed in (5, 5, 6))
    assert [(s.name, s.start, s.end) for s in one.spans] == [(s.name, s.start, s.end) for s in same.spans]
    assert one.spans[0].service != other.spans[0].service


def test_no_more_of_a_line_than_there_are_servers() -> None:
    world = next(one for seed in range(50) if not (one := Pool(seed, 300)).inside)
    run = world.run(cause=True)
    name = world.query.name
    events = sorted((at, step) for s in run.spans if s.name == name for at, step in ((s.start, 1), (s.end, -1)))
    assert max(np.cumsum([step for _, step in events])) == world.servers


@pytest.mark.parametrize("name", ["pool", "semaphore", "agent loop", "long answers", "in a row", "cache misses"])
def test_a_change_for_the_better_makes_requests_faster(simulated: dict[str, Both], name: str) -> None:
    world, _, ill = simulated[name]
    for label in world.changes():
        if label != "slow":
            assert world.changed(label).latency_ns.mean() < ill.latency_ns.mean()


def test_what_is_read_is_what_was_simulated(tmp_path: Path, simulated: dict[str, Both]) -> None:
    world, _, ill = simulated["streaming"]
    ingest([world.write(ill, tmp_path / "dump.jsonl")], tmp_path / "dump.duckdb")
    with open_dataset(tmp_path / "dump.duckdb") as connection:
        table = read_requests(connection)
        assert sorted(table.latency_ns.tolist()) == sorted(ill.latency_ns.tolist())
        assert connection.execute("SELECT count(*) FROM spans").fetchone() == (len(ill.spans),)


def test_records_lose_what_their_world_says(tmp_path: Path, simulated: dict[str, Both]) -> None:
    written = {}
    for name, kind in (("clock skew", ClockSkew), ("lost spans", LostSpans), ("sampling", Sampled)):
        world, _, ill = simulated[name]
        assert isinstance(world, kind)
        lines = world.write(ill, tmp_path / f"{name}.jsonl").read_text(encoding="utf-8")
        written[name] = lines.count('"traceId"') / len(ill.spans)
        assert ("ot=th:" in lines) == (name == "sampling")
    assert written["clock skew"] == 1
    assert 0.9 < written["lost spans"] < 1
    assert 0.2 < written["sampling"] < 0.5

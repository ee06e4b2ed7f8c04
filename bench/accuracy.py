"""`make accuracy`: is the culprit found, is the guilty attribute first, do predictions come true? In random worlds."""

import argparse
import atexit
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import meshes
from bench.worlds import Outcome, World, WorldChange, changes_of, draw_world, run
from overbudget.analysis.budget.model import Budget, StageBudget
from overbudget.analysis.common.percentiles import quantiles
from overbudget.analysis.compare.compare import Side, compare
from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.review import review
from overbudget.analysis.tail.tail import tail
from overbudget.analysis.whatif.changes import Cache, Cap, Change, DropRetries, Parallel, Scale
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

ABOVE_NOISE = 1.2  # a fault counts where it makes p95 so many times as long as without it
ROOM = 1.25  # caps are so many times what healthy requests take at p95
CLOSE = 0.02  # of the true percentile
TOLD = (50, 90, 95)
MS = 1_000_000


@dataclass
class Score:
    """What came of one world; None where the question does not arise."""

    seed: int
    stage: bool | None = None  # the culprit's stage is the injected one
    operation: bool | None = None  # and so are its operation and whether it is a hop
    attribute: bool | None = None  # the guilty attribute is first in the tail
    quiet: bool | None = None  # no culprit is named in the healthy world
    same: bool | None = None  # two halves of the healthy world compare as the same
    faulty: bool | None = None  # compare names the faulty service first
    sick: bool | None = None  # and so it does in a mesh of many small services
    errors: dict[str, float] = field(default_factory=dict)  # of a kind of change: the largest relative error


def score(seed: int) -> Score:
    """Simulate a world, healthy and with its fault, and look at what the analysis says of it."""
    found = Score(seed)
    healthy, faulty = draw_world(seed, faulty=False), draw_world(seed)
    with tempfile.TemporaryDirectory(prefix="overbudget-world-") as name:
        folder = Path(name)
        usual = _dataset(folder, "usual", run(healthy, noise=1))
        budget = _budget(usual)
        well = _dataset(folder, "healthy", run(healthy))
        found.quiet = _culprit(well, budget) is None
        found.same = _halves_are_the_same(well)
        outcome = run(faulty)
        ill = _dataset(folder, "faulty", outcome)
        _score_fault(found, faulty, outcome, ill, well, budget)
        found.errors = dict(_errors(healthy, well))
        found.sick = _sick_service_is_named(folder, seed)
    return found


def _score_fault(found: Score, world: World, outcome: Outcome, ill: Path, well: Path, budget: Budget) -> None:
    fault = world.fault
    assert fault is not None
    before, after = (_p95(one.latency_ns) for one in (run(world_without(world), spans=False), outcome))
    if after < ABOVE_NOISE * before:
        return
    operation = next(one for one in world.operations if one.name == fault.operation)
    culprit = _culprit(ill, budget)
    found.stage = culprit is not None and culprit.stage == operation.stage
    named = culprit.operation if culprit is not None else None
    found.operation = named is not None and (named.service_name, named.name, named.hop_to) == _guilty(world)
    if fault.attribute is not None:
        first = next(iter(tail(open_dataset(ill)).attributes), None)
        found.attribute = first is not None and (first.key, first.value) == fault.attribute
    services = compare(Side(open_dataset(well)), Side(open_dataset(ill))).services
    wanted = operation.service if operation.remote else "api"
    found.faulty = bool(services) and services[0].service_name == wanted


def _sick_service_is_named(folder: Path, seed: int) -> bool | None:
    """Whether compare names the faulty service of a mesh first; None where the fault is lost in the noise."""
    mesh = meshes.draw_mesh(seed)
    outcomes = [meshes.run(mesh, 0), meshes.run(mesh, 1, ill=True)]
    before, after = (float(outcome.latency_ns.mean()) for outcome in outcomes)
    if after < ABOVE_NOISE * before:
        return None
    sides = [Side(open_dataset(_dataset(folder, f"mesh-{i}", outcome))) for i, outcome in enumerate(outcomes)]
    services = compare(*sides).services
    return bool(services) and services[0].service_name == mesh.disease.service


def world_without(world: World) -> World:
    """The same world without its fault: the same requests, as the fault draws last."""
    return World(world.seed, world.requests, world.groups, None)


def _guilty(world: World) -> tuple[str, str, str | None]:
    """The operation that the fault makes slow: service, name, and where a hop leads to."""
    fault = world.fault
    assert fault is not None
    operation = next(one for one in world.operations if one.name == fault.operation)
    if fault.on_hop:
        return "api", operation.name, operation.service
    return (operation.service, f"handle {operation.name}", None) if operation.remote else ("api", operation.name, None)


def _dataset(folder: Path, name: str, outcome: Outcome) -> Path:
    dump = outcome.write(folder / f"{name}.json")
    ingest([dump], folder / f"{name}.duckdb")
    return folder / f"{name}.duckdb"


def _budget(path: Path) -> Budget:
    """Caps as a team would set them that knows its service: what healthy requests take, and some room."""
    table = read_requests(open_dataset(path))
    stages = {
        stage: StageBudget({95: int(ROOM * _p95(table.stage_ns[:, place]))})
        for place, stage in enumerate(table.stages)
        if table.stage_ns[:, place].any()
    }
    return Budget(caps={95: int(ROOM * _p95(table.latency_ns))}, stages=stages)


def _culprit(path: Path, budget: Budget):  # type: ignore[no-untyped-def]
    return review(open_dataset(path), budget).made_of(95).culprit


def _p95(values: np.ndarray) -> int:  # type: ignore[type-arg]
    return quantiles(values, (95,))[0][0].value_ns or 0


def _halves_are_the_same(path: Path) -> bool:
    """Whether the earlier and the later half compare as the same at every percentile, end to end."""
    connection = open_dataset(path)
    middle = int(np.median(read_requests(connection).start_ns))
    found = compare(Side(connection, Filters(end=middle)), Side(connection, Filters(start=middle)))
    return all(row.verdict in ("same", "unknown") for row in found.end_to_end)


def _errors(world: World, path: Path) -> Iterator[tuple[str, float]]:
    """Of each kind of change the largest error of a predicted percentile, relative to the true one."""
    bench = Workbench(open_dataset(path))
    for change in changes_of(world):
        predicted, true = bench.durations(_changes_of(change)), run(world, change, spans=False).latency_ns
        pairs = zip(quantiles(predicted, TOLD)[0], quantiles(true, TOLD)[0], strict=True)
        yield change.kind, max(abs((a.value_ns or 0) / (b.value_ns or 1) - 1) for a, b in pairs)


def _changes_of(change: WorldChange) -> list[Change]:
    first = change.operations[0] if change.operations else ""
    match change.kind:
        case "scale":
            return [Scale(first, change.value)]
        case "cap":
            return [Cap(first, int(change.value * MS))]
        case "parallel":
            return [Parallel(change.operations)]
        case "cache":
            return [Cache(first, int(change.value * MS))]
        case "retries":
            return [DropRetries()]
        case _:
            return []


def scores(worlds: int, first: int = 0) -> list[Score]:
    """The scores of worlds `first` to `first + worlds - 1`, on all cores."""
    leave = {"initializer": atexit.register, "initargs": (os._exit, 0)}  # DuckDB's bindings else complain at length
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), **leave) as pool:
        found = pool.map(score, range(first, first + worlds), chunksize=2)
        return list(track(found, total=worlds, description="Worlds", disable=not sys.stderr.isatty()))


def rows(found: list[Score]) -> list[tuple[str, int, float, float]]:
    """What was asked, in how many worlds, the share that came out right, and the share that is aimed at."""
    asked = [
        ("the culprit at p95 is the injected stage", "stage", 0.95),
        ("… and the injected operation, own time and hop apart", "operation", 0.95),
        ("no culprit is named in the healthy world", "quiet", 0.95),
        ("the guilty attribute is first in the tail", "attribute", 0.90),
        ("two halves of the healthy world are the same", "same", 0.95),
        ("compare names the faulty service first", "faulty", 0.95),
        ("… among a dozen small services, of 70 requests", "sick", 0.95),
    ]
    table = []
    for text, name, aim in asked:
        answers = [getattr(one, name) for one in found if getattr(one, name) is not None]
        table.append((text, len(answers), float(np.mean(answers)) if answers else float("nan"), aim))
    for kind in ("scale", "cap", "parallel", "cache", "retries"):
        errors = [one.errors[kind] for one in found if kind in one.errors]
        share = float(np.mean([error <= CLOSE for error in errors])) if errors else float("nan")
        table.append((f"what-if {kind}: p50, p90 and p95 within {CLOSE:.0%} of the truth", len(errors), share, 1.0))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="make accuracy")
    parser.add_argument("--worlds", type=int, default=240)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first world")
    parser.add_argument("--misses", action="store_true", help="list the worlds that came out wrong")
    options = parser.parse_args()
    found = scores(options.worlds, options.first)
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(
        title=f"{options.worlds} random worlds; a fault counts where it makes p95 {ABOVE_NOISE:g} times as long",
        title_justify="left",
    )
    for column in ("what", "worlds", "right", "aim"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for text, worlds, share, aim in rows(found):
        table.add_row(text, str(worlds), f"{share:.1%}", f"{aim:.0%}")
    console.print(table)
    if options.misses:
        for one in found:
            wrong = [
                name
                for name in ("stage", "operation", "quiet", "attribute", "same", "faulty", "sick")
                if getattr(one, name) is False
            ]
            wrong += [f"{kind} {error:.1%}" for kind, error in one.errors.items() if error > CLOSE]
            if wrong:
                console.print(f"world {one.seed}: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)

"""Everything that `make accuracy` measures, as one record."""

import atexit
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from rich.progress import track

from bench import meshes
from bench.accuracy.real import RealFault, real_faults
from bench.accuracy.statistics import Cover, Rate, coverage, power, self_comparisons
from bench.worlds.case import ABOVE_NOISE, Case
from bench.worlds.mechanisms import WORLDS
from bench.worlds.questions import ask
from bench.worlds.score import Mark
from overbudget.analysis.compare.compare import Side, compare
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    name: str
    seeds: int  # of each world
    requests: int  # of each, 0 for as many as the world has by itself
    meshes: int
    systems: int  # that are compared with themselves
    runs: int  # of each row about intervals


QUICK = Size("quick", seeds=1, requests=500, meshes=8, systems=3, runs=60)
FULL = Size("full", seeds=6, requests=0, meshes=60, systems=25, runs=400)


@dataclass
class Measured:
    """What came out."""

    size: Size
    first: int  # seed
    marks: list[Mark] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    covers: list[Cover] = field(default_factory=list)
    real: list[RealFault] = field(default_factory=list)


def measure(size: Size, first: int = 1, real: Path | None = None, jobs: int = 0) -> Measured:
    """Measure it all. `jobs` processes at once, 0 for as many as there are cores."""
    found = Measured(size, first)
    asked = [(name, seed, size.requests) for seed in range(first, first + size.seeds) for name in WORLDS]
    for marks in _spread(_asked, asked, jobs, "Worlds"):
        found.marks += marks
    sick = [one for one in _spread(_mesh, list(range(first, first + size.meshes)), jobs, "Meshes") if one is not None]
    named = sum(sick) / max(len(sick), 1)
    found.rates.append(Rate("among a dozen services, of 70 requests, the faulty one is first", len(sick), named, 0.95))
    found.rates += [*self_comparisons(size.systems), *power(size.runs)]
    found.covers += coverage(size.runs)
    found.real += real_faults(real) if real else ()
    return found


def marks_of(name: str, seed: int, folder: Path, requests: int = 0) -> list[Mark]:
    """One world, asked everything; its dumps are left in `folder`."""
    return list(ask(Case(name, seed, folder, requests)))


def _asked(one: tuple[str, int, int]) -> list[Mark]:
    with tempfile.TemporaryDirectory(prefix="overbudget-world-") as folder:
        return marks_of(one[0], one[1], Path(folder), one[2])


def _mesh(seed: int) -> bool | None:
    """Whether compare names the faulty service of a mesh first; None where the fault is lost in the noise."""
    mesh = meshes.draw_mesh(seed)
    outcomes = [meshes.run(mesh, 0), meshes.run(mesh, 1, ill=True)]
    before, after = (float(outcome.latency_ns.mean()) for outcome in outcomes)
    if after < ABOVE_NOISE * before:
        return None
    sides = []
    with tempfile.TemporaryDirectory(prefix="overbudget-mesh-") as name:
        for number, outcome in enumerate(outcomes):
            ingest([outcome.write(Path(name) / f"{number}.json")], Path(name) / f"{number}.duckdb")
            sides.append(Side(open_dataset(Path(name) / f"{number}.duckdb")))
        services = compare(*sides).services
    return bool(services) and services[0].service_name == mesh.disease.service


def _spread(function, work: Sequence, jobs: int, title: str) -> Iterator:  # type: ignore[no-untyped-def,type-arg]
    """Results in the order of `work`."""
    jobs = jobs or os.cpu_count() or 1
    quiet = not sys.stderr.isatty()
    if jobs == 1:
        yield from (function(one) for one in track(work, title, disable=quiet))
        return
    leave = {"initializer": atexit.register, "initargs": (os._exit, 0)}  # DuckDB's bindings else complain at length
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), **leave) as pool:
        yield from track(pool.map(function, work, chunksize=1), title, total=len(work), disable=quiet)

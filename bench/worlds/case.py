"""A world ready for questions: simulated with and without its cause, its dumps ingested, a budget set as a team would."""

from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np

from bench.worlds.engine import Run
from bench.worlds.mechanisms import WORLDS
from bench.worlds.world import Truth, World
from overbudget.analysis.budget.model import Budget, StageBudget
from overbudget.analysis.requests.read import read_requests
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

ROOM = 1.25  # caps are this many times the p95 of healthy requests
ABOVE_NOISE = 1.2  # a cause counts if it makes p50 or p95 at least this many times as long


class Case:
    """One world and its datasets: `usual` and `healthy` without the cause (other requests each), `faulty` with it."""

    def __init__(self, name: str, seed: int, folder: Path, requests: int = 0) -> None:
        self.name, self.seed, self.folder = name, seed, folder
        self.world: World = WORLDS[name](seed, requests)
        self.truth: Truth = self.world.truth()

    @cached_property
    def well(self) -> Run:
        """The simulation without the cause."""
        return self.world.run(cause=False)

    @cached_property
    def ill(self) -> Run:
        """The simulation with it; the same requests."""
        return self.world.run(cause=True)

    @cached_property
    def usual(self) -> duckdb.DuckDBPyConnection:
        return self._dataset("usual", self.world.run(cause=False, noise=1))

    @cached_property
    def healthy(self) -> duckdb.DuckDBPyConnection:
        return self._dataset("healthy", self.well)

    @cached_property
    def faulty(self) -> duckdb.DuckDBPyConnection:
        return self._dataset("faulty", self.ill)

    @cached_property
    def budget(self) -> Budget:
        """Caps as a team would set them that knows its service: what healthy requests take, and some room."""
        table = read_requests(self.usual)
        stages = {
            stage: StageBudget({95: int(ROOM * np.quantile(table.stage_ns[:, place], 0.95))})
            for place, stage in enumerate(table.stages)
            if np.quantile(table.stage_ns[:, place], 0.95) > 0
        }
        return Budget(caps={95: int(ROOM * np.quantile(table.latency_ns, 0.95))}, stages=stages)

    @property
    def felt(self) -> bool:
        """Whether the cause makes requests slower by more than noise would, at p95."""
        return self.growth(0.95) >= ABOVE_NOISE

    def growth(self, quantile: float) -> float:
        """How many times as long requests take with the cause."""
        before, after = (np.quantile(run.latency_ns, quantile) for run in (self.well, self.ill))
        return float(after / before)

    def _dataset(self, name: str, run: Run) -> duckdb.DuckDBPyConnection:
        dump = self.world.write(run, self.folder / f"{name}.jsonl")
        ingest([dump], self.folder / f"{name}.duckdb")
        return open_dataset(self.folder / f"{name}.duckdb")

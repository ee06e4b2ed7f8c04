"""How long the first ingest and review take on a machine that holds no machine code of overbudget."""

import os
import sys
import tempfile
from pathlib import Path

from bench.measure import Run, process

SPANS = 20_000  # below the size for which the reader's kernel is compiled
OVERBUDGET = [sys.executable, "-m", "overbudget.app.cli"]


def cold_start() -> tuple[Run, int]:
    """Both commands together (wall and CPU seconds, the larger peak), and the bytes of the dump."""
    with tempfile.TemporaryDirectory(prefix="overbudget-cold-") as name:
        folder = Path(name)
        dump, dataset = folder / "dump.jsonl", folder / "first.duckdb"
        process([sys.executable, "-m", "sample_traces", "--scale", str(SPANS), "--out", str(dump)])
        empty = {**os.environ, "OVERBUDGET_CACHE_DIR": str(folder / "cache")}
        commands = (["ingest", str(dump), "--to", str(dataset)], ["review", str(dataset)])
        runs = [process([*OVERBUDGET, *command], empty) for command in commands]
        together = Run(
            sum(run.seconds for run in runs), max(run.peak_mb for run in runs), sum(run.cpu_seconds for run in runs)
        )
        return together, dump.stat().st_size


if __name__ == "__main__":
    first, size = cold_start()
    print(f"{size / 1e6:.1f} MB: {first.seconds:.1f} s, {first.cpu_seconds:.1f} CPU s, {first.peak_mb:.0f} MB")

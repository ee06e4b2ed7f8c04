"""Timing whole processes and functions, and a table to show it in."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One process: wall-clock seconds, peak resident memory in MB, and seconds of all processors."""

    seconds: float
    peak_mb: float
    cpu_seconds: float = 0.0


def process(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end and measure it, in this environment or another. A failure stops the benchmark with the command's output."""
    start = time.perf_counter()
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert child.stderr is not None
    said = child.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{said}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is bytes on macOS, KiB on Linux
    return Run(seconds, usage.ru_maxrss * unit / 1e6, usage.ru_utime + usage.ru_stime)


def best(repeats: int, function: Callable[[], object]) -> float:
    """Seconds of the fastest of `repeats` calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def fastest(runs: Sequence[Run]) -> Run:
    return min(runs, key=lambda run: run.seconds)

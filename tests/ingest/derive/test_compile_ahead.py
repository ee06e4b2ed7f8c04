"""The second process of a first run: it compiles what the first will need, and is not there where nothing is to compile."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from overbudget.ingest.derive import compile_ahead

SAMPLES = Path(__file__).parents[3] / "sample_traces" / "dumps"

# Prints the kernels, with their types, that an ingest compiled for other types than the second process does.
NEW_TYPES = """
import sys, pathlib
from overbudget.ingest.derive.warm_up import warm_up_paths
from overbudget.ingest.pipeline import ingest
from overbudget.kernels import critical_path, hops, overlap, path_items, path_walk
from overbudget.kernels.jit import Kernel

def types():
    modules = (critical_path, hops, overlap, path_items, path_walk)
    kernels = {one for module in modules for one in vars(module).values() if isinstance(one, Kernel)}
    return {(one.__name__, str(signature)) for one in kernels if one._compiled for signature in one._compiled.signatures}

warm_up_paths()
ahead = types()
ingest([sys.argv[1]], pathlib.Path(sys.argv[2]))
assert len(ahead) >= 4
print(sorted(types() - ahead))
"""


def test_the_second_process_compiles_for_the_types_that_an_ingest_needs(tmp_path: Path) -> None:
    dump = SAMPLES / "slow_database_tenant.otlp.jsonl.gz"
    command = [sys.executable, "-c", NEW_TYPES, str(dump), str(tmp_path / "a.duckdb")]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert said.strip() == "[]"


class Started:
    """Stands for a process, and keeps what is done to it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def terminate(self) -> None:
        self.calls.append("terminate")

    def wait(self) -> None:
        self.calls.append("wait")


@pytest.mark.parametrize(("kept", "cores", "starts"), [(False, 2, True), (True, 2, False), (False, 1, False)])
def test_it_starts_where_there_is_something_to_compile_and_a_core_for_it(
    kept: bool, cores: int, starts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Started()
    monkeypatch.setattr(compile_ahead, "compiled_before", lambda: kept)
    monkeypatch.setattr(compile_ahead, "_started", lambda: process)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    with compile_ahead.paths_compiled_ahead():
        assert process.calls == []
    assert process.calls == (["terminate", "wait"] if starts else [])


def test_where_no_process_can_be_started_all_is_compiled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(compile_ahead, "compiled_before", lambda: False)
    with compile_ahead.paths_compiled_ahead():
        pass

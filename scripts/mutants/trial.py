"""One mutant against some tests, in a process that is forked from one with the libraries loaded."""

import ast
import contextlib
import importlib.abc
import importlib.machinery
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn

from scripts.mutants.reach import Chooser, Recorder
from scripts.mutants.rooms import ROOT, Mutant
from scripts.mutants.sites import mutated

MEMORY = 6 << 30  # bytes that a mutant may reserve; one that never stops collecting is stopped
PASSED, FAILED, NO_TESTS = 0, 1, 5  # exit statuses of pytest
# The status of one that did not end in time; a test that uses too much processor time is stopped by its timer's signal.
STOPPED, TOO_MUCH_CPU = -signal.SIGKILL, -signal.SIGPROF
OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-profile=mutants", "--no-header")
# A test may use this many times the processor time that it uses without the fault, plus some seconds; so may importing.
SLOWEST, MORE_SECONDS = 3.0, 8.0
LONGEST = 20.0  # times as long on the clock: for tests that wait and never end


@dataclass
class Trial:
    """Tests that run: of a mutant those with their usual seconds, in that order; without one, all of some files."""

    files: Sequence[str]
    without_jit: bool
    folder: Path
    mutant: Mutant | None = None
    seconds: Mapping[str, float] | None = None
    process: int = 0
    began: float = 0.0
    took: float = 0.0
    cpu: float = 0.0

    def start(self) -> None:
        """Fork a process that runs the tests."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.began = time.monotonic()
        self.process = os.fork()
        if self.process == 0:
            _run(self)

    def status(self) -> int | None:
        """pytest's exit status, or minus the signal that ended the process; None while the tests run."""
        done, raw, used = os.wait4(self.process, os.WNOHANG)
        self.took = time.monotonic() - self.began
        if not done and self.took < self._longest:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process, signal.SIGKILL)  # and what the tests have started
        if not done:
            _, raw, used = os.wait4(self.process, 0)
        self.cpu = used.ru_utime + used.ru_stime
        shutil.rmtree(self.folder / "files", ignore_errors=True)
        return os.waitstatus_to_exitcode(raw)

    @property
    def _longest(self) -> float:
        return 1800.0 if self.seconds is None else LONGEST * (sum(self.seconds.values()) + MORE_SECONDS)

    @property
    def said(self) -> str:
        """What pytest printed."""
        return (self.folder / "said").read_text(encoding="utf-8", errors="replace")

    @property
    def reach(self) -> Path:
        """Where a run without a mutant writes who calls what."""
        return self.folder / "reach.json"


def load_libraries() -> None:
    """Import what trials need, once. Nothing of overbudget: trials differ in it."""
    import duckdb  # noqa: F401
    import hypothesis.strategies  # noqa: F401
    import numba  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import scipy.stats  # noqa: F401
    import typer.testing  # noqa: F401
    import yaml  # noqa: F401


def _run(trial: Trial) -> NoReturn:
    """In the forked process: put the mutant in place of its module, and run pytest."""
    status = 70
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        said = os.open(trial.folder / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.chdir(ROOT)
        os.environ["NUMBA_DISABLE_JIT"] = "1" if trial.without_jit else "0"
        if trial.mutant:
            sys.meta_path.insert(0, _Finder(trial.mutant))
        import pytest

        plugin = _plugin(trial)
        until_first = ["-x"] if trial.mutant else []
        files = [f"--basetemp={trial.folder / 'files'}", *trial.files]
        status = int(pytest.main([*OPTIONS, *until_first, *files], plugins=[plugin]))
        sys.stdout.flush()
    finally:
        os._exit(status)


def _plugin(trial: Trial) -> Chooser | Recorder:
    if trial.seconds is None:
        recorder = Recorder(trial.reach)
        recorder.start()
        return recorder
    usual = trial.seconds
    _stop_after(MORE_SECONDS)
    return Chooser(usual, lambda test: _stop_after(SLOWEST * usual[test] + MORE_SECONDS), lambda: _stop_after(0))


def _stop_after(seconds: float) -> None:
    """End this process when it has used this much processor time, however busy the machine is; 0: never."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the one module that is mutated."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        tree = mutated(Path(spec.origin).read_text("utf-8"), self._mutant.site.number)
        spec.loader = _Loader(fullname, spec.origin, tree)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Gives a module the code of a changed tree; nothing is kept on disk."""

    def __init__(self, fullname: str, path: str, tree: ast.Module) -> None:
        super().__init__(fullname, path)
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        code: Any = compile(self._tree, self.path, "exec", dont_inherit=True)
        assert isinstance(code, CodeType)
        return code

    def get_source(self, fullname: str) -> None:
        """No source: so kernels are compiled again, with the fault, instead of taken from the cache."""

"""One mutant against some tests, in a process of its own that is forked from one in which the libraries are loaded."""

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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn

from scripts.mutants.rooms import ROOT, Mutant
from scripts.mutants.sites import mutated

MEMORY = 6 << 30  # bytes that a mutant may reserve; one that never stops collecting is stopped
PASSED, NO_TESTS = 0, 5  # exit statuses of pytest
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-profile=mutants", "--no-header")


@dataclass
class Trial:
    """Tests that run. `mutant` None tries the sources as they are."""

    mutant: Mutant | None
    tests: Sequence[str]
    without_jit: bool
    seconds: float  # after which it is stopped
    folder: Path
    process: int = 0
    began: float = 0.0
    took: float = 0.0

    def start(self) -> None:
        """Fork a process that runs the tests."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.began = time.monotonic()
        self.process = os.fork()
        if self.process == 0:
            _run(self)

    def status(self) -> int | None:
        """pytest's exit status; None while the tests run; -1 where they were stopped for taking too long."""
        done, raw = os.waitpid(self.process, os.WNOHANG)
        self.took = time.monotonic() - self.began
        late = not done and self.took > self.seconds
        if late:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        if not done and not late:
            return None
        shutil.rmtree(self.folder / "files", ignore_errors=True)
        return -1 if late else os.waitstatus_to_exitcode(raw)

    @property
    def said(self) -> str:
        """What pytest printed."""
        return (self.folder / "said").read_text(encoding="utf-8", errors="replace")


def load_libraries() -> None:
    """Import what every trial needs, once. Nothing of overbudget: trials differ in it."""
    import typer.testing  # noqa: F401


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

        status = int(pytest.main([*OPTIONS, f"--basetemp={trial.folder / 'files'}", *trial.tests]))
        sys.stdout.flush()
    finally:
        os._exit(status)


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
        spec.loader = _Loader(
            fullname, spec.origin, mutated(Path(spec.origin).read_text("utf-8"), self._mutant.site.number)
        )
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

"""Which tests run which function, and how long each takes: a mutant is tried against the tests that could notice it.

Tests are run once without a fault, and every call of a function of the rooms is recorded with the test that made it.
What a fixture of a whole module calls counts for every test of that module; what is called on import counts for all.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from scripts.mutants.rooms import ROOMS, ROOT

ON_IMPORT = ""  # in place of a test


@dataclass(frozen=True)
class Reach:
    """The tests in the order in which they ran, with their seconds, and by file and function the tests that run it.

    `failed` are tests that fail without a fault: no mutant is tried against them.
    """

    seconds: Mapping[str, float]
    callers: Mapping[str, Mapping[str, Collection[str]]]
    failed: Collection[str] = ()

    def tests(self, file: str, function: str, first: str = "") -> list[str]:
        """The tests that run a function, or, for what runs on import, all of them.

        Those of the test file `first` come first, then the other files, the quick ones before the slow ones. Those that
        run another function of `file` come before those that run none.
        """
        by_function = self.callers.get(file, {})
        callers = set(by_function.get(function, ()))
        near = set().union(*by_function.values()) if by_function else set()
        whole = not function or ON_IMPORT in callers
        chosen = [test for test in self.seconds if whole or test in callers]
        times: dict[str, float] = {}
        for test in chosen:
            times[_module(test)] = times.get(_module(test), 0.0) + self.seconds[test]
        reached = {_module(test) for test in chosen if test in near}

        def place(test: str) -> tuple[Any, ...]:
            module = _module(test)
            return module != first, module not in reached, times[module], module, test not in near, self.seconds[test]

        return sorted(chosen, key=place)

    def by_module(self) -> dict[str, "Reach"]:
        """What is known of the tests of each test file by itself."""
        modules = dict.fromkeys(_module(test) for test in (*self.seconds, *self.failed))
        return {module: self._of(module) for module in modules}

    def _of(self, module: str) -> "Reach":
        def its(tests: Iterable[str]) -> list[str]:
            return [test for test in tests if _module(test) == module]

        callers = {
            file: {name: its(tests) + [test for test in tests if test == ON_IMPORT] for name, tests in by.items()}
            for file, by in self.callers.items()
        }
        return Reach({test: self.seconds[test] for test in its(self.seconds)}, callers, its(self.failed))

    @classmethod
    def together(cls, parts: Iterable["Reach"]) -> "Reach":
        """What is known of the tests of several test files."""
        seconds, callers, failed = dict[str, float](), dict[str, dict[str, set[str]]](), list[str]()
        for part in parts:
            seconds |= part.seconds
            failed += part.failed
            for file, by in part.callers.items():
                for name, tests in by.items():
                    callers.setdefault(file, {}).setdefault(name, set()).update(tests)
        return cls(seconds, callers, failed)

    @classmethod
    def read(cls, path: Path) -> "Reach":
        """What `write` wrote."""
        said = json.loads(path.read_text(encoding="utf-8"))
        return cls(said["seconds"], said["callers"], said["failed"])

    def write(self, path: Path) -> None:
        """Keep it in a file."""
        callers = {
            file: {name: sorted(tests) for name, tests in by.items() if tests} for file, by in self.callers.items()
        }
        said = {"seconds": self.seconds, "callers": callers, "failed": list(self.failed)}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(said), encoding="utf-8")


class Recorder:
    """A plugin of pytest that notes which test calls which function of the rooms, and writes it to a file."""

    def __init__(self, path: Path) -> None:
        self._path, self._files = path, _Files()
        self._kernels: dict[Any, set[CodeType]] = {}
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()
        self._called: dict[str, set[CodeType]] = {ON_IMPORT: set()}  # by test, or by a module whose fixtures called it
        self._now = self._called[ON_IMPORT]

    def start(self) -> None:
        """From now on calls are noted, in this thread and in those that begin later."""
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event != "call" or not self._files[code.co_filename]:
            return
        if code.co_qualname == "Kernel.__call__":
            self._now |= self._kernels_beside(frame.f_locals["self"].__wrapped__)
        self._now.add(code)

    def _kernels_beside(self, plain: Any) -> set[CodeType]:
        """The code of a compiled kernel and of the others of its module, which it may call."""
        if plain not in self._kernels:
            kernels = [value for value in plain.__globals__.values() if type(value).__name__ == "Kernel"]
            here = [kernel.__wrapped__ for kernel in kernels if kernel.__module__ == plain.__module__]
            self._kernels[plain] = {function.__code__ for function in here}
        return self._kernels[plain]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        before, began = self._now, time.process_time()
        self._now = self._called.setdefault(item.nodeid, set())
        done = yield
        self._now = before
        self._seconds[item.nodeid] = time.process_time() - began
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
        if fixturedef.scope == "function":
            return (yield)
        before = self._now
        self._now = self._called.setdefault(_module(request.node.nodeid), set())
        done = yield
        self._now = before
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        sys.settrace(None)
        seconds = {test: took for test, took in self._seconds.items() if test not in self._failed}
        callers: dict[str, dict[str, list[str]]] = {}
        for test in (ON_IMPORT, *seconds):
            for code in self._called.get(test, set()) | (self._called.get(_module(test), set()) if test else set()):
                by_function = callers.setdefault(self._files[code.co_filename], {})
                by_function.setdefault(outermost(code.co_qualname), []).append(test)
        Reach(seconds, callers, sorted(self._failed)).write(self._path)


class _Files(dict[str, str]):
    """By the path in a code object, the path from the root of the checkout; "" for what is in no room."""

    def __missing__(self, path: str) -> str:
        real = os.path.realpath(path)
        name = os.path.relpath(real, ROOT) if real.startswith(f"{ROOT}{os.sep}") else ""
        self[path] = name if name.startswith(tuple(f"{room}{os.sep}" for room in ROOMS)) else ""
        return self[path]


class Chooser:
    """A plugin of pytest that runs the tests it is given, in their order, each with its time."""

    def __init__(self, tests: Iterable[str], begins: Callable[[str], None], ends: Callable[[], None]) -> None:
        self._place = {test: place for place, test in enumerate(tests)}
        self._begins, self._ends = begins, ends

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._place), key=lambda item: self._place[item.nodeid]
        )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._begins(item.nodeid)
        done = yield
        self._ends()
        return done


def outermost(qualified: str) -> str:
    """The function or method of a module that holds the code with this name; "" for what runs on import."""
    name = qualified.split(".<locals>")[0]
    return "" if "<" in name else name


def _module(test: str) -> str:
    return test.split("::")[0]

"""What is said of compiling, and `overbudget warm`."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from overbudget.app.commands import warm
from overbudget.app.commands.first_run import first_run_progress
from overbudget.kernels import compiling, machine_code


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def compile_two() -> None:
    """What kernels say while two are compiled, the second inside the first, and one more."""
    for told, name in (
        ("compile", "a"),
        ("compile", "b"),
        ("compiled", "b"),
        ("compiled", "a"),
        ("compile", "c"),
        ("compiled", "c"),
    ):
        for listener in getattr(compiling, f"on_{told}"):
            listener(name)


def test_a_terminal_shows_progress_and_nothing_is_left_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    with first_run_progress():
        compile_two()
    steps = screen.getvalue().split("\r\033[K")
    assert steps == [
        "",
        *["Compiling for this machine, once …"] * 2,
        "",
        "Compiling for this machine, once: 2 done …",
        "",
    ]


def test_nothing_is_said_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    with first_run_progress():
        compile_two()
    assert pipe.getvalue() == ""


def test_it_is_said_once_where_machine_code_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    with first_run_progress():
        for _ in range(2):
            for listener in compiling.on_unkept:
                listener(Path("/nowhere"), PermissionError(13, "Permission denied"))
    assert pipe.getvalue().count("\n") == 1
    assert pipe.getvalue().startswith(
        "Machine code cannot be kept in /nowhere (Permission denied), so every run compiles again"
    )


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often `warm` called the kernels, each time keeping one file."""
    monkeypatch.setenv("OVERBUDGET_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(machine_code, "used_files", files := set[Path]())
    monkeypatch.setattr(warm, "used_files", files)
    called: list[int] = []

    def call() -> None:
        called.append(1)
        (tmp_path / "kernel.bin").touch()
        files.add(tmp_path / "kernel.bin")

    monkeypatch.setattr(warm, "call_every_kernel", call)
    return called


def test_warm_does_nothing_where_everything_is_kept(calls: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    warm.run()
    warm.run()
    assert len(calls) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("1 kernel is compiled, in ")
    assert second.startswith("Everything is compiled already, in ")


def test_warm_compiles_anew_what_was_swept_away(calls: list[int], tmp_path: Path) -> None:
    warm.run()
    os.unlink(tmp_path / "kernel.bin")
    warm.run()
    assert len(calls) == 2


def test_warm_compiles_anew_for_other_sources(
    calls: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm.run()
    (tmp_path / "changed.py").write_text("x = 1\n")
    monkeypatch.setattr(warm, "_sources", lambda: [tmp_path / "changed.py"])
    warm.run()
    assert len(calls) == 2
    assert len(list(tmp_path.glob("warm-*.json"))) == 1


def test_warm_compiles_the_kernels_that_only_large_dumps_need() -> None:
    code = (
        "from overbudget.app.commands.warm import call_readers; call_readers()\n"
        "from overbudget.ingest.formats.json.kernel import scan as json\n"
        "from overbudget.ingest.formats.protobuf.kernel import scan as protobuf\n"
        "print([len(kernel.compiled.signatures) for kernel in (json, protobuf)])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert ran.stdout == "[1, 1]\n"

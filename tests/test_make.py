"""The Makefile: what it removes, what it passes on, and that the workflow asks for targets that there are."""

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MADE = (
    ".venv/bin/python",
    "build/lib/x.py",
    "dist/x.whl",
    "overbudget.egg-info/PKG-INFO",
    ".pytest_cache/x",
    ".mypy_cache/x",
    ".ruff_cache/x",
    ".hypothesis/x",
    "analysis/__pycache__/x.pyc",
)
OTHERS = ("workspace/mine.duckdb", "workspace/incoming/dump.json", "other.duckdb", "analysis/mine.txt", "budget.toml")


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)


def test_clean_removes_what_make_made_and_no_dataset(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (*MADE, *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    for arguments in ((), ("WORKSPACE=other-folder",), ("WORKSPACE=workspace",)):
        done = make("clean", *arguments, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"Makefile", *OTHERS}


def test_arguments_reach_pytest() -> None:
    said = make("-n", "test", "ARGS=-k path").stdout
    assert re.search(r"-m pytest .*-k path$", said, re.MULTILINE)


@pytest.mark.parametrize("taken", [True, False])
def test_run_asks_for_the_port_before_it_sets_up(taken: bool) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        if taken:
            other.listen()
        else:
            other.close()
        done = subprocess.run(
            [sys.executable, ROOT / "scripts" / "check_port.py", str(port)], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == int(taken)
    assert (f"make run PORT={port + 1}" in done.stderr) is taken
    steps = make("-n", "-B", "run", "PYTHON=python3").stdout
    assert 0 <= steps.index("check_port.py") < steps.index("pip install")


def test_the_workflow_and_ci_ask_for_targets_that_there_are() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name in (".github/workflows/ci.yml", ".ci/run"):
        asked = re.findall(r"\bmake ([a-z]+)", (ROOT / name).read_text(encoding="utf-8"))
        assert asked
        assert set(asked) <= targets


def test_the_workflow_runs_every_python_that_is_promised_on_both_systems() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert "os: [ubuntu-latest, macos-latest]" in workflow
    assert 'python: ["3.11", "3.12", "3.13", "3.14"]' in workflow


@pytest.mark.parametrize(("skips", "status"), [("pytest.skip('why')", 1), ("pass", 0)])
def test_no_skips_fails_a_run_that_skips(tmp_path: Path, skips: str, status: int) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(f"import pytest\n\n\ndef test_it():\n    {skips}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-skips", "-n", "2", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout
    assert ("none may be" in done.stdout) is bool(status)

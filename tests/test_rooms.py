"""Imports point one way, between rooms and between their sub-packages, and nowhere in a circle (docs/architecture.md)."""

import ast
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
    "package-dir"
]
MAY_IMPORT = {
    "kernels": set(),
    "stages": {"kernels"},
    "store": {"kernels"},
    "ingest": {"kernels", "stages", "store"},
    "analysis": {"kernels", "stages", "store"},
    "app": {"kernels", "stages", "store", "ingest", "analysis"},
    "sample_traces": set(),
}


def files() -> Iterator[tuple[str, Path]]:
    """Every module of the package with its dotted name, without `overbudget.` before it."""
    for room in MAY_IMPORT:
        for path in sorted((ROOT / FOLDERS[f"overbudget.{room}"]).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


MODULES = dict(files())


def imported(path: Path) -> set[str]:
    """The dotted names that a file imports anywhere, also inside functions; ours without `overbudget.`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if name.removeprefix("overbudget.") in MODULES}
            names |= modules or {node.module}
    return {name.removeprefix("overbudget.") for name in names}


def acyclic(arrows: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_stands_before_it(room: str) -> None:
    for name, path in MODULES.items():
        if name.split(".")[0] == room:
            others = {other.split(".")[0] for other in imported(path)} & set(MAY_IMPORT) - {room}
            assert others <= MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {others - MAY_IMPORT[room]}"


def test_no_module_imports_itself_through_others() -> None:
    acyclic({name: imported(path) & set(MODULES) - {name} for name, path in MODULES.items()})


def test_no_sub_package_imports_itself_through_others() -> None:
    def package(name: str) -> str:
        path = MODULES[name]
        return name if path.name == "__init__.py" else name.rpartition(".")[0]

    arrows: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        here = package(name)
        others = {package(other) for other in imported(path) & set(MODULES)}
        arrows.setdefault(here, set()).update(
            other for other in others - {here} if not here.startswith(f"{other}.") and not other.startswith(f"{here}.")
        )
    acyclic(arrows)


def test_analysis_knows_no_screen_and_charts_know_no_streamlit() -> None:
    for folder, forbidden in (("analysis", {"streamlit", "plotly", "rich", "typer"}), ("app.charts", {"streamlit"})):
        for name, path in MODULES.items():
            if name.startswith(f"{folder}."):
                assert not {other.split(".")[0] for other in imported(path)} & forbidden, path


def test_no_room_imports_the_python_api() -> None:
    api = {f"overbudget.{path.stem}" for path in (ROOT / FOLDERS["overbudget"]).iterdir() if path.stem[0] != "_"}
    assert {"overbudget.dataset", "overbudget.answers"} <= api
    for name, path in MODULES.items():
        found = {f"overbudget.{other}" for other in imported(path)}
        assert not {other for other in found if ".".join(other.split(".")[:2]) in api}, name

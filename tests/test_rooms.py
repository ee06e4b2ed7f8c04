"""Imports point one way: dump → ingest → store → analysis → app (docs/architecture.md)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    "store": set(),
    "analysis": {"store"},
    "ingest": {"store", "analysis"},
    "sample_traces": set(),
    "app": {"store", "analysis", "ingest"},
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_stands_before_it(room: str) -> None:
    for path in sorted((ROOT / room).rglob("*.py")):
        others = imported(path) & set(ROOMS) - {room}
        assert others <= ROOMS[room], f"{path.relative_to(ROOT)} imports {others - ROOMS[room]}"


def test_analysis_knows_no_screen_and_charts_know_no_streamlit() -> None:
    for folder, forbidden in (("analysis", {"streamlit", "plotly", "rich", "typer"}), ("app/charts", {"streamlit"})):
        for path in sorted((ROOT / folder).rglob("*.py")):
            assert not imported(path) & forbidden, path

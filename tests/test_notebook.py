"""The example notebooks run, their charts are shown, no answer is empty, and what they say is the samples' truth."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
SAYS = {
    "latency_review": ["420 requests", "umbrella", "`SELECT docs` waiting for `docs-db`"],
    "compare_two_versions": ["The candidate is slower", "docs-db", "tenant = umbrella", "'slower'"],
}
PLOTLY = "application/vnd.plotly.v1+json"


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def executed(request: pytest.FixtureRequest) -> tuple[str, Any]:
    notebook = nbformat.read(request.param, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    return request.param.stem, notebook


def outputs(notebook: Any) -> list[tuple[str, Any]]:
    """What each code cell shows: its source, and the data by media type."""
    return [
        (cell.source, output.data) for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output
    ]


def test_a_notebook_says_what_is_true_of_its_samples(executed: tuple[str, Any]) -> None:
    name, notebook = executed
    said = "\n".join(data.get("text/plain", "") for _, data in outputs(notebook))
    for sentence in SAYS[name]:
        assert sentence in said


def test_a_cell_with_a_chart_shows_it(executed: tuple[str, Any]) -> None:
    charts = [(source, data) for source, data in outputs(executed[1]) if source.endswith(".figure()")]
    assert charts
    for source, data in charts:
        assert data[PLOTLY]["data"], source


def test_no_answer_is_empty(executed: tuple[str, Any]) -> None:
    for source, data in outputs(executed[1]):
        assert "Empty DataFrame" not in data.get("text/plain", ""), source
        assert "0 rows" not in data.get("text/html", ""), source


def test_a_notebook_imports_the_public_package_alone() -> None:
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            assert "overbudget." not in cell.source or "from overbudget" not in cell.source
            assert "import overbudget." not in cell.source

"""Documentation that is made from the code says what the code says."""

import importlib.util
import re
from pathlib import Path

import pytest

from overbudget.app.dashboard.cookbook import COOKBOOK
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.query import run_sql
from scripts.write_cookbook import page as page_of_queries

ROOT = Path(__file__).parent.parent


def test_the_page_of_warnings_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("write_warnings", ROOT / "scripts" / "write_warnings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "reference" / "warnings.md").read_text(encoding="utf-8") == module.page()


def test_links_in_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_page_of_queries_is_up_to_date() -> None:
    assert (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8") == page_of_queries()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("queries") / "d.duckdb"
    ingest(
        [SAMPLES / f"{name}.otlp.jsonl.gz" for name in ("slow_database_tenant", "tools_in_a_row", "repeated_prompts")],
        path,
    )
    return path


@pytest.mark.parametrize("title", COOKBOOK)
def test_every_query_of_the_cookbook_runs_and_most_find_something(title: str, dataset: Path) -> None:
    answer = run_sql(dataset, COOKBOOK[title])
    assert answer.columns
    if title not in ("Errors, and what they cost", "What was odd in the dumps"):
        assert answer.rows


def test_the_cookbook_finds_what_the_samples_hold(dataset: Path) -> None:
    slowest = run_sql(dataset, COOKBOOK["Slowest operation per tenant"]).rows[0]
    assert slowest[0] == "umbrella"
    queueing = run_sql(dataset, COOKBOOK["Requests whose tools queue"]).rows
    assert {tools for _, tools, _ in queueing} == {3}

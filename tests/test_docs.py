"""Documentation that is made from the code says what the code says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from overbudget.app.dashboard.cookbook import COOKBOOK
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.query import run_sql
from scripts.pages import commands, python_api
from scripts.write_docs import PAGES

ROOT = Path(__file__).parent.parent
ROOMS = (
    *("kernels", "stages", "store", "ingest", "analysis", "app", "api", "sample_traces", "bench", "scripts", "tests"),
    "docs",
)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_made_is_up_to_date(name: str) -> None:
    made, committed = PAGES[name](), (ROOT / name).read_text(encoding="utf-8")
    assert made == committed, f"{name} is not what the code says now: run python -m scripts.write_docs and commit it"


def test_every_command_and_option_says_what_it_is_for() -> None:
    assert commands.undocumented() == []


def test_every_public_name_of_the_python_api_says_what_it_is() -> None:
    assert python_api.undocumented() == []


def test_links_in_the_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_paths_that_are_named_in_prose_and_code_are_there() -> None:
    """Records of decisions and the changelog tell of what was; everything else of what is."""
    named = re.compile(rf"\b(?:{'|'.join(ROOMS)})/[\w/.-]*\w/?")
    gone = []
    for page in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs" / "reference").glob("*.md"),
        *sources(),
    ]:
        for path in named.findall(page.read_text(encoding="utf-8") if page.name != "CHANGELOG.md" else ""):
            known = (ROOT / path, ROOT / f"{path}.py")
            if path.endswith((".py", ".md", ".sql", ".toml", "/")) and not any(one.exists() for one in known):
                gone.append(f"{page.relative_to(ROOT)} names {path}")
    assert gone == []


def sources() -> Iterator[Path]:
    for room in ROOMS:
        if room != "docs":
            for ending in ("*.py", "*.sql"):
                yield from (ROOT / room).rglob(ending)


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
    if title not in ("Errors, and what they cost", "Warnings about the dumps"):
        assert answer.rows


def test_the_cookbook_finds_what_the_samples_hold(dataset: Path) -> None:
    slowest = run_sql(dataset, COOKBOOK["Slowest operation per tenant"]).rows[0]
    assert slowest[0] == "umbrella"
    queueing = run_sql(dataset, COOKBOOK["Requests whose tools queue"]).rows
    assert {tools for _, tools, _ in queueing} == {3}

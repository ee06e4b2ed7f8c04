"""One cap, one answer: whatever is asked of the requests of one route holds them to that route's own cap.

Every command is asked with the same budget files, and so are the marks of the page.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.compare.compare import Side, compare
from overbudget.analysis.consistency.consistency import consistency
from overbudget.analysis.load.load import load
from overbudget.analysis.requests.read import load_requests
from overbudget.analysis.review.review import over, review
from overbudget.analysis.tail.tail import TooFew, tail
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.dashboard.state import WORKSPACE_VARIABLE
from overbudget.app.server.workspace import SAMPLES
from overbudget.app.text import consistency as consistency_text
from overbudget.app.text import headline as headline_text
from overbudget.app.text import tail as tail_text
from overbudget.app.text.whatif import within_text
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

MS = 1_000_000
NAME = "sample-slow_database_tenant"
MAIN = Path(__file__).parents[2] / "app" / "dashboard" / "main.py"
ROUTE, OTHER = 'routes."POST /chat"', 'routes."GET /other"'
CASES = [  # a budget file, and the cap on p95 in ms that holds for requests of POST /chat
    ('[budget]\np95 = "10s"', 10_000),
    (f'[budget]\np95 = "10s"\n[{ROUTE}]\np95 = "1s"', 1_000),
    (f'[budget]\np95 = "1s"\n[{ROUTE}]\np95 = "10s"', 10_000),
    (f'[budget]\np95 = "10s"\n[{OTHER}]\np95 = "1s"', 10_000),
    (f'[{ROUTE}]\np95 = "1s"', 1_000),
    (f'[budget]\np95 = "10s"\n[{ROUTE}]\np99 = "1s"', 1_000),  # who promises it at p99 promises it at p95
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one cap")
    ingest([SAMPLES / "slow_database_tenant.otlp.jsonl.gz"], folder / f"{NAME}.duckdb")
    return folder


@pytest.fixture(scope="module")
def connection(workspace: Path) -> duckdb.DuckDBPyConnection:
    return open_dataset(workspace / f"{NAME}.duckdb")


def of_check(connection: duckdb.DuckDBPyConnection, budget: Budget) -> int | None:
    """The cap that a check breaks or keeps at p95: a broken one is told with its figure."""
    found = review(connection, budget)
    broken = [one.budget_ns for one in over(found) if one.percentile == 95]
    kept = found.row(95)
    assert bool(broken) is (kept.verdict == "over")
    return broken[0] if broken else kept.budget_ns


def of_tail(connection: duckdb.DuckDBPyConnection, budget: Budget) -> int | None:
    """The cap; where too few requests are over it, or too few are not, so many slow ones as are over it say the same."""
    try:
        return tail(connection, budget, over_budget=True).cap_ns
    except TooFew as error:
        latency = load_requests(connection).latency_ns
        return next(cap * MS for cap in (10_000, 1_000) if np.count_nonzero(latency > cap * MS) == error.slow)


ASKED: dict[str, Callable[[duckdb.DuckDBPyConnection, Budget], int | None]] = {
    "review": lambda connection, budget: review(connection, budget).row(95).budget_ns,
    "check": of_check,
    "load": lambda connection, budget: load(connection, budget).budget_ns,
    "consistency": lambda connection, budget: consistency(connection, budget).total.budget_ns,  # type: ignore[union-attr]
    "whatif": lambda connection, budget: Workbench(connection, budget).what_if([]).budget_ns,
    "tail": of_tail,
    "compare": lambda connection, budget: next(
        change.budget_ns
        for change in compare(Side(connection), Side(connection), budget).end_to_end
        if change.percentile == 95
    ),
}


@pytest.mark.parametrize("command", ASKED)
@pytest.mark.parametrize(("text", "cap_ms"), CASES)
def test_every_command_holds_the_requests_of_a_route_to_the_same_cap(
    connection: duckdb.DuckDBPyConnection, command: str, text: str, cap_ms: int
) -> None:
    assert ASKED[command](connection, parse_budget(text)) == cap_ms * MS


@pytest.mark.parametrize(("text", "cap_ms"), CASES[1:3])
def test_the_marks_of_the_page_are_drawn_at_that_cap(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, text: str, cap_ms: int
) -> None:
    from overbudget.app.charts import heatmap

    drawn = []
    draw = heatmap.over_time_figure

    def record(grid, cap_ns, windows=(), deployments=()):  # type: ignore[no-untyped-def]
        drawn.append((cap_ns, [one.over for one in windows if one.p95_ns is not None]))
        return draw(grid, cap_ns, windows, deployments)

    monkeypatch.setattr(heatmap, "over_time_figure", record)
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.session_state[f"budget of {NAME}"] = text
    app.run()
    assert not app.exception
    cap, over_cap = drawn[-1]
    assert cap == cap_ms * MS
    assert over_cap
    assert all(over_cap) is (cap_ms == 1_000)
    assert any(over_cap) is (cap_ms == 1_000)


def test_every_sentence_about_a_cap_says_which(connection: duckdb.DuckDBPyConnection) -> None:
    budget = parse_budget(CASES[1][0])
    first = headline_text.headline(review(connection, budget))[0]
    assert first.endswith(" over its cap of 1.00 s.")
    assert first.startswith("p95 is ")
    assert within_text(Workbench(connection, budget).what_if([])) == "requests within the p95 cap of 1.00 s"
    assert " over its cap of 1.00 s in " in consistency_text.sentences(consistency(connection, budget))[0]
    two = parse_budget(CASES[1][0].replace("1s", "2s"))
    assert "over the p95 cap of 2.00 s" in tail_text.sentences(tail(connection, two, over_budget=True))[0]

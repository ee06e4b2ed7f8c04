"""What visitors share may be asked by many of them at the same moment: nobody's question spoils another's."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overbudget.analysis.advice.advice import proposals
from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.evidence import Evidence, read_evidence
from overbudget.analysis.review.review import judge, measure
from overbudget.analysis.whatif.replay_input import ReplayInput, read_replay_input
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset

VISITORS, TIMES = 4, 6


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with conversations, good and bad answers, and streamed tokens."""
    path = tmp_path_factory.mktemp("scored") / "d.duckdb"
    ingest([SAMPLES / "erratic_big_model.otlp.jsonl.gz"], path)
    return path


@pytest.fixture(scope="module")
def evidence(scored: Path) -> Evidence:
    return read_evidence(open_dataset(scored))


@pytest.fixture(scope="module")
def replayed(scored: Path) -> ReplayInput:
    return read_replay_input(open_dataset(scored))


def at_once(question: Callable[[int], object]) -> None:
    """Every visitor asks, all at the same moment, several times, each a question of its own."""
    together = threading.Barrier(VISITORS)

    def ask(visitor: int) -> None:
        for time in range(TIMES):
            together.wait(60)
            question(visitor + VISITORS * time)

    with ThreadPoolExecutor(VISITORS) as visitors:
        for one in [visitors.submit(ask, number) for number in range(VISITORS)]:
            one.result(300)


def test_everyone_gets_the_review_of_a_window_of_their_own(evidence: Evidence) -> None:
    begins = datetime.fromtimestamp(int(evidence.requests.start_ns.min()) / 1e9, UTC)
    at_once(lambda number: measure(evidence, Filters(start=begins + timedelta(seconds=number))))


def test_everyone_is_told_why_their_cap_on_the_first_token_is_broken(evidence: Evidence) -> None:
    measured = measure(evidence, Filters())
    at_once(lambda number: judge(measured, parse_budget(f'[first_token]\np95 = "{number + 1}ms"')))


def test_everyone_gets_the_advice_on_requests_of_their_own(scored: Path, replayed: ReplayInput) -> None:
    owner, begins = open_dataset(scored), datetime.fromtimestamp(int(replayed.requests.start_ns.min()) / 1e9, UTC)
    bench = Workbench(owner.cursor(), None, Filters(), replayed)
    at_once(lambda number: proposals(bench))
    at_once(lambda number: Workbench(owner.cursor(), None, Filters(start=begins + timedelta(seconds=number)), replayed))

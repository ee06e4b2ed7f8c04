"""What is left of the budget along the way: against requests drawn by hand, and summing to each request."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from overbudget.analysis.requests.read import load_requests
from overbudget.analysis.requests.stored import load_path
from overbudget.analysis.requests.table import RequestTable
from overbudget.analysis.review.burn_down import Left, RunsOut, Visits, left_on_arrival, runs_out, visits_of
from overbudget.app.server.workspace import SAMPLES
from overbudget.ingest.pipeline import ingest
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


def opened(path: Path) -> tuple[RequestTable, Visits, duckdb.DuckDBPyConnection]:
    connection = open_dataset(path)
    table = load_requests(connection)
    return table, visits_of(load_path(connection, table), table), connection


def drawn(tmp_path: Path, *requests: list[tuple[str | None, int]]) -> tuple[RequestTable, Visits]:
    builder = DatasetBuilder()
    for work in requests:
        builder.request(*(Work(stage, ms * MS) for stage, ms in work))
    return opened(builder.write(tmp_path / "d.duckdb"))[:2]


AGENT = [("safety", 10), ("inference", 300), ("tools", 200), ("inference", 400), ("tools", 100), ("inference", 500)]


def alone(table: RequestTable, row: int = 0) -> np.ndarray:
    return np.eye(len(table))[row]


def test_each_stage_has_what_the_ones_before_it_left(tmp_path: Path) -> None:
    table, visits = drawn(tmp_path, AGENT)
    one = alone(table)
    found = left_on_arrival(visits, table.stages, 95, 1000 * MS, one, one)
    assert [(left.stage, left.visit, left.left_ns // MS) for left in found] == [
        ("safety", 1, 1000),
        ("inference", 1, 990),
        ("tools", 1, 690),
        ("inference", 2, 490),
        ("tools", 2, 90),
        ("inference", 3, -10),
    ]
    assert all(left.typical_ns == left.left_ns and left.requests == 1 for left in found)


def test_a_fourth_visit_is_not_told_and_time_of_no_stage_neither(tmp_path: Path) -> None:
    work = [("tools", 10), (None, 5)] * 4
    table, visits = drawn(tmp_path, work)
    found = left_on_arrival(visits, table.stages, 50, 100 * MS, alone(table), alone(table))
    assert [(left.stage, left.visit, left.left_ns // MS) for left in found] == [
        ("tools", 1, 100),
        ("tools", 2, 85),
        ("tools", 3, 70),
    ]


def test_the_mean_is_over_the_requests_that_have_the_visit(tmp_path: Path) -> None:
    table, visits = drawn(
        tmp_path,
        [("retrieval", 100), ("inference", 400)],
        [("retrieval", 300), ("inference", 400)],
        [("inference", 400)],
    )
    band, typical = np.array([0.25, 0.25, 0.5]), alone(table, 2)
    found = left_on_arrival(visits, table.stages, 90, 500 * MS, band, typical)
    assert found == (
        Left(90, "retrieval", 1, 500 * MS, None, 2),
        Left(90, "inference", 1, 400 * MS, 500 * MS, 3),
    )


@pytest.mark.parametrize(
    ("cap", "expected"),
    [(9, "safety"), (10, "inference"), (309, "inference"), (310, "tools"), (1509, "inference"), (1510, None)],
)
def test_it_runs_out_in_the_stage_that_has_the_path_then(tmp_path: Path, cap: int, expected: str | None) -> None:
    table, visits = drawn(tmp_path, AGENT)
    found = runs_out(visits, table.stages, 95, cap * MS, alone(table), table.latency_ns)
    assert found == (None if expected is None else RunsOut(95, expected, 1.0))


def test_the_share_is_of_the_whole_band(tmp_path: Path) -> None:
    table, visits = drawn(
        tmp_path, [("retrieval", 900), ("tools", 200)], [("retrieval", 300), ("tools", 800)], [("tools", 10)]
    )
    found = runs_out(visits, table.stages, 95, 500 * MS, np.array([0.3, 0.45, 0.25]), table.latency_ns)
    assert found == RunsOut(95, "tools", 0.45)


@pytest.mark.parametrize("sample", ["coding_agent", "slow_database_tenant", "streamed_answers"])
def test_visits_of_real_paths_sum_to_each_request(sample: str, tmp_path: Path) -> None:
    """What is left falls from the whole cap to the cap minus the latency: no time is missed or counted twice."""
    ingest([SAMPLES / f"{sample}.otlp.jsonl.gz"], tmp_path / "d.duckdb")
    table, visits, _ = opened(tmp_path / "d.duckdb")
    first = np.append(True, visits.row[1:] != visits.row[:-1])
    assert (visits.row[first] == np.arange(len(table))).all()
    assert (visits.at_ns[first] == 0).all()
    ends = np.where(np.append(first[1:], True), table.latency_ns[visits.row], np.append(visits.at_ns[1:], 0))
    spent = np.zeros_like(table.stage_ns)
    np.add.at(spent, (visits.row, visits.stage), ends - visits.at_ns)
    waits = [place for place, stage in enumerate(table.stages) if stage == "user"]
    expected = table.stage_ns.copy()
    expected[:, waits] = 0
    assert (spent == expected).all()

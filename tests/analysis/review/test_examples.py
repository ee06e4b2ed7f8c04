"""The requests behind a number."""

from pathlib import Path

import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.read import load_requests
from overbudget.analysis.requests.table import Filters
from overbudget.analysis.review.examples import around, describe, slowest
from overbudget.store.dataset import open_dataset
from tests.dataset_builder import MS, DatasetBuilder, Work


@pytest.fixture
def path(tmp_path: Path) -> Path:
    builder = DatasetBuilder()
    for number in range(200):
        ms = (number * 37) % 200  # each of 0 … 199 once
        builder.request(
            Work("tools", (200 - ms) * MS, "call"), Work("inference", 3 * ms * MS, "chat"), model=f"m{number % 2}"
        )
    return builder.write(tmp_path / "behind.duckdb")


def test_the_slowest_requests_come_slowest_first_with_what_they_were(path: Path) -> None:
    connection = open_dataset(path)
    table = load_requests(connection, filters=Filters(model="m1"))
    found = describe(connection, table, slowest(table, 3))
    assert [info.latency_ns // MS for info in found] == [200 + 2 * ms for ms in (199, 197, 195)]
    assert {info.model for info in found} == {"m1"}
    assert found[0].stages == {"tools": MS, "inference": 597 * MS}
    row = connection.execute("SELECT trace_id, span_id FROM requests ORDER BY duration_ns DESC LIMIT 1").fetchall()[0]
    assert (found[0].trace_id, found[0].span_id) == row
    by_stage = describe(connection, table, slowest(table, 1, "tools"))
    assert by_stage[0].stages["tools"] == 199 * MS
    connection.close()


def test_around_a_percentile_the_nearest_come_first(path: Path) -> None:
    connection = open_dataset(path)
    table = load_requests(connection)
    found = describe(connection, table, around(table, 95))
    assert [(info.latency_ns // MS - 200) // 2 for info in found[:2]] in ([189, 190], [190, 189])
    assert len(found) == 20
    tools = describe(connection, table, around(table, 50, "tools", limit=2))
    assert {info.stages["tools"] // MS for info in tools} == {100, 101}
    assert len(around(table, 95, "no such stage")) == 20
    connection.close()


def test_requests_that_a_budget_names_are_found_by_their_own_entry_spans(path: Path) -> None:
    connection = open_dataset(path)
    table = load_requests(connection, parse_budget('[request]\nmatch = { name = "chat" }'), Filters(route="chat"))
    (found,) = describe(connection, table, slowest(table, 1))
    assert (found.route, found.latency_ns) == ("chat", 597 * MS)
    name = connection.execute(
        "SELECT name FROM spans WHERE trace_id = ? AND span_id = ?", [found.trace_id, found.span_id]
    )
    assert name.fetchall() == [("chat",)]
    assert describe(connection, table, []) == []
    connection.close()

"""Attributes of the calls that requests waited for, of time, and of failed requests."""

import numpy as np
import pytest

from overbudget.analysis.requests.read import read_requests
from overbudget.analysis.tail.tail import cohorts, tail
from tests.span_dump import Span, dataset


def asking_shards(slow_shard, share=0.1, n=200):
    """Every request asks four shards at once; one of them is slow now and then."""
    random = np.random.default_rng(3)
    for _ in range(n):
        took = {shard: random.uniform(20, 30) for shard in range(4)}
        if slow_shard is not None and random.random() < share:
            took[slow_shard] += 200
        yield [
            Span(
                "POST /ask",
                0,
                max(took.values()) + random.uniform(5, 15),
                kind="server",
                attributes={"http.request.method": "POST"},
            ),
            *(
                Span("query", 1, 1 + ms, "POST /ask", key=f"q{shard}", attributes={"shard": f"s{shard}"})
                for shard, ms in took.items()
            ),
        ]


def test_the_shard_that_every_request_touches_is_found(tmp_path):
    connection = dataset(tmp_path / "d.duckdb", asking_shards(2))
    found = tail(connection)
    first = found.attributes[0]
    assert (first.key, first.value, first.on, first.longest_of) == ("shard", "s2", "query", "query")
    assert first.slow_share == 1
    table = read_requests(connection)
    with_it, others = cohorts(connection, table, first)
    assert len(with_it) + len(others) == len(table)
    assert set(np.flatnonzero(table.latency_ns >= found.threshold_ns)) <= set(with_it.tolist())


def test_a_value_is_told_once_of_calls_and_of_the_longest_of_them(tmp_path):
    found = tail(dataset(tmp_path / "d.duckdb", requests(lambda number: number % 20 == 7)))
    told = [(one.key, one.value, one.on) for one in found.attributes]
    assert len(told) == len(set(told))


def test_shards_alike_are_not_told(tmp_path):
    assert not [
        one for one in tail(dataset(tmp_path / "d.duckdb", asking_shards(None))).attributes if one.key == "shard"
    ]


def requests(slow, failed=lambda number: False, n=200):
    random = np.random.default_rng(5)
    for number in range(n):
        method, name = ("POST", "POST /b") if slow(number) else ("GET", "GET /a")
        took = random.uniform(50, 60) + (300 if slow(number) else 0)
        tenant = "acme" if failed(number) else f"t{number % 9}"
        yield [
            Span(
                name,
                0,
                took,
                kind="server",
                failed=failed(number),
                attributes={
                    "http.request.method": method,
                    "tenant": tenant,
                    **({"error.type": "x"} if failed(number) else {}),
                },
            )
        ]


def test_the_route_is_told_and_not_the_method_of_the_same_requests(tmp_path):
    first = tail(dataset(tmp_path / "d.duckdb", requests(lambda number: number % 20 == 7))).attributes[0]
    assert (first.key, first.value) == ("route", "POST /b")
    assert any(text.startswith("http.request.method = POST") for text in first.also)


@pytest.mark.parametrize(
    ("key", "slow"), [("from", lambda number: number >= 180), ("until", lambda number: number < 20)]
)
def test_a_change_in_time_is_found(tmp_path, key, slow):
    def same_route(number):
        return [Span("GET /a", 0, (350 if slow(number) else 50) + number % 7, kind="server")]

    connection = dataset(tmp_path / "d.duckdb", map(same_route, range(200)))
    (first,) = [one for one in tail(connection).attributes if one.key in ("from", "until")]
    table = read_requests(connection)
    with_it, _ = cohorts(connection, table, first)
    assert first.key == key
    meant = {number for number in range(200) if slow(number)}
    assert len(meant ^ set(with_it.tolist())) <= 2  # instants are quantiles of the arrivals


def test_what_failed_requests_share_is_told_and_not_that_they_failed(tmp_path):
    world = requests(lambda number: False, failed=lambda number: number % 25 == 3)
    found = tail(dataset(tmp_path / "d.duckdb", world))
    assert [(one.key, one.value) for one in found.failed] == [("tenant", "acme")]
    assert found.failed[0].slow_share == 1


def test_without_failures_nothing_is_told_of_them(tmp_path):
    assert tail(dataset(tmp_path / "d.duckdb", requests(lambda number: number % 20 == 7))).failed == ()

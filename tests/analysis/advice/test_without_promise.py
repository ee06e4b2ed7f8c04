"""Advice that promises no time: hedged calls, and connections that are opened for each call."""

from pathlib import Path

import pytest

from bench.worlds.case import Case
from overbudget.analysis.advice.without_promise import connections_opened_each_time, hedged_calls
from overbudget.analysis.whatif.whatif import Workbench
from tests.span_dump import Span, dataset


def test_hedged_calls_are_told_and_promise_nothing(tmp_path: Path) -> None:
    bench = Workbench(Case("hedging", 2, tmp_path).faulty)
    (one,) = hedged_calls(bench)
    assert (one.kind, one.changes) == ("hedging", ())
    lost = int(bench.nodes.replay_input.shape.lost.sum())
    assert lost > 100
    assert f"{lost} of 700 calls" in one.evidence[0]


def test_a_fan_out_is_no_hedging(tmp_path: Path) -> None:
    assert list(hedged_calls(Workbench(Case("fan-out", 1, tmp_path, 200).faulty))) == []


def connecting(number: int, opens: bool, name: str, connect_ms: float) -> list[Span]:
    """A request with one call, which opens a connection first or not."""
    call = 100 + number % 7
    spans = [Span("GET /", 0, call + 2, kind="server"), Span("GET /docs", 1, call + 1, "GET /", kind="client")]
    return [*spans, Span(name, 1, 1 + connect_ms, "GET /docs")] if opens else spans


@pytest.mark.parametrize(
    ("opens", "name", "connect_ms", "told"),
    [
        (40, "tls.connect", 40, True),
        (20, "tls.connect", 40, True),  # half of the calls
        (19, "tls.connect", 40, False),
        (40, "tls.connect", 4, False),  # a small part of the call
        (40, "reconnected list", 40, False),
    ],
)
def test_connections_are_to_be_kept_where_most_calls_open_one(
    opens: int, name: str, connect_ms: float, told: bool, tmp_path: Path
) -> None:
    traces = [connecting(n, n < opens, name, connect_ms) for n in range(40)]
    found = list(connections_opened_each_time(Workbench(dataset(tmp_path / "d.duckdb", traces))))
    assert [one.kind for one in found] == (["keep_alive"] if told else [])
    assert all(one.changes == () for one in found)

"""Equal siblings: one cause with a width, whatever their hosts are called."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.requests.siblings import EqualSiblings, equal_siblings
from overbudget.analysis.review.review import review
from overbudget.analysis.tail.tail import tail
from tests.span_dump import Span, dataset

SHARDS = [f"shard-{number}" for number in range(5)]


def fan_out(
    seed: int, places: Sequence[str], in_turn: bool = False, n: int = 80, slow_host: float = 1
) -> list[list[Span]]:
    """Requests that ask every place at once (or in turn); one in ten waits long for one of them."""
    random = np.random.default_rng(seed)
    traces = []
    for number in range(n):
        took = random.uniform(20, 30, len(places))
        took[0] *= slow_host
        if number % 10 == 0:
            took[random.integers(len(places))] += 500
        begins = np.concatenate([[0], np.cumsum(took)[:-1]]) if in_turn else np.zeros(len(places))
        calls = [
            Span("query", start, start + ms, "GET /", kind="client", key=place, attributes={"server.address": place})
            for place, start, ms in zip(places, begins.tolist(), took.tolist(), strict=True)
        ]
        traces.append([Span("GET /", 0, float((begins + took).max()) + 5, kind="server"), *calls])
    return traces


def groups(tmp_path: Path, traces: list[list[Span]]) -> set[EqualSiblings]:
    return set(equal_siblings(dataset(tmp_path / "d.duckdb", traces)).values())


def test_calls_at_once_that_differ_in_the_host_alone_are_one_cause_with_a_width(tmp_path: Path) -> None:
    connection = dataset(tmp_path / "d.duckdb", fan_out(1, SHARDS))
    assert set(equal_siblings(connection).values()) == {EqualSiblings("shard-*", 5)}
    found = tail(connection, percentile=90)
    first = found.operations[0]
    assert (first.name, first.hop_to, first.why.width) == ("query", "shard-*", 5)
    assert first.share_of_excess > 0.9
    assert first.why.sentence.startswith("the slowest of 5 calls ")
    assert (first.why.calls_before, first.why.calls_after) == (1, 1)


def test_what_hosts_are_called_does_not_decide_it(tmp_path: Path) -> None:
    assert groups(tmp_path, fan_out(1, ["oak", "elm", "ash", "fir", "yew"])) == {EqualSiblings("several places", 5)}


@pytest.mark.parametrize(
    "traces",
    [
        fan_out(1, SHARDS[:2]),  # two places are told one by one
        fan_out(1, SHARDS, in_turn=True),
        fan_out(1, SHARDS, slow_host=8),  # one is no equal of the others
        [[Span("GET /", 0, 10, kind="server")]],
    ],
    ids=["two", "in turn", "one of another kind", "no calls"],
)
def test_calls_that_are_no_equals_are_told_place_by_place(tmp_path: Path, traces: list[list[Span]]) -> None:
    assert groups(tmp_path, traces) == set()


def instrumented(places: Sequence[str], ms: float) -> list[list[Span]]:
    """Requests that ask every place at once; the places record what they do themselves, all about as long."""
    traces = []
    for number in range(80):
        spans = [Span("GET /", 0, ms + 30, kind="server")]
        for order, place in enumerate(places):
            end = ms + 10 + (number + order) % len(places)
            spans.append(Span("ask", 5, end, "GET /", kind="client", key=place, attributes={"server.address": place}))
            spans.append(Span("scan", 6, end - 1, place, service=place, kind="server", key=f"scan {place}"))
        traces.append(spans)
    return traces


def test_where_everything_is_slow_equal_siblings_that_are_instrumented_are_one_culprit(tmp_path: Path) -> None:
    connection = dataset(tmp_path / "d.duckdb", instrumented(SHARDS, 400))
    found = review(connection, parse_budget('[budget]\np95 = "100ms"'))
    for made_of in found.breakdown:
        culprit = made_of.culprit
        assert made_of.everything_slow
        assert culprit is not None
        assert culprit.basis == "largest"
        assert culprit.operation is not None
        assert (culprit.operation.service_name, culprit.operation.name) == ("shard-*", "scan")
        assert culprit.operation.mean_ns > 0.8 * (made_of.band_latency_ns or 0)
    assert {part.service_name for part in found.made_of(95).services} == {"api", "shard-*"}


def test_services_of_other_names_are_never_told_as_one(tmp_path: Path) -> None:
    connection = dataset(tmp_path / "d.duckdb", instrumented(["oak", "elm", "ash"], 400))
    services = {part.service_name for part in review(connection).made_of(95).services}
    assert {"oak", "elm", "ash"} <= services

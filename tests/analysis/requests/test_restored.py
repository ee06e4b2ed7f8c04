"""Requests whose slow call lost its span: they are broken down by what is left, or nobody is blamed."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from overbudget.analysis.review.result import too_many_lost
from overbudget.analysis.review.review import Review, review
from overbudget.app.text.headline import headline
from tests.span_dump import Span, dataset

RETRIEVER = {"gen_ai.operation.name": "retrieval"}
CHAT = {"gen_ai.operation.name": "chat"}


def answer(search: float, chat: float) -> list[Span]:
    """An answer: passages are fetched from another service, whose search takes `search` ms, then a model writes."""
    asked, written = 5 + search + 4, 5 + search + 4 + 2 + chat
    return [
        Span("POST /answer", 0, written + 3, kind="server"),
        Span("GET passages", 4, asked, "POST /answer", kind="client"),
        Span("GET /passages", 5, asked - 1, "GET passages", service="passages", kind="server"),
        Span("search", 5.5, 5.5 + search, "GET /passages", service="passages", attributes=RETRIEVER),
        Span("rank", 5.5 + search, 6 + search, "GET /passages", service="passages"),
        Span("chat", asked + 2, written, "POST /answer", kind="client", attributes=CHAT),
    ]


def answers(slow_from: int = 88) -> list[list[Span]]:
    """Three hundred requests; of each hundred those from `slow_from` on search long."""
    return [
        answer((900 if i % 100 >= slow_from else 100) + i % 7 * 10, 400 + i * 37 % 100) for i in range(300)
    ]  # fmt: skip


def without(traces: Iterable[list[Span]], name: str, where: float = 800) -> list[list[Span]]:
    """The traces, where a search takes longer than `where` without the span called `name`, whose children stay."""
    lost = []
    for spans in traces:
        search = next(span for span in spans if span.name == "search")
        slow = search.end - search.start > where
        lost.append([replace(s, lost=True) if slow and s.name == name else s for s in spans])
    return lost


def reviewed(path: Path, traces: list[list[Span]]) -> Review:
    return review(dataset(path, traces))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Review:
    return reviewed(tmp_path_factory.mktemp("full") / "full.duckdb", answers())


def test_requests_that_lost_a_span_in_the_middle_are_broken_down_as_if_they_had_not(
    tmp_path: Path, full: Review
) -> None:
    found = reviewed(tmp_path / "lost.duckdb", without(answers(), "GET /passages"))
    assert found.dataset.incomplete == found.incomplete.requests == found.incomplete.broken_down == 36  # type: ignore[union-attr]
    here, there = found.made_of(95), full.made_of(95)
    assert (here.band_requests, here.band_incomplete) == (there.band_requests, 0)
    assert here.culprit is not None
    assert there.culprit is not None
    assert here.culprit.stage == there.culprit.stage == "retrieval"
    assert here.culprit.operation is not None
    assert here.culprit.operation.name == "search"
    assert here.culprit.overrun_ns == pytest.approx(there.culprit.overrun_ns, rel=0.02)


def test_nobody_is_blamed_where_what_stood_above_the_orphans_is_seen_in_no_whole_request(tmp_path: Path) -> None:
    found = reviewed(tmp_path / "always.duckdb", without(answers(), "GET /passages", where=0))
    assert found.incomplete is not None
    assert found.incomplete.broken_down == 0
    assert found.made_of(95).culprit is None
    assert "is unknown" in headline(found)[1]


def test_a_span_whose_own_long_time_is_lost_leaves_the_request_unknown(tmp_path: Path) -> None:
    """The call is slow before it searches: only its small child is left, so what took the time is not known."""
    traces = answers()
    for number, spans in enumerate(traces):
        if number % 100 >= 88:
            traces[number] = [replace(s, start=s.end - 20) if s.name == "search" else s for s in spans]
    lost = [
        [replace(s, lost=True) if n % 100 >= 88 and s.name == "GET /passages" else s for s in spans]
        for n, spans in enumerate(traces)
    ]
    found = reviewed(tmp_path / "own.duckdb", lost)
    assert found.incomplete is not None
    assert found.incomplete.broken_down == 0
    assert found.made_of(95).culprit is None
    assert headline(found)[1].startswith("Which stage is the cause is unknown: ")


@pytest.mark.parametrize(
    ("left", "lost", "many"), [(2, 1, False), (3, 2, True), (0, 0, False), (0, 1, True), (200, 100, False)]
)
def test_a_band_is_told_while_no_more_than_a_third_of_it_is_lost(left: int, lost: int, many: bool) -> None:
    assert too_many_lost(left, lost) is many

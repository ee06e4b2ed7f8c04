"""Advice on models whose calls spread far more than those of another, at its thresholds."""

from pathlib import Path

import pytest

from overbudget.analysis.advice.proposal import Proposal
from overbudget.analysis.advice.sources import erratic_models
from overbudget.analysis.whatif.changes import Cap
from overbudget.analysis.whatif.whatif import Workbench
from tests.span_dump import Span, dataset

MS = 1_000_000


def told(tmp_path: Path, wide_ms: int, calls: int = 20, nested: bool = False) -> list[Proposal]:
    """A steady model of 100 ms, and one whose 18th and later of 20 calls take `wide_ms` instead of 100; each `nested`: the
    client's span around the provider's of the same call."""
    traces = []
    for number in range(2 * calls):
        wide = number % 2 == 1
        took = wide_ms if wide and number // 2 % 20 >= 17 else 100
        about = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "wide" if wide else "steady"}
        name = f"chat {about['gen_ai.request.model']}"
        spans = [
            Span("POST /chat", 0, took + 20, kind="server"),
            Span(name, 5, 5 + took, "POST /chat", attributes=about),
        ]
        if nested:
            spans.append(Span("attempt", 6, 10, name, attributes=about))
        traces.append(spans)
    return list(erratic_models(Workbench(dataset(tmp_path / "d.duckdb", traces))))


def test_a_model_of_twice_the_spread_of_the_steadiest_is_capped_at_what_that_one_takes(tmp_path: Path) -> None:
    (found,) = told(tmp_path, 200)
    assert (found.kind, found.operations, found.changes) == (
        "model", (("api", "chat wide"),), (Cap("chat wide", 100 * MS),)
    )  # fmt: skip
    assert found.evidence[0] == "wide takes 200 ms at p95, 2.0 times its median of 100 ms"
    assert found.evidence[1].startswith("steady takes 100 ms at p95, 1.0 times its median")
    assert found.against == ("how good the answers of either model are is not recorded",)


@pytest.mark.parametrize(("wide_ms", "calls"), [(199, 20), (200, 19)])
def test_less_spread_or_fewer_than_twenty_calls_tell_nothing(tmp_path: Path, wide_ms: int, calls: int) -> None:
    assert told(tmp_path, wide_ms, calls) == []


def test_of_a_call_within_a_call_only_the_outer_one_counts(tmp_path: Path) -> None:
    (found,) = told(tmp_path, 200, nested=True)
    assert found.evidence[0] == "wide takes 200 ms at p95, 2.0 times its median of 100 ms"
    assert found.changes == (Cap("chat wide", 100 * MS),)

"""Limits (`max`) that no model call may exceed."""

from pathlib import Path

import numpy as np
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.review.over import over, unjudged
from overbudget.analysis.review.result import Review
from overbudget.analysis.review.review import review
from overbudget.app.text.check import check_sentences
from overbudget.app.text.headline import headline
from overbudget.app.text.notes import notes
from overbudget.app.text.tables import call_lines
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import MS, DatasetBuilder, Work

MIXED = [int(ms) for ms in np.random.default_rng(5).permutation(range(100, 200))]  # in an order without a trend


def call(first_ms: int | None, model: str = "mist-large", per_token_ms: int = 5) -> Work:
    """A call that writes 11 tokens; `first_ms` None where it records no first token."""
    told = {} if first_ms is None else {"first_token_ns": first_ms * MS, "writing_ns": 10 * per_token_ms * MS}
    took = ((first_ms or 0) + 10 * per_token_ms) * MS
    return Work("inference", took, "chat", call={"model": model, "output_tokens": 11, **told})


def reviewed(path: Path, budget: str, *requests: list[Work]) -> Review:
    builder = DatasetBuilder()
    for work in requests:
        builder.request(*work, rest_ns=MS)
    return review(open_dataset(builder.write(path / "calls.duckdb")), parse_budget(budget))


@pytest.mark.parametrize(("limit", "exceeded"), [(50, 0), (49, 1)])
def test_one_call_over_a_limit_is_over_it_however_many_keep_it(tmp_path: Path, limit: int, exceeded: int) -> None:
    budget = f"[stages.inference]\ncall_first_token = {{ max = '{limit}ms' }}"
    found = reviewed(tmp_path, budget, *[[call(10), call(10)]] * 50, [call(10), call(50)])
    (row,) = found.call_limits
    assert (row.kind, row.of, row.figure, row.limit_ns) == ("stage", "inference", "call_first_token", limit * MS)
    assert (row.calls, row.exceeded, row.longest_ns, row.without) == (102, exceeded, 50 * MS, 0)
    assert row.verdict == ("over" if exceeded else "within")
    assert [(one.stage, one.figure, one.calls, one.requests) for one in over(found)] == [
        ("inference", "call_first_token", 1, None)
    ] * exceeded
    told = (
        "1 call exceeds the limit of 49 ms on the time to the first token of inference calls; the longest takes 50 ms."
    )
    said = check_sentences(found, over(found))
    assert (told in said) == (told in notes(found)) == bool(exceeded)
    assert ("Every cap is met." in said) != bool(exceeded)


def test_a_limit_beside_a_cap_is_judged_too_and_stands_in_the_table(tmp_path: Path) -> None:
    budget = "[stages.inference]\ncall_first_token = { p95 = '1s', max = '2s' }"
    found = reviewed(tmp_path, budget, *[[call(ms)] for ms in MIXED], [call(2001)])
    (line,) = call_lines(found)
    assert line.caps == "1.00 s p95, 2.00 s max"
    assert [row.verdict for row in found.calls if row.percentile == 95] == ["within"]
    assert [one.calls for one in over(found)] == [1]


def test_a_limit_of_one_model_holds_for_its_calls_alone(tmp_path: Path) -> None:
    budget = "[models.'mist-*']\ncall_per_output_token = { max = '8ms' }"
    found = reviewed(tmp_path, budget, [call(10, per_token_ms=8)], [call(10, model="nix", per_token_ms=20)])
    assert [line.label for line in call_lines(found)] == ["mist-*: per output token"]
    (row,) = found.call_limits
    assert (row.kind, row.of, row.calls, row.exceeded, row.longest_ns) == ("model", "mist-*", 1, 0, 8 * MS)
    assert check_sentences(found, over(found)) == ["Every cap is met."]
    (tmp_path / "slow").mkdir()
    found = reviewed(tmp_path / "slow", budget, [call(10, per_token_ms=9)])
    assert [(one.stage, one.model, one.figure, one.calls) for one in over(found)] == [
        ("inference", "mist-*", "call_per_output_token", 1)
    ]
    assert "1 call exceeds the limit of 8 ms on the time per output token of calls to `mist-*`" in notes(found)[-1]


def test_a_limit_is_judged_however_few_calls_there_are(tmp_path: Path) -> None:
    found = reviewed(tmp_path, "[stages.inference]\ncall_first_token.max = '9ms'", [call(10)])
    assert [row.verdict for row in found.call_limits] == ["over"]


def test_calls_that_record_nothing_are_no_pass(tmp_path: Path) -> None:
    budget = "[stages.inference]\ncall_first_token.max = '50ms'\n[models.nix]\ncall_first_token.max = '1s'"
    found = reviewed(tmp_path, budget, [call(None)], [call(None)])
    assert [(row.calls, row.without, row.longest_ns, row.verdict) for row in found.call_limits] == [
        (0, 2, None, "unknown"),
        (0, 0, None, "unknown"),
    ]
    assert len(unjudged(found)) == 2
    said = check_sentences(found, over(found))
    assert said[0].startswith("NOT JUDGED: 2 of 2 caps could not be judged (")
    assert "(the limit on the time to the first token of inference calls: nothing records it)" in said[0]
    assert said[-1] == "No cap is known to be broken."
    assert "No call records the time to the first token of inference calls, so its cap cannot be judged." in notes(
        found
    )


@pytest.mark.parametrize(("silent", "verdict"), [(2, "within"), (3, "unknown")])
def test_where_most_calls_record_nothing_only_a_broken_limit_is_judged(
    tmp_path: Path, silent: int, verdict: str
) -> None:
    requests = [[call(10)], [call(20)], *[[call(None)]] * silent]
    found = reviewed(tmp_path, "[stages.inference]\ncall_first_token.max = '20ms'", *requests)
    assert [(row.exceeded, row.verdict) for row in found.call_limits] == [(0, verdict)]
    (tmp_path / "broken").mkdir()
    found = reviewed(tmp_path / "broken", "[stages.inference]\ncall_first_token.max = '19ms'", *requests)
    assert [(row.exceeded, row.verdict) for row in found.call_limits] == [(1, "over")]


def test_the_headline_calls_nothing_well_while_a_limit_is_exceeded(tmp_path: Path) -> None:
    budget = "[budget]\np95 = '10s'\n[stages.inference]\np95 = '10s'\ncall_first_token = { max = '150ms' }"
    found = reviewed(tmp_path, budget, *[[call(ms)] for ms in MIXED])
    assert headline(found)[1] == (
        "But 49 calls exceed the limit of 150 ms on the time to the first token of inference calls; the longest takes 199 ms."
    )


def test_a_limit_of_calls_below_their_cap_is_a_mistake() -> None:
    with pytest.raises(
        OverbudgetError, match="max = 100ms is less than p95 = 200ms in line 2, but no call may exceed it"
    ):
        parse_budget("[stages.inference]\ncall_first_token = { p95 = '200ms', max = '100ms' }")

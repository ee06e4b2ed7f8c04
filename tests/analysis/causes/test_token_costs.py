"""What tokens cost: told where they vary enough, and nothing claimed where they do not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from overbudget.analysis.causes.token_costs import LEAST_FITTED, MOST_FITTED, NOTHING_TOLD, CallSample, Cost, fitted

MS = 1e6


def calls(
    seed: int,
    n: int = 400,
    prompt_ms: float = 0.1,
    answer_ms: float = 10.0,
    spread: float = 0.4,
    streams: bool = False,
    each: int = 1,
    noise: float = 0.2,
) -> CallSample:
    """Calls that wait 200 ms and then what their tokens take; `each` calls of a conversation."""
    random = np.random.default_rng(seed)
    prompt, answer = (random.lognormal(mean, spread, n).astype(np.int64) for mean in (8, 4.5))
    first = 200 * random.lognormal(0, noise, n) + prompt * prompt_ms
    writing = 50 * random.lognormal(0, noise, n) + answer * answer_ms
    return CallSample(
        ((first + writing) * MS).astype(np.int64),
        (first * MS).astype(np.int64) if streams else np.full(n, -1),
        prompt,
        answer,
        np.zeros(n, np.int32),
        np.arange(n) // each,
    )


def sides(base: CallSample, candidate: CallSample) -> CallSample:
    candidate = replace(candidate, side=np.ones(len(candidate), np.int32), conversation=candidate.conversation + 10**6)
    names = CallSample.__dataclass_fields__
    return CallSample(*(np.concatenate([getattr(one, name) for one in (base, candidate)]) for name in names))


@pytest.mark.parametrize("streams", [False, True])
def test_costs_of_prompts_and_answers_are_told_apart(streams: bool) -> None:
    found = fitted(calls(1, streams=streams))
    assert found.prompt is not None
    assert found.answer is not None
    assert found.prompt.ns == pytest.approx(0.1 * MS, rel=0.1)
    assert found.answer.ns == pytest.approx(10 * MS, rel=0.1)
    for cost in (found.prompt, found.answer):
        assert cost.low_ns < cost.ns < cost.high_ns
        assert 0.5 < cost.explained <= 1


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        found = fitted(calls(seed, n=200, each=4))
        assert found.answer is not None
        held += found.answer.low_ns <= 10 * MS <= found.answer.high_ns
    assert held >= 50


def test_a_few_calls_that_stall_do_not_decide() -> None:
    plain = calls(2)
    stalled = replace(plain, took_ns=plain.took_ns + np.where(np.arange(400) % 20 == 0, 60_000 * 10**6, 0))
    found, before = fitted(stalled), fitted(plain)
    assert found.answer is not None
    assert before.answer is not None
    assert found.answer.ns == pytest.approx(before.answer.ns, rel=0.1)


@pytest.mark.parametrize("streams", [False, True])
def test_tokens_that_cost_nothing_are_never_told(streams: bool) -> None:
    for seed in range(60):
        found = fitted(calls(seed, n=60 if seed % 2 else 600, prompt_ms=0, answer_ms=0, streams=streams, each=3))
        assert found == NOTHING_TOLD


def test_tokens_that_hardly_vary_are_not_told() -> None:
    assert fitted(calls(3, spread=0.0)) == NOTHING_TOLD
    assert fitted(calls(3, spread=0.002, noise=0.5)) == NOTHING_TOLD


def test_what_one_side_takes_more_is_no_cost_of_its_longer_prompts() -> None:
    """Constant prompts, longer in the candidate, whose server is slower: nothing shows what a token costs."""
    base = calls(4, spread=0.0, answer_ms=0)
    slower = calls(5, spread=0.0, answer_ms=0)
    slower = replace(slower, prompt=slower.prompt * 2, took_ns=slower.took_ns * 3)
    assert fitted(sides(base, slower)) == NOTHING_TOLD


def test_a_slower_side_does_not_change_what_tokens_cost() -> None:
    slower = calls(7)
    slower = replace(
        slower, prompt=slower.prompt + 4_000, took_ns=slower.took_ns + 10**9
    )  # 4,000 tokens would be 0.4 s
    found = fitted(sides(calls(6), slower))
    assert found.prompt is not None
    assert found.prompt.ns == pytest.approx(0.1 * MS, rel=0.15)


def test_prompts_and_answers_that_vary_together_are_not_told_apart() -> None:
    both = calls(8, noise=0.5)
    together = replace(both, answer=both.prompt // 30, took_ns=(both.prompt * 1_000_000 + both.took_ns))
    found = fitted(together)
    assert found.prompt is None or found.prompt.high_ns - found.prompt.low_ns <= found.prompt.ns


def test_too_few_calls_tell_nothing() -> None:
    assert fitted(calls(9, n=LEAST_FITTED - 1)) == NOTHING_TOLD
    assert fitted(calls(9, n=LEAST_FITTED, noise=0.01)).answer is not None


def test_calls_that_stream_decide_where_they_are_half() -> None:
    """First tokens of fewer than half of the calls are those of other calls: all are fitted by how long they take."""
    whole = calls(10, streams=True)
    few = replace(whole, first_ns=np.where(np.arange(400) < 199, whole.first_ns, -1))
    assert fitted(few) == fitted(replace(whole, first_ns=np.full(400, -1)))
    enough = replace(whole, first_ns=np.where(np.arange(400) < 200, whole.first_ns, -1))
    assert fitted(enough) != fitted(few)


def test_a_first_token_after_the_end_is_none() -> None:
    whole = calls(11, streams=True)
    assert fitted(replace(whole, first_ns=whole.took_ns + 1)) == fitted(replace(whole, first_ns=np.full(400, -1)))


def test_of_many_calls_some_are_chosen_evenly_and_always_the_same() -> None:
    many = calls(12, n=MOST_FITTED * 3)
    some = many.evenly(MOST_FITTED)
    assert len(some) == MOST_FITTED
    assert (some.conversation[0], some.conversation[-1]) == (0, len(many) - 1)
    assert fitted(many) == fitted(some) == fitted(many)


def test_a_cost_is_told_while_its_interval_reaches_no_further_than_half_of_it() -> None:
    def told(**ends: Any) -> bool:
        return Cost(**{"ns": 10.0, "low_ns": 5.0, "high_ns": 15.0, "explained": 0.1, **ends}).reliable

    assert told()
    assert not told(low_ns=4.9)
    assert not told(high_ns=15.1)
    assert not told(ns=0.0, low_ns=0.0, high_ns=0.0)
    assert not told(ns=-10.0, low_ns=-11.0, high_ns=-9.0)

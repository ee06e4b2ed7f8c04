"""What tokens cost per model, on simulated calls whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from overbudget.analysis.causes.model_tokens import MOST_POINTS, ModelTokens, Picture, tokens_of_models
from overbudget.analysis.causes.prompt_growth import growth_sentence, prompt_growth
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.requests.model_calls import ModelCalls
from overbudget.app.charts.tokens import tokens_figure
from overbudget.kernels.arrow import Coded

READ, WRITE = 0.2e6, 12e6  # ns for each input token, and for each output token


def calls(
    seed: int,
    n: int = 400,
    *,
    first_tokens: bool = True,
    prompts: tuple[int, int] = (200, 8_000),
    answers: tuple[int, int] = (20, 400),
    cached: float = 0.0,
    talks: int | None = None,
    noise: float = 0.2,
) -> ModelCalls:
    """Calls of one model, each part a normal share longer or shorter, a tenth of that alike within a conversation; `cached` of
    half of the prompts comes from the cache."""
    random = np.random.default_rng(seed)
    cluster = np.arange(n) if talks is None else random.integers(0, talks, n)
    shared = 1 + 0.05 * random.standard_normal(n)[cluster]
    given = random.integers(*prompts, n)
    from_cache = np.where(random.random(n) < 0.5, (cached * given).astype(np.int64), 0)
    answer = random.integers(*answers, n)
    first = (150e6 + READ * (given - from_cache)) * (shared + noise * np.clip(random.standard_normal(n), -3, 3))
    writing = WRITE * answer * (shared + noise * np.clip(random.standard_normal(n), -3, 3))
    took = (first + writing).astype(np.int64)
    return ModelCalls(
        request=np.arange(n, dtype=np.int32),
        stage=np.zeros(n, np.int16),
        model=Coded(np.zeros(n, np.int32), ("mist-large",)),
        first_ns=first.astype(np.int64) if first_tokens else np.full(n, -1),
        per_token_ns=np.full(n, -1),
        cluster=cluster.astype(np.int64),
        provider=Coded(np.zeros(n, np.int32), ("mist",)),
        took_ns=took,
        given=given.astype(np.int64),
        cached=from_cache.astype(np.int64),
        answer=answer.astype(np.int64),
    )


def only(found: list[ModelTokens]) -> ModelTokens:
    (one,) = found
    return one


@pytest.mark.parametrize("first_tokens", [True, False], ids=["with first tokens", "durations alone"])
def test_costs_lie_in_their_interval_in_nineteen_of_twenty_worlds(first_tokens: bool) -> None:
    worlds, inside = 200, np.zeros(2, int)
    known = np.zeros(2, int)
    for seed in range(worlds):
        one = only(tokens_of_models(calls(seed, first_tokens=first_tokens, talks=150)))
        for side, (cost, truth) in enumerate(((one.input_token, READ), (one.output_token, WRITE))):
            known[side] += cost is not None
            inside[side] += cost is not None and cost.ci_low_ns <= truth <= cost.ci_high_ns
    assert (known > 150).all()
    assert (inside >= 0.91 * known).all(), (inside, known)  # 95 %, less 2.6 standard errors of 200 worlds


def test_what_the_cache_saves_is_its_tokens_by_their_cost() -> None:
    one = only(tokens_of_models(calls(3, 1_000, cached=0.8)))
    assert one.input_token is not None
    assert one.input_token.ns == pytest.approx(READ, rel=0.1)
    assert (one.model, one.provider, one.calls, one.by_first_token) == ("mist-large", "mist", 1_000, True)
    assert one.cached_calls == pytest.approx(500, abs=60)
    assert one.cache_saves_ns == pytest.approx(READ * 0.8 * 4_100, rel=0.12)  # 4,100 tokens on average
    assert one.cache_saves_ci_low_ns is not None
    assert one.cache_saves_ci_low_ns < one.cache_saves_ns < (one.cache_saves_ci_high_ns or 0)
    assert one.cached_share == pytest.approx(0.4, abs=0.03)


def test_without_a_cache_nothing_is_saved_by_one() -> None:
    one = only(tokens_of_models(calls(3)))
    assert (one.cached_share, one.cached_calls, one.cache_saves_ns) == (0.0, 0, None)


def test_where_prompts_hardly_vary_their_cost_is_not_told() -> None:
    one = only(tokens_of_models(calls(5, prompts=(4_000, 4_010))))
    assert one.input_token is None
    assert one.output_token is not None
    assert (one.reading.at_0_ns, one.reading.ns_per_token) == (None, None)


def test_fewer_than_forty_calls_show_nothing() -> None:
    assert tokens_of_models(calls(1, 39)) == []
    assert len(tokens_of_models(calls(1, 40))) == 1


def test_a_picture_has_at_most_two_thousand_calls_and_a_line_through_them() -> None:
    one = only(tokens_of_models(calls(2, 5_000, noise=0.05)))
    for picture, per_token, at_0 in ((one.reading, READ, 150e6), (one.writing, WRITE, 0.0)):
        assert len(picture.tokens) == len(picture.ns) == MOST_POINTS
        assert picture.ns_per_token == pytest.approx(per_token, rel=0.05)
        assert picture.at_0_ns == pytest.approx(at_0, abs=60e6)
    figure = tokens_figure(one.reading)
    assert len(figure.data[0].x) == MOST_POINTS
    assert figure.data[1].y[1] == pytest.approx(
        (one.reading.at_0_ns + one.reading.ns_per_token * 7_999) / 1e9, rel=0.01
    )
    assert not tokens_figure(Picture(np.zeros(0, np.int64), np.zeros(0, np.int64), None, None)).data


def test_models_of_two_providers_are_told_apart() -> None:
    both = calls(7, 200)
    provider = Coded((np.arange(200) % 2).astype(np.int32), ("mist", "cloud"))
    found = tokens_of_models(replace(both, provider=provider))
    assert [(one.model, one.provider, one.calls) for one in found] == [
        ("mist-large", "cloud", 100),
        ("mist-large", "mist", 100),
    ]


# -- prompts that grow with the turn of a conversation


def talks(
    seed: int, growth: float, conversations: int = 40, cached: bool = False
) -> tuple[ModelCalls, np.ndarray, np.ndarray]:
    """Conversations of 3 to 9 turns whose prompts grow by `growth` tokens a turn from 2,000; the calls, and each request's
    conversation and start."""
    random = np.random.default_rng(seed)
    length = random.integers(3, 10, conversations)
    conversation = np.repeat(np.arange(conversations), length)
    turn = np.concatenate([np.arange(n) for n in length])
    given = np.maximum(2_000 + growth * turn + random.normal(0, 150, len(turn)), 1).astype(np.int64)
    before = np.where(turn > 0, np.append(0, given[:-1]), 0)
    one = calls(seed, len(turn))
    prompt = given - np.minimum(before, given) if cached else given
    first = ((150e6 + READ * prompt) * (1 + 0.05 * random.standard_normal(len(turn)))).astype(np.int64)
    one = replace(one, given=given, cached=given - prompt, first_ns=first, took_ns=first + one.answer * round(WRITE))
    shuffled = random.permutation(len(turn))  # requests come in any order
    start = (turn * 60 + random.integers(0, 5, len(turn))) * 10**9
    request = np.empty(len(turn), np.int32)
    request[shuffled] = np.arange(len(turn))
    return replace(one, request=request), conversation[shuffled].astype(np.int32), start[shuffled]


def test_prompts_that_grow_are_found_with_what_a_late_turn_pays() -> None:
    made, conversation, start = talks(1, 900)
    found = prompt_growth(made, conversation, start, tokens_of_models(made))
    assert found is not None
    assert found.tokens == pytest.approx(900, rel=0.05)
    assert found.ci_low <= 900 <= found.ci_high
    assert (found.conversations, found.turn) == (40, 8)
    assert found.more_tokens == pytest.approx(7 * 900, rel=0.05)
    assert found.more_ns == pytest.approx(7 * 900 * READ, rel=0.1)
    assert growth_sentence(found) == (
        f"prompts grow by {found.tokens:,.0f} tokens a turn ({found.ci_low:,.0f} – {found.ci_high:,.0f}); turn 8 costs "
        f"{format_duration(found.more_ns)} more to its first token (40 conversations)"
    )


def test_prompts_that_do_not_grow_are_not_said_to_in_two_hundred_worlds() -> None:
    found = [prompt_growth(*talks(seed, 0), []) for seed in range(200)]
    assert sum(one is not None for one in found) == 0


def test_growth_that_the_cache_holds_costs_no_time() -> None:
    made, conversation, start = talks(2, 900, cached=True)
    found = prompt_growth(made, conversation, start, tokens_of_models(made))
    assert found is not None
    assert found.tokens == pytest.approx(900, rel=0.05)
    assert found.uncached < 100
    assert (found.more_ns or 0) < 7 * 100 * READ


@pytest.mark.parametrize(("conversations", "known"), [(10, True), (9, False)])
def test_ten_conversations_of_three_turns_show_growth(conversations: int, known: bool) -> None:
    made, conversation, start = talks(4, 900, conversations)
    assert (prompt_growth(made, conversation, start, []) is not None) is known


def test_requests_of_no_conversation_show_no_growth() -> None:
    made, conversation, start = talks(4, 900)
    assert prompt_growth(made, np.full(len(conversation), -1, np.int32), start, []) is None

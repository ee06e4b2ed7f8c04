"""What a call's own tokens took, at its own pace (docs/reference/method.md, What-if)."""

import numpy as np
import pytest

from overbudget.analysis.causes.token_calls import TokenCalls
from overbudget.analysis.whatif.changes import Tokens
from overbudget.analysis.whatif.token_costs import ModelCalls, spent_on_tokens, token_factor
from overbudget.kernels.arrow import Coded

MS = 1_000_000


def _calls(first_recorded: bool, n: int = 400) -> tuple[TokenCalls, np.ndarray]:
    """Calls of 5 ms a token, each at a pace of its own; a fifth writes ten times as much. With what each wrote for (ns)."""
    random = np.random.default_rng(4)
    answer = np.where(np.arange(n) % 5 == 0, 800, 80) + random.integers(0, 30, n)
    writing = 5 * MS * answer * np.exp(0.05 * random.standard_normal(n))
    first = 150 * MS * np.exp(0.2 * random.standard_normal(n))
    calls = TokenCalls(
        np.arange(n, dtype=np.int32), Coded(np.zeros(n, np.int32), ("m",)), np.full(n, 900), np.zeros(n, np.int64), answer,
        (first + writing).astype(np.int64), first.astype(np.int64) if first_recorded else np.full(n, -1), np.zeros(n, bool),
    )  # fmt: skip
    return calls, writing


@pytest.mark.parametrize("first_recorded", [True, False])
def test_a_call_saves_time_at_its_own_pace_not_at_the_average_one(first_recorded):
    calls, writing = _calls(first_recorded)
    rows = np.arange(len(writing))
    cost = np.tile([0.0, 5.0 * MS], (len(rows), 1))
    spent = spent_on_tokens(calls, rows, cost)[:, 1]
    long = calls.answer > 500
    off, off_at_the_average = (np.abs(one - writing)[long] for one in (spent, 5.0 * MS * calls.answer))
    assert off.mean() < 0.25 * off_at_the_average.mean()
    assert np.abs(spent - writing)[~long].mean() < 0.1 * writing[~long].mean()


def test_tokens_that_are_not_cut_save_nothing_and_cut_ones_never_more_than_the_call_took():
    calls, _ = _calls(False)
    rows = np.arange(len(calls.answer))
    spent = spent_on_tokens(calls, rows, np.tile([0.0, 50.0 * MS], (len(rows), 1)))  # a cost far too high
    assert (spent <= calls.took_ns[:, None]).all()
    assert (spent >= 0).all()
    told = ModelCalls(
        rows.astype(np.int32),
        calls.took_ns,
        calls.prompt,
        calls.answer,
        np.full((len(rows), 2), 5.0),
        spent,
        calls.prompt,
    )
    factor = token_factor(Tokens("output", most=150), told, len(rows))
    assert (factor[calls.answer <= 150] == 1).all()
    assert (factor[calls.answer > 150] < 1).all()


def test_too_few_calls_tell_no_pace_of_their_own():
    calls, _ = _calls(True, 30)
    rows = np.arange(30)
    spent = spent_on_tokens(calls, rows, np.tile([0.0, 5.0 * MS], (30, 1)))[:, 1]
    capped = np.minimum(5.0 * MS * calls.answer, calls.took_ns - calls.first_ns)
    assert np.allclose(spent, capped)

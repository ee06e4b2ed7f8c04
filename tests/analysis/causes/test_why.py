"""Why a cause grew: how often, how large, how slow."""

from hypothesis import given
from hypothesis import strategies as st

from overbudget.analysis.causes.why import Amount, TokenCost, Why, explain, number

MS = 1_000_000
NONE = Amount(0, 0, 0)

sizes = st.floats(0, 1e4, allow_nan=False)
tokens = st.none() | st.floats(0, 1e5, allow_nan=False)
amounts = st.builds(
    lambda made, on_path, each, prompt, answer: Amount(made, on_path, on_path * each, prompt, answer),
    sizes, sizes, st.floats(0, 1e10, allow_nan=False), tokens, tokens,
)  # fmt: skip
costs = st.none() | st.builds(TokenCost, st.floats(0, 1e7), st.floats(0, 1e7))


def why(
    before: Amount, after: Amount, cost: TokenCost | None = None, failed: tuple[Amount, Amount] = (NONE, NONE)
) -> Why:
    excess = round(after.ns + failed[1].ns - before.ns - failed[0].ns)
    return explain((before, failed[0]), (after, failed[1]), excess, cost)


@given(st.tuples(amounts, amounts), st.tuples(amounts, amounts), st.integers(-(10**14), 10**14), costs)
def test_the_parts_sum_to_the_excess_to_the_nanosecond(
    before: tuple[Amount, Amount], after: tuple[Amount, Amount], excess: int, cost: TokenCost | None
) -> None:
    found = explain(before, after, excess, cost)
    assert found.how_often_ns + found.how_large_ns + found.how_slow_ns == excess
    assert isinstance(found.how_slow_ns, int)
    assert found.sentence


def test_a_loop_that_runs_more_often_is_how_often() -> None:
    found = why(Amount(4.1, 4.1, 4.1 * 500 * MS), Amount(10.6, 10.6, 10.6 * 500 * MS))
    assert found.how_often_ns == 3_250 * MS
    assert abs(found.how_slow_ns) <= 1
    assert found.sentence == "10.6 calls a request instead of 4.1, each as long as before"


def test_the_same_calls_that_take_longer_are_how_slow() -> None:
    found = why(Amount(2, 2, 200 * MS), Amount(2, 2, 1160 * MS))
    assert (found.how_often_ns, found.how_slow_ns) == (0, 960 * MS)
    assert found.sentence == "each call 480 ms slower"


def test_more_and_slower_calls_are_split_at_the_midpoint() -> None:
    found = why(Amount(2, 2, 200 * MS), Amount(4, 4, 800 * MS))
    assert (found.how_often_ns, found.how_slow_ns) == (300 * MS, 300 * MS)


def test_what_is_always_made_and_only_at_times_waited_for_is_not_made_more_often() -> None:
    found = why(Amount(1, 0.1, 10 * MS), Amount(1, 0.9, 90 * MS))
    assert (found.how_often_ns, found.how_slow_ns) == (0, 80 * MS)


def test_of_more_calls_only_as_many_count_as_are_waited_for() -> None:
    found = why(Amount(1, 1, 100 * MS), Amount(8, 3, 300 * MS))
    assert found.how_often_ns == 200 * MS


def test_more_calls_made_while_fewer_are_waited_for_are_no_part() -> None:
    assert why(Amount(1, 1, 100 * MS), Amount(2, 0.5, 80 * MS)).how_often_ns == 0


def test_a_side_without_calls_takes_the_other_sides_time_per_call() -> None:
    assert why(NONE, Amount(1, 1, 700 * MS)).how_often_ns == 700 * MS
    assert why(Amount(1, 1, 700 * MS), NONE).how_often_ns == -700 * MS
    assert why(NONE, Amount(1, 1, 700 * MS)).sentence == "1 call a request instead of none"


def test_calls_that_failed_are_told_as_such() -> None:
    found = why(Amount(1, 1, 100 * MS), Amount(1, 1, 100 * MS), failed=(NONE, Amount(4.5, 4.5, 900 * MS)))
    assert found.how_often_ns == 900 * MS
    assert found.sentence == "4.5 failed calls a request instead of none"
    assert (found.calls_before, found.calls_after) == (1, 5.5)


def test_longer_prompts_are_how_large() -> None:
    cost = TokenCost(prompt_ns=0.1 * MS, answer_ns=10 * MS)
    found = why(Amount(1, 1, 1000 * MS, 3900, 100), Amount(1, 1, 1400 * MS, 7800, 100), cost)
    assert (found.how_large_ns, found.how_slow_ns) == (390 * MS, 10 * MS)
    assert found.sentence == "prompts of 7,800 tokens instead of 3,900"


def test_longer_answers_are_how_large() -> None:
    found = why(Amount(1, 1, 1000 * MS, 10, 100), Amount(1, 1, 2000 * MS, 10, 200), TokenCost(0, 10 * MS))
    assert found.sentence == "answers of 200 tokens instead of 100"


def test_without_what_tokens_cost_nothing_is_how_large() -> None:
    found = why(Amount(1, 1, 1000 * MS, 3900, 100), Amount(1, 1, 1400 * MS, 7800, 100))
    assert (found.how_large_ns, found.how_slow_ns) == (0, 400 * MS)


def test_large_parts_of_opposite_sign_are_told_as_counts_alone() -> None:
    found = why(Amount(2, 2, 1000 * MS), Amount(10, 10, 1100 * MS))
    assert found.how_often_ns > 1000 * MS
    assert found.how_slow_ns < -1000 * MS
    assert found.sentence == "10 calls a request instead of 2"


def test_the_largest_part_of_the_excess_s_own_sign_is_told() -> None:
    found = why(Amount(2, 2, 1000 * MS), Amount(1, 1, 700 * MS))
    assert found.how_often_ns < 0 < found.how_slow_ns
    assert found.sentence.startswith("1 call a request instead of 2")


def test_shares_below_two_in_a_hundred_have_a_digit_more() -> None:
    said = [
        why(Amount(0.01, 0.01, 10 * MS), Amount(share, share, share * 1000 * MS)).sentence for share in (0.02, 0.0194)
    ]
    assert [sentence.split(",")[0] for sentence in said] == [
        "calls in 2% of the requests instead of 1.0%",
        "calls in 1.9% of the requests instead of 1.0%",
    ]


def test_what_fewer_than_all_requests_call_is_told_as_a_share() -> None:
    found = why(Amount(0.16, 0.16, 160 * MS), Amount(0.6, 0.6, 600 * MS))
    assert found.sentence == "calls in 60% of the requests instead of 16%, each as long as before"


def test_numbers_of_calls_read_as_people_write_them() -> None:
    assert [number(calls) for calls in (0, 0.0049, 0.006, 1, 1.25, 4.0, 10.56, 1003.2)] == [
        *("0", "0", "0.01", "1", "1.25", "4", "10.6", "1,003")
    ]

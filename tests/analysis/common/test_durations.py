"""Durations as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbudget.analysis.common.durations import LONGEST_NS, duration_literal, format_duration, parse_duration
from overbudget.store.errors import OverbudgetError


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("400ms", 400_000_000), ("400 ms", 400_000_000), ("2s", 2_000_000_000), ("1.5s", 1_500_000_000),
        (".5s", 500_000_000), ("250us", 250_000), ("250µs", 250_000), ("250μs", 250_000), ("10ns", 10),
        ("1m", 60_000_000_000), ("2min", 120_000_000_000), ("1h", 3_600_000_000_000), ("1m30s", 90_000_000_000),
        ("400MS", 400_000_000), (" 1s ", 1_000_000_000),
    ],
)  # fmt: skip
def test_a_duration_is_a_number_and_a_unit(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("400", "did you mean 400ms or 400s?"), (400, "did you mean 400ms or 400s, in quotes?"),
        (1.5, "did you mean 1.5ms or 1.5s, in quotes?"), ("-4ms", "negative"), ("0s", "less than 1 ns"),
        ("0.4ns", "less than 1 ns"), ("1,5s", "did you mean 1.5s?"), ("5 secs", "did you mean 5s?"),
        ("400 mss", "did you mean 400ms?"), ("3 minutes", "did you mean 3min?"), ("2 days", "the units are"),
        ("", "empty"), ("ms", "is not a duration"), ("99999h", "longer than 30 days"), (True, "is not a duration"),
        (None, "is not a duration"), (float("nan"), "is not a duration"), ([1], "is not a duration"),
    ],
)  # fmt: skip
def test_an_impossible_duration_is_refused_with_what_was_meant(text: object, said: str) -> None:
    with pytest.raises(OverbudgetError) as error:
        parse_duration(text)
    assert said in str(error.value)


@given(st.integers(1, LONGEST_NS))
def test_a_written_duration_reads_back_to_the_nanosecond(ns: int) -> None:
    assert parse_duration(duration_literal(ns)) == ns


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ms"), (999, "999 ns"), (1_000, "1 µs"), (9_400, "9.4 µs"), (870_000, "870 µs"), (999_600, "1 ms"),
        (1_200_000, "1.2 ms"), (412_000_000, "412 ms"), (999_400_000, "999 ms"), (999_600_000, "1.00 s"),
        (2_310_000_000, "2.31 s"), (9_996_000_000, "10.0 s"), (94_700_000_000, "94.7 s"),
        (231_000_000_000, "3 min 51 s"), (8_000_000_000_000, "2 h 13 min"), (-3_000_000, "−3 ms"), (None, "–"),
    ],
)  # fmt: skip
def test_a_shown_duration_has_about_three_digits_and_the_unit_that_fits(ns: int | None, text: str) -> None:
    assert format_duration(ns) == text


def test_a_large_part_of_seconds_is_shown_in_seconds_and_a_small_one_is_not() -> None:
    assert format_duration(900_000_000, next_to_ns=2_310_000_000) == "0.90 s"
    assert format_duration(12_000_000, next_to_ns=2_310_000_000) == "12 ms"
    assert format_duration(900_000_000, next_to_ns=990_000_000) == "900 ms"


@given(st.integers(0, LONGEST_NS), st.integers(0, LONGEST_NS))
def test_a_longer_duration_never_reads_as_a_shorter_one(a: int, b: int) -> None:
    def read_back(text: str) -> float:
        units = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9, "min": 6e10, "h": 3.6e12}
        words = text.split()
        return sum(float(n) * units[unit] for n, unit in zip(words[::2], words[1::2], strict=True))

    low, high = sorted((a, b))
    assert read_back(format_duration(low)) <= read_back(format_duration(high)) * (1 + 1e-9)

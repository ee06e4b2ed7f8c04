import threading

import pytest

from overbudget.kernels.threads import together


def test_parts_run_at_the_same_time_and_their_results_come_in_order() -> None:
    both = threading.Barrier(2, timeout=30)
    assert together(lambda: (both.wait(), "a")[1], lambda: (both.wait(), "b")[1]) == ["a", "b"]


def test_an_error_of_any_part_is_raised_when_all_have_ended() -> None:
    ended = []

    def fails() -> None:
        raise KeyError("part")

    with pytest.raises(KeyError, match="part"):
        together(lambda: ended.append(1), fails, lambda: ended.append(3))
    assert sorted(ended) == [1, 3]


def test_no_parts_and_one_part() -> None:
    assert together() == []
    assert together(lambda: 7) == [7]

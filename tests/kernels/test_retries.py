"""Which calls were made again after they had failed: the one definition that the waterfall and what-ifs share."""

import numpy as np

from overbudget.kernels.retries import retries


def again(*calls: tuple[int, int, int, str, bool]) -> list[int]:
    """(parent, start, end, name, failed) of each call, to the call that each repeats."""
    names = sorted({name for *_, name, _ in calls})
    parent, start, end = (np.array([call[i] for call in calls], np.int64) for i in range(3))
    kind = np.array([names.index(call[3]) for call in calls], np.int32)
    return retries(parent.astype(np.int32), start, end, kind, np.array([call[4] for call in calls], bool)).tolist()


TURN = (-1, 0, 100, "turn", False)


def test_a_call_after_a_failed_one_repeats_it() -> None:
    assert again(TURN, (0, 0, 10, "chat", True), (0, 10, 20, "chat", False)) == [-1, -1, 1]


def test_a_call_that_overlaps_the_failed_one_by_a_nanosecond_repeats_nothing() -> None:
    assert again(TURN, (0, 0, 11, "chat", True), (0, 10, 20, "chat", False)) == [-1, -1, -1]


def test_a_call_after_a_success_repeats_nothing() -> None:
    calls = (TURN, (0, 0, 10, "chat", True), (0, 12, 20, "chat", False), (0, 30, 40, "chat", False))
    assert again(*calls) == [-1, -1, 1, -1]


def test_each_of_several_tries_repeats_the_one_before() -> None:
    calls = (TURN, (0, 0, 10, "chat", True), (0, 12, 20, "chat", True), (0, 30, 40, "chat", False))
    assert again(*calls) == [-1, -1, 1, 2]


def test_another_name_or_another_parent_repeats_nothing() -> None:
    assert again(TURN, (0, 0, 10, "chat", True), (0, 12, 20, "tool", False), (1, 12, 20, "chat", False))[2:] == [-1, -1]


def test_there_are_none_without_calls() -> None:
    assert again() == []
    assert again((-1, 0, 9, "chat", True)) == [-1]

"""Whether a replay waits for what hardly ever was the last thing that was waited for."""

import numpy as np
import pytest

from overbudget.kernels.reasons import known_reasons, new_reasons
from overbudget.kernels.replay import Graph

NOBODY = -1


def found(copies: int, last: int, now: tuple[int, int] = (50, 20), given: bool = False) -> list[tuple[int, int, int]]:
    """(node, what it waits for, how long) where, so many times, a call of one operation waits for a call of each of two others:
    the other ends at 20, the one at 10 or, `last` times, at 30. Of the first time they end at `now`."""
    source = np.arange(copies) * 6
    start, ends = source + 4, (source + 1, source + 3)
    follows = np.zeros(6 * copies, np.int64)
    follows[ends[0]] = follows[ends[1]] = 1
    waits = np.zeros(6 * copies, np.int32)
    waits[start] = 2
    first = np.append(0, np.cumsum(follows)).astype(np.int64)
    graph = Graph(first, np.repeat(start, 2).astype(np.int32), waits, waits.astype(np.int64), waits)
    was = np.zeros(6 * copies, np.int64)
    was[ends[0]], was[ends[1]] = np.where(np.arange(copies) >= copies - last, 30, 10), 20
    new, kind = was.copy(), np.tile(np.arange(3, dtype=np.int32), copies)
    new[[1, 3]] = now
    keys, counts = known_reasons(graph, was, kind, 3)
    by_the_change = np.zeros(3 * copies, bool)
    by_the_change[0] = given
    node, what, late = new_reasons(graph, was, new, kind, 3, keys, counts, by_the_change)
    return list(zip(node.tolist(), what.tolist(), late.tolist(), strict=True))


def test_what_never_was_the_last_and_now_is_is_told_with_how_long_it_makes_wait() -> None:
    assert found(30, 0) == [(2, 0, 30)]


def test_what_ends_before_a_known_reason_is_none() -> None:
    assert found(30, 0, now=(15, 20)) == []
    assert found(30, 0, now=(20, 20)) == []
    assert found(30, 0, now=(21, 20)) == [(2, 0, 1)]


def test_the_end_that_the_change_is_about_is_a_reason() -> None:
    assert found(30, 0, given=True) == []


@pytest.mark.parametrize(("copies", "last", "told"), [(101, 1, 1), (100, 1, 0), (2001, 19, 1), (2001, 20, 0)])
def test_what_was_the_last_once_in_a_hundred_times_or_twenty_times_is_known(copies: int, last: int, told: int) -> None:
    assert len(found(copies, last)) == told

"""Calls that wait for a lock, or for few slots, within their own time: when they are told, and what is told of them."""

import numpy as np
import pytest

from overbudget.analysis.whatif.own_time import SLOTS, OwnTime, waits_in_own_time
from overbudget.kernels.replay import Shape

MS = 1_000_000
NOTHING = np.zeros(0, np.int32)
WAITS = (2.4, 2.5, 2.6, 2.5, 2.4)  # ms; calls that wait differ, so that what they take can follow their waits


def told(calls: list[tuple[float, float]], with_children: int = 0) -> list[OwnTime]:
    """What is told of calls (start and end in ms) of one operation below one request; some more of it have a child each."""
    longer = [(10_000_000.0 + 100 * n, 10_000_010.0 + 100 * n) for n in range(with_children)]
    times = [(0.0, 20_000_000.0), *calls, *longer, *longer]
    n, parents = len(times), 1 + len(calls)
    parent = np.array([-1, *[0] * (len(calls) + with_children), *range(parents, parents + with_children)], np.int32)
    kind = np.array([0, *[1] * (len(calls) + with_children), *[2] * with_children], np.int32)
    start, end = (np.array([round(time[side] * MS) for time in times], np.int64) for side in (0, 1))
    first = np.append(0, np.cumsum(np.bincount(parent[1:], minlength=n))).astype(np.int64)
    return list(
        waits_in_own_time(
            Shape(
                parent, start, end, np.arange(n, dtype=np.int32), kind, 3, first, np.arange(1, n, dtype=np.int32),
                NOTHING, first, NOTHING, first, NOTHING, NOTHING, np.zeros(n, bool), 1,
            )
        )
    )  # fmt: skip


def pairs(count: int, wait: float = 5.0, free: float = 10.0) -> list[tuple[float, float]]:
    """Every 100 ms one call that takes `free` ms, and one that waits for about `wait` ms for its end, and takes 10 ms then."""
    calls = []
    for n in range(count):
        end = 100.0 * n + free
        calls += [(100.0 * n, end), (end - wait + 2.5 - WAITS[n % 5], end + 10)]
    return calls


def test_calls_that_begin_only_when_the_one_before_has_ended_wait_for_one_server() -> None:
    calls = pairs(60)
    (found,) = told(calls)
    assert found.servers == 1
    assert found.node.tolist() == list(range(1, 121))
    assert found.queued.tolist() == [False, True] * 60
    assert found.grant.tolist() == [round((100 * (n // 2) + 10 * (n % 2)) * MS) for n in range(120)]
    assert found.rank.tolist() == list(range(120))
    assert found.before_ns == 0


def test_what_a_call_does_before_it_asks_is_what_the_free_ones_take_more() -> None:
    (found,) = told(pairs(60, free=12.0))
    assert found.before_ns == 2 * MS


@pytest.mark.parametrize(("count", "lines"), [(100, 1), (99, 0)])
def test_fewer_than_a_hundred_calls_tell_nothing(count: int, lines: int) -> None:
    assert len(told(pairs(50)[:count])) == lines


@pytest.mark.parametrize(("with_children", "lines"), [(5, 1), (6, 0)])
def test_of_an_operation_that_calls_others_nothing_is_told(with_children: int, lines: int) -> None:
    found = told(pairs(50), with_children)
    assert [len(one.node) for one in found] == [100] * lines


@pytest.mark.parametrize(("wait", "lines"), [(2.5, 1), (2.45, 0)])
def test_calls_that_wait_take_a_quarter_longer_at_least(wait: float, lines: int) -> None:
    assert len(told(pairs(60, wait))) == lines


@pytest.mark.parametrize(("free", "lines"), [(20.0, 1), (20.1, 0), (6.7, 1), (6.6, 0)])
def test_calls_that_wait_work_half_as_long_as_the_others_at_least_and_half_as_long_again_at_most(
    free: float, lines: int
) -> None:
    assert len(told(pairs(60, 4.0 if free < 10 else 19.0, free))) == lines


@pytest.mark.parametrize("servers", SLOTS)
def test_slots_are_told_by_the_number_with_which_waits_explain_most(servers: int) -> None:
    """Calls come at random to slots that are busy for nine tenths of the time, and are served in the order in which they come."""
    rng = np.random.default_rng(servers)
    start = np.cumsum(rng.exponential(50 / servers / 0.9, 800))
    free, calls = np.zeros(servers), []
    for at in start:
        slot = int(free.argmin())
        free[slot] = max(at, free[slot]) + 50 * np.exp(0.3 * rng.standard_normal())
        calls.append((float(at), float(free[slot])))
    (found,) = told(calls)
    assert found.servers == servers

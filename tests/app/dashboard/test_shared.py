"""What visitors share: one computation for all who ask at once, kept by its size in bytes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from overbudget.app.dashboard.shared import Shared


class Counting:
    """A computation that ends when it is let, and counts how often it began."""

    def __init__(self, result: object) -> None:
        self.result, self.begun, self.calls = result, threading.Event(), 0
        self.may_end = threading.Event()

    def __call__(self) -> object:
        self.calls += 1
        self.begun.set()
        assert self.may_end.wait(30)
        return self.result


def test_who_asks_for_the_same_at_once_gets_one_computation() -> None:
    shared, compute = Shared(1_000_000), Counting("answer")
    with ThreadPoolExecutor(20) as visitors:
        first = visitors.submit(shared.get, "key", compute)
        assert compute.begun.wait(30)
        others = [visitors.submit(shared.get, "key", compute) for _ in range(19)]
        assert shared.get("another", lambda: "at once") == "at once"  # nobody else waits for it
        compute.may_end.set()
        assert {one.result(30) for one in (first, *others)} == {"answer"}
    assert compute.calls == 1


def test_who_waits_for_a_computation_that_fails_computes_it_again() -> None:
    shared, tries = Shared(1_000_000), list[int]()

    def fails_first() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("once")
        return "answer"

    with pytest.raises(ValueError, match="once"):
        shared.get("key", fails_first)
    assert shared.get("key", fails_first) == "answer"
    assert shared.get("key", fails_first) == "answer"
    assert len(tries) == 2


def test_what_was_asked_for_least_recently_makes_room() -> None:
    shared = Shared(3 * 8_500)

    def asked(key: str) -> bool:
        """Whether it had to be computed."""
        computed = []
        shared.get(key, lambda: computed.append(1) or np.zeros(1_000))  # type: ignore[func-returns-value]
        return bool(computed)

    assert [asked(key) for key in "abc"] == [True] * 3
    assert not asked("a")
    assert asked("d")  # for which b makes room
    assert [asked(key) for key in "acd"] == [False] * 3
    assert asked("b")
    assert shared.size <= 3 * 8_500


def test_an_answer_larger_than_everything_is_given_and_not_kept() -> None:
    shared = Shared(1_000)
    shared.get("small", lambda: "a")
    assert shared.get("large", lambda: np.zeros(1_000)).nbytes == 8_000
    assert shared.size < 1_000
    assert shared.get("small", lambda: "computed again") == "a"


def test_what_an_answer_points_into_is_counted_once() -> None:
    shared, whole = Shared(1_000_000), np.zeros(10_000)
    shared.get("whole", lambda: [whole])
    assert 80_000 < shared.size < 81_000
    shared.get("part", lambda: {"of": whole[:10]}, part_of=[whole])
    assert 80_000 < shared.size < 82_000

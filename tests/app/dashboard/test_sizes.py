"""How much memory an answer is said to hold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from overbudget.app.dashboard.sizes import size_of


@dataclass
class Plain:
    values: Any


@dataclass(slots=True)
class Slotted:
    values: Any


def test_arrays_are_counted_wherever_they_are() -> None:
    array = np.zeros(100_000)

    def holding() -> Any:
        return array

    for held in (array, [array], {"key": (array,)}, {1: {"a": array}}, Plain(array), Slotted([array]), holding):
        assert 800_000 <= size_of(held) < 802_000, held
    assert 800_000 <= size_of(pa.array(array)) < 802_000


def test_memory_is_counted_once_however_often_it_is_pointed_to() -> None:
    array = np.zeros(100_000)
    assert size_of([array, array, array[:10], Plain(array)]) < 802_000


def test_a_view_holds_all_that_it_looks_into() -> None:
    assert size_of(np.zeros(100_000)[:3]) >= 800_000


def test_texts_in_columns_are_counted() -> None:
    assert size_of(np.array(["x" * 1_000, "y" * 1_000], dtype=object)) > 2_000


def test_what_points_to_itself_is_counted_once() -> None:
    ring: list[Any] = [np.zeros(1_000)]
    ring.append(ring)
    assert 8_000 <= size_of(ring) < 9_000
    later: Any

    def before() -> Any:
        return later  # not assigned yet when it is counted

    assert size_of(before) < 1_000
    later = None

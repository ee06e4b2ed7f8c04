"""What is counted before lines are looked for, against plain loops."""

import numpy as np
import pytest

from overbudget.kernels.server_lines import by_number, grouped, how_many_overlap, mostly


@pytest.mark.parametrize("seed", range(20))
def test_the_places_of_each_number_are_in_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    number = random.integers(0, 5, int(random.integers(0, 40))).astype(np.int32)
    begins, places = by_number(number, 6)
    for k in range(6):
        assert places[begins[k] : begins[k + 1]].tolist() == np.flatnonzero(number == k).tolist()


@pytest.mark.parametrize("seed", range(40))
def test_as_many_calls_overlap_as_a_plain_loop_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(0, 30))
    start = np.sort(random.integers(0, 60, n))
    end = start + random.integers(1, 12, n)
    plain = sum(any(i != j and start[i] < end[j] and start[j] < end[i] for j in range(n)) for i in range(n))
    assert how_many_overlap(start, end) == plain


def test_calls_that_touch_do_not_overlap() -> None:
    assert how_many_overlap(np.array([0, 10]), np.array([10, 20])) == 0
    assert how_many_overlap(np.array([0, 9]), np.array([10, 20])) == 2
    assert how_many_overlap(np.zeros(0, np.int64), np.zeros(0, np.int64)) == 0


def test_an_operation_is_told_by_more_than_half_of_its_calls_under_one_operation() -> None:
    parent = np.array([-1, 0, 0, 0, 0, -1, 5, 5], np.int32)
    kind = np.array([0, 1, 1, 2, 2, 3, 1, 1], np.int32)
    told = np.array([True, True, False, True, True, True, True, True])
    found = mostly(parent, kind, 4, told)  # half of the calls of 1 under 0, all of 2 under 0, all of 1 under 3
    assert found.tolist() == [False, False, False, True, True, False, True, True]


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("rising", [True, False])
def test_nodes_are_grouped_by_instance_then_start_then_node(constant: bool, rising: bool) -> None:
    random = np.random.default_rng(3)
    nodes = np.arange(50, dtype=np.int32) if rising else random.permutation(50).astype(np.int32)
    instance = np.zeros(50, np.int64) if constant else random.integers(0, 3, 50)
    start = random.integers(0, 10, 50)
    order, begins = grouped(nodes, instance, start)
    keys = [(int(instance[i]), int(start[i]), int(nodes[i])) for i in order]
    assert keys == sorted(keys)
    assert begins.tolist() == [0, *(np.flatnonzero(np.diff(instance[order])) + 1).tolist(), 50]

"""Intervals that overlap others of their group, against asking for every pair."""

import numpy as np
import pytest

from overbudget.kernels.overlap import overlapping


@pytest.mark.parametrize("seed", range(20))
def test_every_pair_is_found_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sides = []
    for _ in range(2):
        n = int(rng.integers(0, 60))
        group, start = rng.integers(0, 4, n), rng.integers(0, 30, n)
        order = np.lexsort((start, group))
        sides.append((group[order], start[order], (start + rng.integers(0, 12, n))[order]))
    (group, start, end), (other_group, other_start, other_end) = sides
    expected = {
        (i, j)
        for i in range(len(group))
        for j in range(len(other_group))
        if group[i] == other_group[j] and other_start[j] < end[i] and start[i] < other_end[j]
    }
    one, other = overlapping(group, start, end, other_group, other_start, other_end)
    assert len(one) == len(expected)
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == expected


def test_what_only_touches_does_not_overlap() -> None:
    ms = [np.array([value], np.int64) for value in (0, 10, 20, 0, 20, 30)]
    assert [len(side) for side in overlapping(*ms)] == [0, 0]

"""Counters by key, for kernels: an open-addressing hash table that grows as keys are added."""

import numpy as np

from overbudget.kernels.jit import kernel
from overbudget.kernels.mix import mixed

FREE = np.int64(-1)  # no key is negative


@kernel
def tally(width):
    """An empty table: keys, and `width` counters for each."""
    return np.full(1024, FREE, np.int64), np.zeros((1024, width), np.int32)


@kernel
def slot_of(keys, key):
    """The slot of `key`, or the free slot where it belongs."""
    mask = np.uint64(keys.size - 1)
    at = mixed(key) & mask
    while keys[at] != key and keys[at] != FREE:
        at = (at + np.uint64(1)) & mask
    return np.int64(at)


@kernel
def grown(keys, counts):
    """The table at twice the size."""
    more = np.full(2 * keys.size, FREE, np.int64)
    moved = np.zeros((2 * keys.size, counts.shape[1]), np.int32)
    for i in range(keys.size):
        if keys[i] != FREE:
            at = slot_of(more, keys[i])
            more[at] = keys[i]
            moved[at] = counts[i]
    return more, moved

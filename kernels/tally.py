"""Counters by a key, for kernels: an open table that grows as keys are added."""

import numpy as np

from overbudget.kernels.jit import kernel

FREE = np.int64(-1)  # no key is negative


@kernel
def tally(width):
    """An empty table: keys, and `width` counters for each."""
    return np.full(1024, FREE, np.int64), np.zeros((1024, width), np.int32)


@kernel
def mixed(value):
    """A number's bits, well mixed (the finaliser of splitmix64)."""
    h = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@kernel
def slot_of(keys, key):
    """Where `key` is, or the free place where it belongs."""
    mask = np.uint64(keys.size - 1)
    at = mixed(key) & mask
    while keys[at] != key and keys[at] != FREE:
        at = (at + np.uint64(1)) & mask
    return np.int64(at)


@kernel
def grown(keys, counts):
    """The table with twice the room."""
    more = np.full(2 * keys.size, FREE, np.int64)
    moved = np.zeros((2 * keys.size, counts.shape[1]), np.int32)
    for i in range(keys.size):
        if keys[i] != FREE:
            at = slot_of(more, keys[i])
            more[at] = keys[i]
            moved[at] = counts[i]
    return more, moved

"""The mixer of bits behind every hash: the finaliser of SplitMix64 (G. Steele, D. Lea and C. Flood, OOPSLA 2014)."""

import numpy as np

from overbudget.kernels.jit import kernel


@kernel(signature="uint64(uint64)", allocates=False)
def mix(h):
    """Spread every bit of `h` over all 64; 0 stays 0."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@kernel
def mixed(value):
    """The mixed bits of a number, 0 included."""
    return mix(np.uint64(value) + np.uint64(0x9E3779B97F4A7C15))

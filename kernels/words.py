"""Eight bytes at a time, for kernels over text: unaligned loads and stores, which numba does not offer.

Text must have SLACK bytes after its last one. Words are little-endian, as on every machine that numba's wheels are
made for.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from overbudget.kernels.jit import kernel

WORD = 8  # bytes
SLACK = 4 * WORD  # zero bytes after a text, so that no kernel needs to ask where it ends

# Kernels that allocate nothing: without numba's reference counting they are four times as fast.
outer = kernel(allocates=False)
# Called by other kernels only: no entry point from Python.
jit = kernel(allocates=False, inner=True)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    place = cgutils.gep_inbounds(builder, builder.bitcast(data, ir.IntType(8).as_pointer()), index)
    return builder.bitcast(place, ir.IntType(64).as_pointer())


@intrinsic
def load_word(_context, text, index):
    """The uint64 of the eight bytes text[index:index + 8]."""

    def generate(context, builder, signature, args):
        return builder.load(_pointer(context, builder, signature.args[0], *args), align=1)

    return types.uint64(text, types.int64), generate


@intrinsic
def store_word(_context, text, index, word):
    """Set text[index:index + 8] to the bytes of a uint64."""

    def generate(context, builder, signature, args):
        array, place, value = args
        builder.store(value, _pointer(context, builder, signature.args[0], array, place), align=1)

    return types.void(text, types.int64, types.uint64), generate


@intrinsic
def trailing_zeros(_context, word):
    """How many of the lowest bits of a uint64 are zero (64 for zero)."""

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate

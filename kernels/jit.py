"""`@kernel` compiles a function for this machine when it is first called, and caches the machine code between runs.

numba is imported by that first call and not before: commands that call no kernel start without it. With
NUMBA_DISABLE_JIT=1 every kernel stays a plain Python function.
"""

import os
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, ParamSpec, TypeVar, cast, overload

P = ParamSpec("P")
R = TypeVar("R")

AS_PYTHON = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")

# Types in signatures: columns that are only read.
READ_U8, READ_I8, READ_I32, READ_I64, READ_U64, READ_BOOL = (
    f"Array({item}, 1, 'C', readonly=True)" for item in ("uint8", "int8", "int32", "int64", "uint64", "boolean")
)


class Kernel:
    """A function that is compiled when it is first called, from Python or from another kernel."""

    def __init__(self, function: Callable[..., Any], signature: str | None, options: dict[str, Any]) -> None:
        update_wrapper(self, function)
        self._function, self._signature, self._options = function, signature, options
        self._compiled: Any = None

    @property
    def compiled(self) -> Any:
        """numba's dispatcher of the function."""
        if self._compiled is None:
            from overbudget.kernels.machine_code import dispatcher, lock, stand_for_dispatchers

            with lock:
                if self._compiled is None:
                    stand_for_dispatchers(Kernel)
                    self._compiled = dispatcher(self._function, self._signature, self._options)
        return self._compiled

    def __call__(self, *arguments: Any) -> Any:
        return (self._compiled or self.compiled)(*arguments)


def is_compiled(function: Callable[..., Any]) -> bool:
    """Whether a kernel can be called without compiling: its machine code is loaded, or cached by an earlier run."""
    if not isinstance(function, Kernel):
        return False  # as plain Python, a kernel is slower than any alternative
    from overbudget.kernels.machine_code import is_kept

    return bool(function.compiled.signatures) or is_kept(function.compiled.py_func)


@overload
def kernel(function: Callable[P, R]) -> Callable[P, R]: ...


@overload
def kernel(
    *, signature: str | None = None, allocates: bool = True, inner: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def kernel(
    function: Callable[P, R] | None = None, *, signature: str | None = None, allocates: bool = True, inner: bool = False
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function of columns and numbers a kernel; other threads can run while it runs.

    `signature`: the only types it is compiled for, in numba's notation ("int64(int64[:])"), for kernels that are called
    with types that differ only in being writable; otherwise it is compiled for the types of each call.
    `allocates=False`: it makes no array and needs no reference counting (four times as fast where arrays are passed on).
    `inner`: only other kernels call it, so it gets no entry point from Python.
    """

    def decorate(plain: Callable[P, R]) -> Callable[P, R]:
        if AS_PYTHON:
            import numpy as np

            return np.errstate(over="ignore")(plain)  # hashes wrap around, compiled or not
        options = {"nogil": True, "no_cfunc_wrapper": True}
        if not allocates:
            options["_nrt"] = False
        if inner:
            options["no_cpython_wrapper"] = True
        return cast(Callable[P, R], Kernel(plain, signature, options))

    return decorate if function is None else decorate(function)

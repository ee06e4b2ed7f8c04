"""How much memory an answer holds."""

import sys
import types
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa

# what belongs to the program, or to a dataset's connection, and not to an answer
_NOT_COUNTED = (type, types.ModuleType, types.BuiltinFunctionType)


def size_of(value: object, without: Iterable[object] = ()) -> int:
    """Bytes of a value and of all that it points to, once each, but for what `without` points to."""
    seen: set[int] = set()
    _walk(list(without), seen)
    return _walk([value], seen)


def _walk(waiting: list[Any], seen: set[int]) -> int:
    total = 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, _NOT_COUNTED):
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            base = one.base
            total += one.nbytes if base is None else sys.getsizeof(one)
            waiting += [base] if base is not None else []
            waiting += one.tolist() if one.dtype == object else []
        elif isinstance(one, pa.Table | pa.ChunkedArray | pa.Array | pa.Buffer):
            total += one.size if isinstance(one, pa.Buffer) else one.nbytes
        else:
            total += sys.getsizeof(one)
            waiting += _within(one)
    return total


def _within(one: Any) -> list[Any]:
    """What an object points to."""
    if isinstance(one, dict):
        return [*one.keys(), *one.values()]
    if isinstance(one, list | tuple | set | frozenset):
        return list(one)
    if isinstance(one, types.FunctionType):
        return _contents(one)
    found = list(getattr(one, "__dict__", {}).values())
    found += [getattr(one, name) for name in getattr(type(one), "__slots__", ()) if hasattr(one, name)]
    return found


def _contents(function: types.FunctionType) -> list[Any]:
    """What a function holds on to, apart from what is not assigned yet."""
    found = []
    for cell in function.__closure__ or ():
        with suppress(ValueError):
            found.append(cell.cell_contents)
    return found

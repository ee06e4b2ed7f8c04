"""Answers that visitors share: each is computed once, however many ask for it at the same time, and kept while there is room."""

from collections.abc import Callable, Hashable, Iterable
from threading import Condition
from typing import Any, NamedTuple, TypeVar

from cachetools import LRUCache, cached

from overbudget.app.dashboard.sizes import size_of

Result = TypeVar("Result")


class _Held(NamedTuple):
    value: Any
    size: int


class Shared:
    """A cache of `most_bytes`: what was asked for least recently makes room. An answer larger than all of it is not kept."""

    def __init__(self, most_bytes: int) -> None:
        self._held: LRUCache[Hashable, _Held] = LRUCache(most_bytes, getsizeof=lambda held: held.size)
        keyed = cached(self._held, key=lambda key, *_: key, condition=Condition())
        self._get = keyed(_computed)

    def get(self, key: Hashable, compute: Callable[[], Result], part_of: Iterable[object] = ()) -> Result:
        """What `compute` returns, computed by whoever asks first while all others who ask for `key` wait.

        `part_of` are answers that this one points into: their memory is not counted again.
        Errors: those of `compute`, which are not kept.
        """
        result: Result = self._get(key, compute, part_of).value
        return result

    @property
    def size(self) -> int:
        """Bytes of all that is kept."""
        return int(self._held.currsize)


def _computed(key: Hashable, compute: Callable[[], Any], part_of: Iterable[object]) -> _Held:
    value = compute()
    return _Held(value, size_of(value, part_of))

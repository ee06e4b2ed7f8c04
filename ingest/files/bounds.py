"""How much may come out of a compressed file: a few kilobytes must not fill a machine."""

from collections.abc import Callable

from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import MB, as_written, how_to_raise, limit

ALWAYS = 32 * MB  # bytes that may come out of any file, whatever its size


class LimitMet(OverbudgetError):
    """A dump is larger than what is read; all of it is refused."""


class Unpacked:
    """Counts what comes out of the layers of compression of one dump."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._out = 0
        self.taken = 0  # bytes of the file itself

    def counted(self, more: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """`more`, which gives unpacked bytes, as one that raises LimitMet where they become too many."""

        def bounded(wanted: int) -> bytes:
            data = more(wanted)
            self._out += len(data)
            if self._out > ALWAYS:
                self._check()
            return data

        return bounded

    def _check(self) -> None:
        if self._out > limit("unpacked_ratio") * self.taken:
            raise LimitMet(
                f"{self._source} unpacks to more than {limit('unpacked_ratio'):,} times its size "
                f"({how_to_raise('unpacked_ratio')})."
            )
        if self._out > limit("unpacked_bytes"):
            raise LimitMet(
                f"{self._source} unpacks to more than {as_written('unpacked_bytes', limit('unpacked_bytes'))} "
                f"({how_to_raise('unpacked_bytes')})."
            )

"""Who is told that kernels are being compiled: known without loading the compiler."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Called with the name of a kernel before it is compiled (a second or more for the large ones), and when it is.
on_compile: list[Callable[[str], None]] = []
on_compiled: list[Callable[[str], None]] = []

# Called with the folder and the reason where machine code could not be kept.
on_unkept: list[Callable[[Path, OSError], None]] = []


@contextmanager
def told_of_compiling(show: Callable[[int], None], clear: Callable[[], None]) -> Iterator[None]:
    """Inside, `show` is called with how many kernels were compiled so far as each begins; `clear` when none is being compiled.

    Who asked before hears nothing meanwhile: two would write over each other.
    """
    begun, ended = 0, 0

    def begins(_name: str) -> None:
        nonlocal begun
        show(ended)
        begun += 1

    def ends(_name: str) -> None:
        nonlocal ended
        ended += 1
        if ended == begun:
            clear()

    before = on_compile[:], on_compiled[:]
    on_compile[:], on_compiled[:] = [begins], [ends]
    try:
        yield
    finally:
        on_compile[:], on_compiled[:] = before
        if ended < begun:
            clear()

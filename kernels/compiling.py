"""Callbacks for the progress of compiling kernels; importing this does not load the compiler."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Called with the name of a kernel before it is compiled (a second or more for the large ones), and afterwards.
on_compile: list[Callable[[str], None]] = []
on_compiled: list[Callable[[str], None]] = []

# Called with the folder and the error when machine code could not be cached.
on_unkept: list[Callable[[Path, OSError], None]] = []


@contextmanager
def compile_progress(show: Callable[[int], None], clear: Callable[[], None]) -> Iterator[None]:
    """Inside, `show` is called as each kernel begins to compile, with the number done; `clear` when all begun are done.

    Callbacks that were set before are silent meanwhile: two would write over each other.
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

"""What is said of compiling, on stderr: that it happens once, how far it is, and where it will happen again."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from overbudget.kernels.compiling import on_unkept, told_of_compiling

CLEAR_LINE = "\r\033[K"


def compiling(done: int) -> str:
    """The progress of compiling, in words."""
    return "Compiling for this machine, once …" if not done else f"Compiling for this machine, once: {done} done …"


@contextmanager
def first_run_told() -> Iterator[None]:
    """On a terminal progress while kernels are compiled inside; one sentence where their machine code cannot be kept."""
    unkept: set[Path] = set()
    screen = sys.stderr

    def tell(folder: Path, reason: OSError) -> None:
        if not unkept:
            print(
                f"Machine code cannot be kept in {folder} ({reason.strerror or reason}), so every run compiles anew: "
                "set OVERBUDGET_CACHE_DIR to a folder that can be written.",
                file=sys.stderr,
            )
        unkept.add(folder)

    def write(text: str) -> None:
        screen.write(text)
        screen.flush()

    on_unkept.append(tell)
    try:
        with ExitStack() as progress:
            if screen.isatty():
                told = told_of_compiling(lambda done: write(CLEAR_LINE + compiling(done)), lambda: write(CLEAR_LINE))
                progress.enter_context(told)
            yield
    finally:
        on_unkept.remove(tell)

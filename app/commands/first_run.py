"""Messages about compiling, on stderr: that it happens once, how far it is, and when it will happen again."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from overbudget.kernels.compiling import compile_progress, on_unkept

CLEAR_LINE = "\r\033[K"


def compiling(done: int) -> str:
    """The progress of compiling, in words."""
    return "Compiling for this machine, once …" if not done else f"Compiling for this machine, once: {done} done …"


@contextmanager
def first_run_progress() -> Iterator[None]:
    """Inside, a terminal shows the progress of compiling; one sentence says when machine code cannot be cached."""
    unkept: set[Path] = set()
    screen = sys.stderr

    def report(folder: Path, reason: OSError) -> None:
        if not unkept:
            print(
                f"Machine code cannot be kept in {folder} ({reason.strerror or reason}), so every run compiles again: "
                "set OVERBUDGET_CACHE_DIR to a writable folder.",
                file=sys.stderr,
            )
        unkept.add(folder)

    def write(text: str) -> None:
        screen.write(text)
        screen.flush()

    on_unkept.append(report)
    try:
        with ExitStack() as progress:
            if screen.isatty():
                progress_line = compile_progress(
                    lambda done: write(CLEAR_LINE + compiling(done)), lambda: write(CLEAR_LINE)
                )
                progress.enter_context(progress_line)
            yield
    finally:
        on_unkept.remove(report)

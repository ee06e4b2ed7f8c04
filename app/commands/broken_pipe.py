"""Whoever reads what a command prints may leave early: `overbudget sql … | head`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def until_the_reader_leaves() -> Iterator[None]:
    """What is printed inside ends quietly when the pipe's reader has seen enough.

    Rich and typer turn a broken pipe into exit status 1, which here means "over budget": it is none of that.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except SystemExit as leaving:
        if not isinstance(leaving.__context__, BrokenPipeError):
            raise
    else:
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

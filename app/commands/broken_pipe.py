"""The reader of a command's output may stop early: `overbudget sql … | head`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def until_the_reader_leaves() -> Iterator[None]:
    """Inside, printing stops quietly when the reader closes the pipe.

    Rich and typer turn a broken pipe into exit status 1, which here would mean "over budget".
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

"""Waiting for something that another process does, however long it takes on a busy machine."""

import time
from collections.abc import Callable


def until(happened: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Come back as soon as `happened` says so. `seconds` is when to give up, far above what it takes."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"did not happen within {seconds:.0f} s: {what}"
        time.sleep(0.02)

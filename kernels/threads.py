"""Independent parts of one answer in parallel: kernels, numpy's sorts and DuckDB let other threads run."""

from collections.abc import Callable
from threading import Thread
from typing import Any


def together(*parts: Callable[[], Any]) -> list[Any]:
    """What each of `parts` returns; all run at the same time. The first error of one of them is raised when all have ended."""
    results: list[Any] = [None] * len(parts)
    errors: list[BaseException | None] = [None] * len(parts)

    def run(place: int) -> None:
        try:
            results[place] = parts[place]()
        except BaseException as error:  # raised below, in the thread that asked
            errors[place] = error

    threads = [Thread(target=run, args=(place,), name="overbudget-part") for place in range(1, len(parts))]
    for thread in threads:
        thread.start()
    if parts:
        run(0)
    for thread in threads:
        thread.join()
    for error in errors:
        if error is not None:
            raise error
    return results

"""On a first run, a second process compiles the later half of the kernels while this one compiles the earlier half.

The compiler uses one thread at a time, however many cores there are: two processes halve the wait of a first ingest. They
share the cache of machine code; the first process compiles itself what the second has not done yet.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from overbudget.kernels.critical_path import compiled_before


@contextmanager
def paths_compiled_ahead() -> Iterator[None]:
    """Inside, a separate process compiles the kernels of critical paths, if that is needed and there is a core for it."""
    process = None if compiled_before() or (os.cpu_count() or 1) < 2 else _started()
    try:
        yield
    finally:
        if process is not None:
            process.terminate()
            process.wait()


def _started() -> "subprocess.Popen[bytes] | None":
    command = [sys.executable, "-m", __name__]
    quiet = subprocess.DEVNULL
    try:
        return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
    except OSError:  # no more processes allowed: everything is compiled here
        return None


if __name__ == "__main__":
    from overbudget.ingest.derive.warm_up import warm_up_paths

    warm_up_paths()

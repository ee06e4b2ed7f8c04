"""Work in a process of its own, whose memory is watched from outside: a dump that needs too much costs nobody else anything.

Inside, a process cannot watch itself: parsers and kernels hold Python's lock while they allocate. A limit on its address
space does not work either: kernels reserve gigabytes that they never touch.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK_S = 0.05  # how often is looked: at two gigabytes a second it grows by 100 MB meanwhile
SHARE = 0.8  # of the memory that is free at first: the machine stays alive
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Watching:
    """Whether this process may be split in two: only one that runs a single command may, and it has one thread yet."""

    allowed = False


@contextmanager
def watched(most_bytes: int, parent: int | None, swept: Callable[[], None], said: str) -> Iterator[None]:
    """What is inside runs in a child process; this one waits for it and ends as it does.

    Where the child's resident memory passes `most_bytes`, or most of what is free now, it is killed, `swept` called, and
    `said` printed with the figure in place of `{}`. It is stopped too when `parent`, which started this process, ends.
    Where there is no /proc (macOS) nothing is watched.
    """
    if not Watching.allowed or not Path("/proc/self/statm").exists():
        yield
        return
    most = most_memory(most_bytes)
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        yield
        return
    status = _wait(child, most, parent)
    if status is None:
        swept()
        print(said.format(f"{most / 2**30:.1f} GB"), file=sys.stderr)
        status = 2
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def stop_once() -> None:
    """From now on the first SIGINT or SIGTERM is a KeyboardInterrupt, and those that follow disturb no clearing up."""

    def stop(*_: object) -> None:
        for one in _heeded():
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    for one in _heeded():
        signal.signal(one, stop)


def _heeded() -> list[signal.Signals]:
    """Of the signals that stop a command, those that whoever started it did not have it ignore."""
    return [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is not signal.SIG_IGN]


def _wait(child: int, most: int, parent: int | None) -> int | None:
    """The exit status of a child; None where it was killed because it needed more than `most` bytes."""
    for one in _heeded():  # a terminal sends it to the child as well, who hears it once
        signal.signal(one, lambda number, _frame: os.kill(child, number))
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) % 256
        if resident(child) > most:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        if parent is not None and os.getppid() != parent:
            os.kill(child, signal.SIGTERM)
            parent = None
        time.sleep(LOOK_S)


def most_memory(named_bytes: int) -> int:
    """What a process may take: what a limit says, and at most most of what is free now."""
    return min(named_bytes, int(SHARE * free_memory()))


def resident(process: int) -> int:
    """Bytes of memory that a process has; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def free_memory() -> int:
    """Bytes that may still be taken: of the machine, or of the control group that this process is in, if that is less."""
    free = [sys.maxsize]
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        pass
    try:
        group = Path("/sys/fs/cgroup")
        free.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):  # no such file, or "max"
        pass
    return max(0, min(free))

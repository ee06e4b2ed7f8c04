"""One writer per dataset: a lock on a file next to it, held from before the dataset is read until it is replaced.

The lock is the operating system's (flock), so a killed process releases it. Waiting writers are served first come, first
served: Linux queues blocking locks. The file `.NAME.lock` exists only while the dataset is being written.
"""

import fcntl
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import how_to_raise, limit


class Busy(OverbudgetError):
    """Another process is writing the dataset."""


_held: ContextVar[frozenset[Path]] = ContextVar("held", default=frozenset())


@contextmanager
def writing(path: Path, wait_s: float | None = None, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Inside, no other process writes, renames or deletes the dataset `path`, which need not exist yet, or its folder.

    The lock is re-entrant. `waiting` is called once if another process holds it. Folders made for the lock are removed
    again unless they contain the dataset afterwards.

    Errors: Busy after `wait_s` (the limit lock_wait); OverbudgetError where the folder cannot be written.
    """
    path = path.parent.resolve() / path.name
    if path in _held.get():
        yield
        return
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = _locked(lock_path(path), limit("lock_wait") if wait_s is None else wait_s, waiting)
        except OSError as error:
            raise OverbudgetError(f"Cannot write to {path.parent}: {error.strerror or error}.") from error
        if file is None:
            raise Busy(_taken(path, wait_s))
        token = _held.set(_held.get() | {path})
        try:
            yield
        finally:
            _held.reset(token)
            release(file, lock_path(path))
    finally:
        with suppress(OSError):  # folders that contain the dataset stay
            for parent in made:
                parent.rmdir()


@contextmanager
def writing_new(path: Path) -> Iterator[Path]:
    """Inside, a free path that no other process can take: `path`, or NAME-2, NAME-3, … next to it.

    Errors: OverbudgetError where the folder cannot be written.
    """
    path = path.parent.resolve() / path.name
    with ExitStack() as lock:
        for number in itertools.count(1):
            free = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
            if free.exists() or free in _held.get():
                continue
            with suppress(Busy), ExitStack() as attempt:
                attempt.enter_context(writing(free, wait_s=0.0))
                if not free.exists():  # still
                    lock.push(attempt.pop_all())
                    break
        yield free


def lock_path(path: Path) -> Path:
    """The file whose lock guards `path`."""
    return path.with_name(f".{path.name}.lock")


def try_lock(file: Path) -> int | None:
    """A descriptor that holds the lock of `file`, which is created; None where another process holds it. Errors: OSError."""
    return _locked(file, 0.0, None)


def release(descriptor: int, file: Path) -> None:
    """Release a lock and remove its file."""
    with suppress(OSError):
        file.unlink()
    fcntl.flock(
        descriptor, fcntl.LOCK_UN
    )  # explicitly, as closing is not enough: a process started meanwhile may have the file open
    os.close(descriptor)


def holder(file: Path) -> str:
    """The holder of a lock, in words."""
    try:
        return f"process {int(file.read_text())}"
    except (OSError, ValueError):
        return "another process"


def _taken(path: Path, wait_s: float | None) -> str:
    who = holder(lock_path(path))
    waited = f" ({how_to_raise('lock_wait')})" if wait_s is None else ""
    return f"{path} is being written by {who}; try again when that is done{waited}."


def _locked(file: Path, wait_s: float, waiting: Callable[[], None] | None) -> int | None:
    until = time.monotonic() + wait_s
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait_s <= 0:
                os.close(descriptor)
                return None
            if waiting is not None:
                waiting()
                waiting = None
            if not _Waiter(descriptor).got_it(until - time.monotonic()):
                return None
        except OSError:
            os.close(descriptor)
            raise
        if _is_at(descriptor, file):
            with suppress(OSError):  # for reading alone: on a full disk a dataset can still be deleted
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor
        os.close(descriptor)  # the previous holder removed the file when it was done: lock the new one


def _is_at(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except FileNotFoundError:
        return False


class _Waiter:
    """Waits for a lock in a thread, because a lock that blocks keeps its place in the queue but has no time-out."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._given_up = descriptor, False
        self._deciding, self._locked = threading.Lock(), threading.Event()
        threading.Thread(target=self._wait, name="overbudget-lock", daemon=True).start()

    def _wait(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        finally:
            with self._deciding:
                if self._given_up:
                    os.close(self._descriptor)
                else:
                    self._locked.set()

    def got_it(self, wait_s: float) -> bool:
        """Whether the lock is held now; if not, it never will be."""
        try:
            self._locked.wait(wait_s)
        except BaseException:
            if not self._give_up():
                os.close(self._descriptor)
            raise
        return not self._give_up()

    def _give_up(self) -> bool:
        """Leave the descriptor to the thread, unless it has the lock already; whether it is left."""
        with self._deciding:
            self._given_up = not self._locked.is_set()
        return self._given_up

"""Run an iterator ahead in a thread, so that making items and using them overlap."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
PATIENCE_S = 2.0


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class prefetch(Generic[T], Iterator[T]):
    """The items of an iterable, made by a thread that starts at once, up to `ahead` of them in advance.

    Exceptions of the iterable are raised here, in order. `close` it if it may be abandoned before its end: the thread stops
    at its next item.
    """

    def __init__(self, items: Iterable[T], ahead: int = 1) -> None:
        self._slots: queue.Queue[T | _End] = queue.Queue(maxsize=ahead)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._make, args=(items,), name="overbudget-reader", daemon=True)
        self._thread.start()

    def _offer(self, item: T | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self._slots.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _make(self, items: Iterable[T]) -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not self._offer(item):
                    break
                del item  # or it would stay in memory until the next one is there
        except BaseException as raised:
            error = raised
        finally:
            if hasattr(items, "close"):
                items.close()
        self._offer(_End(error))

    def _take(self) -> T | _End:
        while not self._stopped.is_set():  # closed while this waits: nothing more comes
            try:
                return self._slots.get(timeout=0.1)
            except queue.Empty:
                continue
        return _End(None)

    def __next__(self) -> T:
        item = self._take()
        if isinstance(item, _End):
            self.close()
            if item.error is not None:
                raise item.error
            raise StopIteration
        return item

    def close(self) -> None:
        """Stop making items and wait for the thread, unless it waits for input that does not come."""
        self._stopped.set()
        self._thread.join(PATIENCE_S)

import threading
from collections.abc import Iterator

import pytest

from overbudget.ingest.files.prefetch import prefetch


def test_items_come_in_order() -> None:
    assert list(prefetch(range(100))) == list(range(100))


def test_what_the_generator_raises_is_raised_after_its_items() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("cut off")

    items = prefetch(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="cut off"):
        next(items)


def test_a_consumer_that_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    items = prefetch(iter(range(1_000)), ahead=2)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_who_waits_for_an_item_is_let_go_when_it_is_closed() -> None:
    """
    inner  [one][ waits for a gate, is closed ]
    outer       [ waits for the next of inner ]
    """
    gate = threading.Event()

    def gated() -> Iterator[int]:
        yield 1
        gate.wait()

    before = threading.active_count()
    inner = prefetch(gated())
    outer = prefetch(item for item in inner)
    assert next(outer) == 1
    inner._stopped.set()
    gate.set()
    inner.close()
    outer.close()
    assert threading.active_count() == before

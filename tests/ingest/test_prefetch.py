import threading
from collections.abc import Iterator

import pytest

from ingest.prefetch import prefetch


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

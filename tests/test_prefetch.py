from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from streamcolor.prefetch import prefetch


def test_items_come_in_order() -> None:
    assert list(prefetch(iter(range(1000)), 3)) == list(range(1000))


def test_the_producer_waits_for_the_consumer() -> None:
    made = []
    ahead = threading.Event()

    def produce() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 3:
                ahead.set()
            yield number

    items = prefetch(produce(), 2)
    assert next(items) == 0
    assert ahead.wait(5)
    assert len(made) <= 5  # one taken, two waiting, one being offered
    items.close()
    assert len(made) <= 6


def test_an_error_arrives_in_its_place() -> None:
    def produce() -> Iterator[int]:
        yield 1
        raise ValueError("from the other thread")

    items = prefetch(produce(), 2)
    assert next(items) == 1
    with pytest.raises(ValueError, match="from the other thread"):
        next(items)


def test_closing_ends_the_thread_and_closes_the_source() -> None:
    closed_on = []

    def produce() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed_on.append(threading.current_thread())

    before = threading.active_count()
    items = prefetch(prefetch(produce(), 1), 1)
    next(items)
    items.close()
    assert len(closed_on) == 1
    assert closed_on[0] is not threading.current_thread()
    assert threading.active_count() == before

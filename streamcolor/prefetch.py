"""An iterator that works ahead on a thread of its own, within bounds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Failed:
    error: BaseException


class _End:
    pass


def prefetch(items: Iterable[_T], depth: int, *, interrupt: Callable[[], None] | None = None) -> Generator[_T]:
    """The items of ``items``, made on another thread, at most ``depth`` of them waiting.

    An error there is raised here, in its place. Closing this generator stops that thread, and closes ``items`` on it;
    ``interrupt`` is called before, to end a wait there.
    """
    # Simple queues, whose waits a Ctrl-C ends cleanly: those made of Python's locks may stay locked for good.
    waiting: SimpleQueue[_T | _Failed | _End] = SimpleQueue()
    room: SimpleQueue[None] = SimpleQueue()
    for _ in range(depth):
        room.put(None)
    stopped = False

    def offer(item: _T | _Failed | _End) -> bool:
        room.get()
        waiting.put(item)
        return not stopped

    def produce() -> None:
        try:
            for item in items:
                if not offer(item):
                    break
            else:
                offer(_End())
        except BaseException as error:  # whatever it is, it belongs to the consumer
            offer(_Failed(error))
        finally:
            _close(items)

    thread = threading.Thread(target=produce, name=f"prefetch-{getattr(items, '__name__', 'items')}", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            room.put(None)
            if isinstance(item, _End):
                return
            if isinstance(item, _Failed):
                raise item.error
            yield item
    finally:
        stopped = True
        room.put(None)
        if interrupt is not None:
            interrupt()
        thread.join()


def _close(items: object) -> None:
    close = getattr(items, "close", None)
    if close is not None:
        close()

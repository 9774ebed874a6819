"""Iterators that work ahead on threads of their own, in order and within bounds."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

_POLL_SECONDS = 0.1


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
    waiting: queue.Queue[_T | _Failed | _End] = queue.Queue(depth)
    stopped = threading.Event()

    def offer(item: _T | _Failed | _End) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False

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
            if isinstance(item, _End):
                return
            if isinstance(item, _Failed):
                raise item.error
            yield item
    finally:
        stopped.set()
        if interrupt is not None:
            interrupt()
        thread.join()


def parallel_map(function: Callable[[_T], _R], items: Iterable[_T], workers: int, *, ahead: int = 1) -> Generator[_R]:
    """``function`` of each item, in the items' order, computed on ``workers`` threads, ``ahead`` more items waiting.

    An error is raised in its item's place. Closing this generator closes ``items``.
    """
    pending: deque[Future[_R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix=function.__name__) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= workers + ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
            _close(items)


def _close(items: object) -> None:
    close = getattr(items, "close", None)
    if close is not None:
        close()

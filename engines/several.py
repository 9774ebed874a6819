"""Engines made of others: one that falls back on the next, and one that uses several GPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from streamcolor.errors import EngineError

from .base import Engine, Inference, LumaBatch, Ticket


class FallbackEngine(Engine):
    """The first engine that works; when it fails, the next one takes over, from the batch that failed on.

    Args:
        candidates: opens one engine after another, or raises EngineError.
        announce: told in a line why an engine was given up.

    Raises:
        EngineError: none works; the last one's.
    """

    def __init__(self, candidates: Iterator[Callable[[], Engine]], announce: Callable[[str], None]) -> None:
        self._candidates = candidates
        self._announce = announce
        self._open_next(EngineError("there is no engine"))

    def _open_next(self, failure: EngineError) -> None:
        for candidate in self._candidates:
            try:
                self._engine = candidate()
            except EngineError as error:
                self._announce(f"{error}; another engine takes its place")
                failure = error
                continue
            self.spec, self.description = self._engine.spec, self._engine.description
            self.queue_depth = self._engine.queue_depth
            return
        raise failure

    def submit(self, luma: LumaBatch) -> Ticket:
        """See :meth:`Engine.submit`."""
        try:
            return self._engine.submit(luma)
        except EngineError as error:
            self._give_up(error)
            return self.submit(luma)

    def collect(self, ticket: Ticket) -> Inference:
        """See :meth:`Engine.collect`."""
        try:
            return ticket.engine.collect(ticket)
        except EngineError as error:
            if ticket.engine is self._engine:
                self._give_up(error)
            return self.collect(self.submit(ticket.luma))

    def _give_up(self, error: EngineError) -> None:
        self._engine.close()
        self._announce(f"{error}; another engine takes its place")
        self._open_next(error)

    def close(self) -> None:
        """See :meth:`Engine.close`."""
        self._candidates = iter(())
        self._engine.close()


class RoundRobinEngine(Engine):
    """Several engines of one model, given batches in turn, so that frames keep their order."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = engines
        self._next = 0
        self.spec = engines[0].spec
        self.queue_depth = sum(engine.queue_depth for engine in engines)
        self.description = f"{len(engines)} x {engines[0].description}"

    def submit(self, luma: LumaBatch) -> Ticket:
        """See :meth:`Engine.submit`."""
        engine = self._engines[self._next]
        self._next = (self._next + 1) % len(self._engines)
        return engine.submit(luma)

    def collect(self, ticket: Ticket) -> Inference:
        """See :meth:`Engine.collect`."""
        return ticket.engine.collect(ticket)

    def close(self) -> None:
        """See :meth:`Engine.close`."""
        for engine in self._engines:
            engine.close()

"""Engines that compute on the processor: how they divide its cores, and their threads."""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor

from streamcolor.errors import EngineError

from .base import CLOSED, ChromaBatch, Engine, FeatureBatch, Inference, LumaBatch, ModelSpec, Ticket

#: More calls at once than this only hold more frames in memory.
_MAX_CALLS = 4


def usable_cores() -> int:
    """Processor cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def divide_cores() -> tuple[int, int]:
    """Batches that are computed at once, and threads that each one may use.

    A batch on one core never waits for a thread that the encoder has pushed aside, which two cores sharing one batch
    do: the whole job ran 9 % faster so at 480p on two cores (AMD EPYC, ONNX Runtime).
    """
    cores = usable_cores()
    calls = min(cores, _MAX_CALLS)
    return calls, cores // calls


class ThreadedEngine(Engine):
    """An engine whose computing is a call that waits, made for some batches at once on threads of its own."""

    def __init__(self, spec: ModelSpec, description: str, calls: int) -> None:
        self.spec = spec
        self.description = description
        self.queue_depth = calls + 1
        self._closed = False
        self._pool = ThreadPoolExecutor(calls, thread_name_prefix="engine")

    @abstractmethod
    def _compute(self, luma: LumaBatch) -> tuple[ChromaBatch, FeatureBatch | None]:
        """Chroma and features of a batch."""

    def submit(self, luma: LumaBatch) -> Ticket:
        """See :meth:`Engine.submit`."""
        if self._closed:
            raise EngineError(CLOSED)
        return Ticket(self, luma, self._pool.submit(self._timed, luma))

    def _timed(self, luma: LumaBatch) -> Inference:
        begin = time.perf_counter()
        ab, features = self._compute(luma)
        return Inference(ab, features, time.perf_counter() - begin)

    def close(self) -> None:
        """See :meth:`Engine.close`."""
        self._closed = True
        self._pool.shutdown(cancel_futures=True)

"""One engine after another, and several in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future

import numpy as np
import pytest

from streamcolor.engines.base import Engine, Inference, LumaBatch, ModelSpec, Ticket
from streamcolor.engines.several import FallbackEngine, RoundRobinEngine
from streamcolor.errors import EngineError


class _Counting(Engine):
    """Gives a batch's first value plus its own number, and breaks after some batches."""

    spec = ModelSpec("none", "0", 160, 32, 4, "", "")
    queue_depth = 2

    def __init__(self, number: int, good: int = 100) -> None:
        self.number, self._good, self.closed = number, good, False
        self.description = f"engine {number}"

    def submit(self, luma: LumaBatch) -> Ticket:
        result: Future[Inference] = Future()
        self._good -= 1
        if self._good < 0:
            result.set_exception(EngineError(f"{self.description} broke"))
        else:
            result.set_result(Inference(luma.astype(np.float32) + self.number, None, 0.1))
        return Ticket(self, luma, result)

    def close(self) -> None:
        self.closed = True


def _batch(value: int) -> LumaBatch:
    return np.full((1, 1, 4, 4), value, np.uint8)


def _values(engine: Engine, count: int) -> list[float]:
    tickets = [engine.submit(_batch(10 * number)) for number in range(count)]
    return [float(engine.collect(ticket).ab.flat[0]) for ticket in tickets]


def test_the_next_engine_takes_over_from_the_batch_that_failed_on() -> None:
    first, second, said = _Counting(1, good=2), _Counting(2), []
    with FallbackEngine(iter([lambda: first, lambda: second]), said.append) as engine:
        assert _values(engine, 5) == [1, 11, 22, 32, 42]
        assert first.closed
        assert engine.description == "engine 2"
    assert second.closed
    assert said == ["engine 1 broke; another engine takes its place"]


def test_one_that_can_not_be_opened_is_passed_over() -> None:
    def broken() -> Engine:
        raise EngineError("no GPU")

    said: list[str] = []
    candidates: Iterator[Callable[[], Engine]] = iter([broken, lambda: _Counting(3)])
    assert _values(FallbackEngine(candidates, said.append), 2) == [3, 13]
    assert said == ["no GPU; another engine takes its place"]


def test_where_none_is_left_the_last_failure_is_told() -> None:
    engine = FallbackEngine(iter([lambda: _Counting(1, good=0)]), lambda _line: None)
    with pytest.raises(EngineError, match="engine 1 broke"):
        engine.infer(_batch(0))


def test_several_take_turns() -> None:
    engines = [_Counting(1), _Counting(2), _Counting(3)]
    with RoundRobinEngine(engines) as engine:
        assert _values(engine, 5) == [1, 12, 23, 31, 42]
        assert engine.queue_depth == 6
    assert all(one.closed for one in engines)

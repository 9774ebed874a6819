"""What every engine's queue promises."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from streamcolor.engines import Engine, open_engine
from streamcolor.engines.base import ModelSpec
from streamcolor.engines.threads import ThreadedEngine
from streamcolor.errors import EngineError

SPEC = ModelSpec("none", "0", 160, 32, 4, "", "")


@pytest.fixture(params=["onnxruntime", "openvino"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with open_engine(request.param) as engine:
        yield engine


def batch(brightness: int) -> np.ndarray:
    rng = np.random.default_rng(brightness)
    return rng.integers(0, brightness + 1, (2, 1, 160, 192), dtype=np.uint8)


def test_each_ticket_gives_its_own_batch(engine: Engine) -> None:
    batches = [batch(brightness) for brightness in (10, 90, 170, 250)]
    alone = [engine.infer(luma) for luma in batches]
    tickets = [engine.submit(luma) for luma in batches]
    for ticket, expected in reversed(list(zip(tickets, alone, strict=True))):
        np.testing.assert_allclose(engine.collect(ticket).ab, expected, atol=1e-3)


def test_the_time_of_computing_is_told(engine: Engine) -> None:
    assert 0 < engine.collect(engine.submit(batch(99))).seconds < 60


class _Meeting(ThreadedEngine):
    """Each batch waits until as many as ``calls`` are computed at once; zeros fail."""

    def __init__(self, calls: int) -> None:
        super().__init__(replace(SPEC), "meeting", calls)
        self._barrier = threading.Barrier(calls)

    def _compute(self, luma: np.ndarray) -> tuple[np.ndarray, None]:
        self._barrier.wait(5)
        if not luma.any():
            raise ValueError("nothing but zeros")
        return luma.astype(np.float32), None


def test_batches_are_computed_side_by_side() -> None:
    with _Meeting(3) as engine:
        tickets = [engine.submit(np.full((1, 1, 4, 4), number, np.uint8)) for number in (1, 2, 3)]
        assert [engine.collect(ticket).ab[0, 0, 0, 0] for ticket in tickets] == [1, 2, 3]


def test_an_error_comes_with_its_own_ticket() -> None:
    with _Meeting(2) as engine:
        good, bad = (engine.submit(np.full((1, 1, 4, 4), number, np.uint8)) for number in (1, 0))
        engine.collect(good)
        with pytest.raises(ValueError, match="zeros"):
            engine.collect(bad)


def test_a_batch_that_closing_cut_off_says_so() -> None:
    engine = _Meeting(1)
    engine._barrier = threading.Barrier(2)
    running, waiting = (engine.submit(np.ones((1, 1, 4, 4), np.uint8)) for _ in range(2))
    threading.Timer(0.2, engine._barrier.wait).start()
    engine.close()
    engine.collect(running)
    with pytest.raises(EngineError, match="closed"):
        engine.collect(waiting)

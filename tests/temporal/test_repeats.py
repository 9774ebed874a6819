from __future__ import annotations

import numpy as np

from streamcolor.engines import Engine
from streamcolor.temporal.repeats import Repeats

from scenes import scene


def grainy(luma: np.ndarray, deviation: float, seed: int) -> np.ndarray:
    return np.clip(luma + np.random.default_rng(seed).normal(0, deviation, luma.shape), 0, 255).astype(np.uint8)


def test_held_frames_repeat_and_moving_or_grainy_ones_do_not() -> None:
    repeats = Repeats()
    still = scene(0, 1)[0]
    assert [repeats.push(luma) for luma in [still, still, grainy(still, 2, 0), grainy(still, 2, 1)]] == [
        False, True, False, False,
    ]  # fmt: skip
    assert not any(map(repeats.push, scene(0, 8, speed=0.3)))


def test_a_small_thing_that_moves_is_no_repeat() -> None:
    repeats = Repeats()
    room = scene(1, 1)[0]
    for x in range(0, 60, 6):
        luma = room.copy()
        luma[100:112, x : x + 6] = 255 - luma[100:112, x : x + 6]
        assert not repeats.push(luma)


def test_a_slow_fade_is_seen() -> None:
    """Each frame hardly differs from the one before; together they do."""
    repeats = Repeats()
    luma = scene(0, 1)[0].astype(np.float32)
    seen = [repeats.push((luma * (1 - step / 4000)).astype(np.uint8)) for step in range(100)]
    assert 10 < seen.count(False) < 60


def test_another_size_is_no_repeat() -> None:
    repeats = Repeats()
    assert not repeats.push(np.zeros((160, 224), np.uint8))
    assert not repeats.push(np.zeros((160, 256), np.uint8))
    assert repeats.push(np.zeros((160, 256), np.uint8))


def test_what_counts_as_a_repeat_would_have_had_the_same_colours(engine: Engine) -> None:
    """The network's colours of two such frames are nearer than an eye sees."""
    repeats = Repeats()
    luma = scene(0, 1)[0]
    compressed = luma.copy()
    compressed[::3, ::3] ^= 1
    assert [repeats.push(luma), repeats.push(compressed)] == [False, True]
    first, second = engine.infer(np.stack([luma, compressed])[:, None])
    assert np.linalg.norm(first - second, axis=0).mean() < 0.3

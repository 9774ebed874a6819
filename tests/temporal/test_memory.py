from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest

from streamcolor.engines import Engine
from streamcolor.temporal.film import StillColours
from streamcolor.temporal.measure import colour_error
from streamcolor.temporal.memory import ShotMemory

from scenes import SIZE, scene

Shot = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


def shot(engine: Engine, lumas: np.ndarray) -> Shot:
    """Frames with what the shipped model makes of them."""
    made = engine.collect(engine.submit(lumas[:, None]))
    assert made.features is not None
    return list(zip(lumas, made.ab, made.features, strict=True))


def darkened(lumas: np.ndarray) -> np.ndarray:
    """The same things in less light and other grain."""
    grain = np.random.default_rng(5).normal(0, 2, lumas.shape)
    return np.clip(0.65 * lumas + grain, 0, 255).astype(np.uint8)


def played(*shots: Shot, remembers: bool = True) -> list[np.ndarray]:
    """The colours of a film of these shots, one array ``(frames, 2, h, w)`` for each."""
    still = StillColours(0.95)
    return [
        np.stack([still.push(luma, ab, features if remembers else None) for luma, ab, features in frames])
        for frames in shots
    ]


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean([colour_error(a, b) for a, b in zip(one, other, strict=True)]))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_place_that_returns_in_other_light_has_its_colours_again(engine: Engine, number: int) -> None:
    lumas = scene(number, 16)
    first, between, again = shot(engine, lumas), shot(engine, scene(number + 1, 16)), shot(engine, darkened(lumas))
    without = played(first, between, again, remembers=False)
    colours = played(first, between, again)
    assert distance(colours[2], colours[0]) < 2.8
    assert distance(colours[2], colours[0]) < 0.6 * distance(without[2], without[0])


def test_what_returns_as_it_was_is_hardly_moved(engine: Engine) -> None:
    first, second = shot(engine, scene(0, 16)), shot(engine, scene(1, 16))
    colours = played(first, second, first, second)
    assert distance(colours[2], colours[0]) < 0.5
    assert distance(colours[3], colours[1]) < 0.5


def test_a_new_place_has_the_colours_that_it_would_have_alone(engine: Engine) -> None:
    shots = [shot(engine, scene(number, 24)) for number in range(3)]
    for colours, frames in zip(played(*shots), shots, strict=True):
        np.testing.assert_array_equal(colours, played(frames)[0])


def test_colours_that_creep_within_a_shot_are_held(engine: Engine) -> None:
    """As a network's do that sees one frame; the stabilizer alone follows them, a little later."""
    frames = shot(engine, scene(0, 80, speed=0.2))
    creeping = [
        (luma, ab + np.float32([[[0.2 * number]], [[0]]]), features)
        for number, (luma, ab, features) in enumerate(frames)
    ]
    drift = {}
    for remembers in (False, True):
        colours = played(creeping, remembers=remembers)[0]
        drift[remembers] = abs(float(colours[-1, 0].mean() - colours[0, 0].mean()))
    assert drift[False] > 8
    assert drift[True] < 0.4 * drift[False]


def test_what_was_not_there_before_keeps_its_own_colours(engine: Engine) -> None:
    """Half of the returning picture shows another scene."""
    lumas = scene(0, 12)
    mixed = lumas.copy()
    mixed[:, :, SIZE[0] // 2 :] = scene(2, 12)[:, :, SIZE[0] // 2 :]
    first, between = shot(engine, lumas), shot(engine, scene(1, 12))
    painted = [(luma, ab + np.float32([[[20]], [[0]]]), features) for luma, ab, features in shot(engine, mixed)]
    colours = played(first, between, painted)[2]
    own = np.stack([ab for _, ab, _ in painted])
    columns = own.shape[3]
    known, new = slice(0, columns // 3), slice(-columns // 3, None)
    moved = np.abs(colours - own)[:, 0]
    assert moved[..., known].mean() > 15
    assert moved[..., new].mean() < moved[..., known].mean() / 2


def test_features_that_say_nothing_do_no_harm(rng: np.random.Generator) -> None:
    memory = ShotMemory(1)
    for number in range(100):
        features = rng.normal(size=(32, 10, 14)).astype(np.float32) * (number % 3 > 0)
        ab = rng.normal(0, 10, (2, 40, 56)).astype(np.float32)
        assert np.isfinite(memory.push(features, ab, is_new_shot=True)).all()


def test_a_place_is_known_again_at_another_size(engine: Engine) -> None:
    lumas = scene(0, 6)
    larger = np.stack([cv2.resize(luma, (288, 192)) for luma in lumas])
    first, between, again = shot(engine, lumas), shot(engine, scene(1, 6)), shot(engine, larger)
    red = [(luma, ab + np.float32([[[15]], [[0]]]), features) for luma, ab, features in again]
    colours = played(first, between, red)[2]
    assert abs(colours[:, 0].mean() - played(first)[0][:, 0].mean()) < 4


def test_memory_is_bounded(rng: np.random.Generator) -> None:
    memory = ShotMemory(1)
    sizes = []
    ab = np.zeros((2, 40, 56), np.float32)
    tracemalloc.start()
    for _ in range(200):
        features = rng.normal(size=(32, 10, 14)).astype(np.float32)
        for frame in range(60):
            memory.push(features, ab, is_new_shot=frame == 0)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[-1] < 1.1 * sizes[100]
    assert sizes[-1] < 16e6

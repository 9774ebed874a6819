from __future__ import annotations

import tracemalloc
from collections.abc import Collection

import cv2
import numpy as np
import pytest

from streamcolor.temporal.measure import colour_error, mean_chroma, warping_error
from streamcolor.temporal.stabilize import Stabilizer

from scenes import coloured_scene, scene


def stabilized(
    lumas: np.ndarray, chromas: np.ndarray, strength: float = 0.97, cuts: Collection[int] = (0,)
) -> np.ndarray:
    stabilizer = Stabilizer(strength)
    return np.stack(
        [
            stabilizer.push(luma, ab, is_new_shot=number in cuts)
            for number, (luma, ab) in enumerate(zip(lumas, chromas, strict=True))
        ]
    )


def flickering(chromas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours that are off by other amounts in each frame and part of it, as a network's are that sees one frame."""
    height, width = chromas.shape[2:]
    offsets = rng.normal(0, 5, (len(chromas), 4, 5, 2)).astype(np.float32)
    planes = [
        np.moveaxis(cv2.resize(offset, (width, height), interpolation=cv2.INTER_CUBIC), -1, 0) for offset in offsets
    ]
    return chromas + np.stack(planes)


def warping_errors(lumas: np.ndarray, chromas: np.ndarray) -> float:
    pairs = zip(lumas[5:], lumas[6:], chromas[5:], chromas[6:], strict=False)
    return float(np.mean([warping_error((a, b), (c, d)) for a, b, c, d in pairs]))


def errors(made: np.ndarray, true: np.ndarray) -> float:
    return float(np.mean([colour_error(one, other) for one, other in zip(made[5:], true[5:], strict=True)]))


@pytest.mark.parametrize("speed", [0.0, 1.0, 4.0])
def test_flicker_goes_and_true_colours_stay(speed: float, rng: np.random.Generator) -> None:
    """Judged by motion that another method found, and by the true colours."""
    lumas, true = coloured_scene(0, 20, speed=speed)
    made = flickering(true, rng)
    held = stabilized(lumas, made)
    assert warping_errors(lumas, held) < 1.15 * warping_errors(lumas, true) + 0.5
    assert warping_errors(lumas, held) < warping_errors(lumas, made) / 3
    assert errors(held, true) < 0.7 * errors(made, true)
    assert np.mean([*map(mean_chroma, held)]) > 0.97 * np.mean([*map(mean_chroma, true)])


def test_true_colours_are_not_smeared() -> None:
    """Averaging in place, which follows no motion, does."""
    lumas, true = coloured_scene(0, 20, speed=3)
    in_place = true.copy()
    for number in range(1, len(true)):
        in_place[number] = 0.05 * true[number] + 0.95 * in_place[number - 1]
    assert errors(stabilized(lumas, true), true) < 0.4 * errors(in_place, true)


def test_what_is_uncovered_has_its_own_colours_at_once() -> None:
    room, thing = scene(2, 1)[0], scene(0, 1)[0][40:120, 60:124]
    stabilizer = Stabilizer(0.97)
    for x in range(16, 144, 8):
        luma, ab = room.copy(), np.zeros((2, 40, 56), np.float32)
        luma[40:120, x : x + 64] = thing
        ab[0, 10:30, x // 4 : x // 4 + 16] = 50
        held = stabilizer.push(luma, ab, is_new_shot=False)
        gone = held[0, 12:28, : max(0, x // 4 - 3)]
        there = held[0, 12:28, x // 4 + 2 : x // 4 + 14]
        assert gone.size == 0 or gone.mean() < 3
        assert there.mean() > 45


def test_flicker_of_brightness_does_not_shorten_memory(rng: np.random.Generator) -> None:
    lumas, true = coloured_scene(2, 20)
    made = flickering(true, rng)
    gain = rng.uniform(0.85, 1.1, (20, 1, 1))
    flickered = np.clip(lumas * gain, 0, 255).astype(np.uint8)
    assert warping_errors(lumas, stabilized(flickered, made)) < 2 * warping_errors(lumas, stabilized(lumas, made))


def test_nothing_leaks_over_a_cut_and_a_shot_is_the_same_from_wherever_the_film_is_read() -> None:
    first_lumas, first = coloured_scene(0, 8)
    lumas, chromas = coloured_scene(1, 8)
    film = stabilized(np.concatenate([first_lumas, lumas]), np.concatenate([first, chromas]), cuts=(0, 8))
    np.testing.assert_array_equal(film[8], chromas[0])
    np.testing.assert_array_equal(film[8:], stabilized(lumas, chromas))


def test_strength(rng: np.random.Generator) -> None:
    lumas, true = coloured_scene(0, 16)
    made = flickering(true, rng)
    np.testing.assert_array_equal(stabilized(lumas, made, 0), made)
    results = [warping_errors(lumas, stabilized(lumas, made, strength)) for strength in (0, 0.5, 0.9, 1)]
    assert results == sorted(results, reverse=True)
    assert results[0] > 3 * results[-1]


def test_at_full_strength_a_still_thing_has_its_mean_colour(rng: np.random.Generator) -> None:
    luma = scene(0, 1)[0]
    made = rng.normal(0, 10, (12, 2, 40, 56)).astype(np.float32)
    held = stabilized(np.repeat(luma[None], 12, axis=0), made, 1)
    np.testing.assert_allclose(held[-1], made.mean(axis=0), atol=0.05)


def test_bad_input(rng: np.random.Generator) -> None:
    stabilizer = Stabilizer(1)
    black = np.zeros((160, 224), np.uint8)
    ab = rng.normal(0, 10, (2, 40, 56)).astype(np.float32)
    before = ab.copy()
    for luma in [black, black, scene(0, 1)[0], 255 - black, black]:
        assert np.isfinite(stabilizer.push(luma, ab, is_new_shot=False)).all()
    wide = stabilizer.push(np.zeros((32, 64), np.uint8), ab[:, :8, :16], is_new_shot=False)
    np.testing.assert_array_equal(wide, ab[:, :8, :16])
    np.testing.assert_array_equal(ab, before)


def test_memory_does_not_grow() -> None:
    lumas, chromas = coloured_scene(0, 4)
    stabilizer = Stabilizer(0.97)
    sizes = []
    tracemalloc.start()
    for number in range(60):
        stabilizer.push(lumas[number % 4], chromas[number % 4], is_new_shot=False)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[-1] < sizes[10] + 20_000

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import pytest

from streamcolor.temporal.shots import ShotDetector

from scenes import dissolve, fade, scene, scratched


def shots(frames: Iterable[np.ndarray]) -> list[int]:
    """Numbers of the frames that begin a shot."""
    detector = ShotDetector()
    return [number for number, frame in enumerate(frames) if detector.push(frame)]


def test_hard_cuts_of_an_edited_film(rng: np.random.Generator) -> None:
    found = missed = wrong = 0
    for edit in range(6):
        number, frames, cuts = 0, [], []
        for _ in range(12):
            cuts.append(len(frames))
            number = (number + int(rng.integers(1, 12))) % 12
            frames += [*scene(number, int(rng.integers(1, 20)), speed=float(rng.uniform(0, 6)), seed=edit)]
        begins = set(shots(frames))
        found += len(begins & set(cuts))
        missed += len(set(cuts) - begins)
        wrong += len(begins - set(cuts))
    assert 2 * found / (2 * found + missed + wrong) >= 0.95


@pytest.mark.parametrize(("gain", "offset"), [(1.3, 20), (1.6, 40), (2.0, 60), (0.0, 255), (0.3, 0), (0.0, 0)])
@pytest.mark.parametrize("length", [1, 3])
def test_a_flash_or_a_dark_moment_is_no_cut(gain: float, offset: float, length: int) -> None:
    for number in range(3):
        frames = scene(number, 20)
        frames[8 : 8 + length] = np.clip(gain * frames[8 : 8 + length] + offset, 0, 255)
        assert shots(frames) == [0]


def test_scratches_and_dirt_are_no_cuts() -> None:
    for number in range(3):
        assert shots(scratched(scene(number, 20), seed=number)) == [0]


def test_flicker_is_no_cut(rng: np.random.Generator) -> None:
    for number in range(3):
        gain = rng.uniform(0.7, 1.3, (20, 1, 1))
        assert shots(np.clip(scene(number, 20) * gain, 0, 255).astype(np.uint8)) == [0]


@pytest.mark.parametrize("speed", [10, 20, 40])
def test_fast_pans_are_no_cuts(speed: float) -> None:
    """Up to more than a sixth of the width a frame, with the blur that a camera's shutter makes of it."""
    width, height = 224, 160
    for number in range(3):
        picture = cv2.resize(scene(number, 1)[0], (4 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
        picture = cv2.blur(picture, (max(1, int(speed) // 4), 1))
        steps = range(0, 3 * width, int(speed))
        assert shots([picture[40 : 40 + height, x : x + width] for x in steps]) == [0]


def test_a_face_moves_before_a_still_room() -> None:
    room, face = scene(2, 1)[0], scene(0, 1)[0][30:130, 50:150]
    frames = []
    for x in range(0, 120, 6):
        frame = room.copy()
        frame[40:140, x : x + 100] = face
        frames.append(frame)
    assert shots(frames) == [0]


@pytest.mark.parametrize("length", [6, 12, 25])
def test_a_dissolve_is_one_new_shot(length: int) -> None:
    found = 0
    for first, second in [(0, 1), (1, 2), (2, 3), (4, 0)]:
        one, two = scene(first, 30 + length, speed=0.5), scene(second, length + 40, speed=0.5)
        begins = shots([*one[:30], *dissolve(one[30:], two[:length]), *two[length:]])
        found += len(begins) == 2
        assert len(begins) <= 2
        assert all(30 + length // 3 <= begin <= 30 + length + 10 for begin in begins[1:])
    assert found >= 3


@pytest.mark.parametrize("length", [6, 25])
def test_a_fade_through_black_begins_one_shot_and_none_where_it_comes_back(length: int) -> None:
    one, two = scene(0, 2 * length + 10, speed=0.5), scene(1, length + 10, speed=0.5)
    dark = fade(one[10 : 10 + length])
    other = [*one[:10], *dark, *fade(two[length - 1 :: -1])[::-1], *two[length:]]
    begins = shots(other)
    assert len(begins) == 2
    assert 10 + length // 2 <= begins[1] <= 10 + 2 * length
    same = [*one[:10], *dark, *fade(one[10 : 10 + length])[::-1], *one[10 + length :]]
    assert shots(same) == [0]


def test_cut_to_black_begins_the_shot_where_something_is_seen() -> None:
    black = np.full((5, 160, 224), 16, np.uint8)
    assert shots([*scene(0, 8), *black, *scene(1, 8)]) == [0, 13]
    assert shots([*black, *scene(1, 8)]) == [0, 5]


def test_bad_input() -> None:
    assert shots([np.zeros((160, 224), np.uint8)] * 10) == [0]
    assert shots(scene(0, 1)) == [0]
    assert shots(np.repeat(scene(0, 3), 4, axis=0)) == [0]
    assert shots([scene(number, 1)[0] for number in range(12)]) == list(range(12))
    rng = np.random.default_rng(0)
    shots(rng.integers(0, 256, (12, 64, 32), dtype=np.uint8))


def test_what_came_before_a_shot_has_no_part_in_what_follows() -> None:
    one, two = scene(0, 15), scene(1, 60, speed=4)
    alone, after = shots(two), shots([*one, *two])
    assert after == [0, *(15 + number for number in alone)]

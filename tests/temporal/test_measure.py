from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamcolor.temporal.measure import Drift, WarpingErrors, colour_error, mean_chroma, warping_error

from scenes import coloured_scene, scene


def test_colours_that_move_with_things_have_no_warping_error() -> None:
    """A shift of 4 luma samples is one of chroma's, so that the true error is known to be 0."""
    lumas = scene(0, 1)[0]
    coarse = np.random.default_rng(0).normal(0, 20, (5, 7, 2)).astype(np.float32)
    ab = np.moveaxis(cv2.resize(coarse, (56, 40), interpolation=cv2.INTER_CUBIC), -1, 0)
    first, second = lumas[:, 4:-12], lumas[:, :-16]  # things go right
    still = warping_error((first, second), (ab[:, :, 1:-3], ab[:, :, :-4]))
    stuck = warping_error((first, second), (ab[:, :, :-4], ab[:, :, :-4]))
    assert still < stuck / 5


def test_warping_error_is_the_distance_of_changed_colours() -> None:
    luma = scene(1, 1)[0]
    ab = np.zeros((2, 40, 56), np.float32)
    changed = ab + np.array([3, 4], np.float32)[:, None, None]
    assert warping_error((luma, luma), (ab, changed)) == pytest.approx(5, abs=1e-4)


def test_covered_places_do_not_count() -> None:
    """What a passing thing covers has another colour, and should."""
    room, thing = scene(2, 1)[0], scene(0, 1)[0][40:120, 60:124]
    lumas, chromas = [], []
    for x in (40, 48):
        luma, ab = room.copy(), np.zeros((2, 40, 56), np.float32)
        luma[40:120, x : x + 64] = thing
        ab[0, 10:30, x // 4 : x // 4 + 16] = 50
        lumas.append(luma)
        chromas.append(ab)
    unmasked = np.abs(chromas[1] - chromas[0]).mean(axis=(1, 2)).sum()
    assert warping_error((lumas[0], lumas[1]), (chromas[0], chromas[1])) < unmasked / 2


def test_errors_of_several_frames_stay_within_shots() -> None:
    lumas, chromas = coloured_scene(0, 8)
    errors = WarpingErrors(3)
    measured = [
        errors.push(luma, ab, is_new_shot=number in (0, 5))
        for number, (luma, ab) in enumerate(zip(lumas, chromas, strict=True))
    ]
    assert [error is None for error in measured] == [True, True, True, False, False, True, True, True]


def test_drift_is_what_colours_have_moved_by() -> None:
    lumas, chromas = coloured_scene(2, 15, speed=0.7)
    drift, creeping = Drift(), Drift()
    own = shifted = 0.0
    for number, (luma, ab) in enumerate(zip(lumas, chromas, strict=True)):
        own = drift.push(luma, ab, is_new_shot=number == 0) or 0.0
        shift = np.array([[[0.6 * number]], [[0.8 * number]]], np.float32)
        shifted = creeping.push(luma, ab + shift, is_new_shot=number == 0) or 0.0
    assert own < 2
    assert shifted == pytest.approx(14, abs=own)


def test_drift_ends_where_nothing_is_left_to_follow() -> None:
    drift = Drift()
    lumas, chromas = scene(0, 1)[0], np.zeros((2, 40, 56), np.float32)
    assert drift.push(lumas, chromas, is_new_shot=True) == 0
    assert drift.push(np.full_like(lumas, 255) - lumas, chromas, is_new_shot=False) is None


def test_plain_figures() -> None:
    ab = np.stack([np.full((4, 4), 3.0), np.full((4, 4), -4.0)]).astype(np.float32)
    assert mean_chroma(ab) == 5
    assert colour_error(ab, np.zeros_like(ab)) == 5

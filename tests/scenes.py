"""Scenes for the tests of colour over time: a camera that moves over a photograph, and what films do to that."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from skimage import color

from films import photographs

#: Width and height of working luma.
SIZE = (224, 160)


def scene(number: int, count: int, *, speed: float = 1.0, seed: int = 0) -> np.ndarray:
    """Luma ``uint8 (count, h, w)`` of a slow pan with a slow zoom over one of twelve pictures."""
    gray = cv2.cvtColor(_picture(number), cv2.COLOR_RGB2GRAY)
    return np.stack([_view(gray, step * speed, seed) for step in range(count)])


def coloured_scene(number: int, count: int, *, speed: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`scene`, with the true chroma: ``uint8 (count, h, w)`` and ``float32 (count, 2, h / 4, w / 4)``."""
    picture = _picture(number)
    lumas, chromas = [], []
    for step in range(count):
        view = _view(picture, step * speed, 0)
        lumas.append(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY))
        small = cv2.resize(view, (SIZE[0] // 4, SIZE[1] // 4), interpolation=cv2.INTER_AREA)
        chromas.append(np.moveaxis(color.rgb2lab(small)[..., 1:], -1, 0).astype(np.float32))
    return np.stack(lumas), np.stack(chromas)


def _picture(number: int) -> np.ndarray:
    """Three photographs, each as it is, mirrored, upside down and both."""
    picture = photographs()[number % 3]
    flips: Sequence[slice] = (slice(None), slice(None, None, -1))
    return np.ascontiguousarray(picture[flips[number // 6 % 2], flips[number // 3 % 2]])


def _view(picture: np.ndarray, step: float, seed: int) -> np.ndarray:
    width, height = SIZE
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi)
    zoom = min(picture.shape[0] / height, picture.shape[1] / width) / 1.6 * (1 + 0.002 * step)
    x, y = (rng.uniform(0.4, 0.6) * side for side in picture.shape[1::-1])
    matrix = np.array(
        [
            [zoom, 0, x - zoom * width / 2 + zoom * step * np.cos(angle)],
            [0, zoom, y - zoom * height / 2 + zoom * step * np.sin(angle)],
        ]
    )
    return cv2.warpAffine(
        picture, matrix, SIZE, flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT
    )


def dissolve(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Frames that mix two scenes of one length, from the first to the second."""
    share = (np.arange(len(first)) + 1)[:, None, None] / (len(first) + 1)
    return np.rint((1 - share) * first + share * second).astype(np.uint8)


def fade(frames: np.ndarray) -> np.ndarray:
    """Frames that darken to black."""
    share = 1 - (np.arange(len(frames)) + 1)[:, None, None] / len(frames)
    return np.rint(share * frames).astype(np.uint8)


def scratched(frames: np.ndarray, seed: int = 0) -> np.ndarray:
    """Frames with other scratches and specks of dirt each."""
    rng = np.random.default_rng(seed)
    damaged = frames.copy()
    height, width = frames.shape[1:]
    for frame in damaged:
        for _ in range(rng.integers(0, 4)):
            x = int(rng.integers(0, width))
            cv2.line(frame, (x, 0), (x + int(rng.integers(-5, 6)), height), int(rng.choice([20, 240])), 2)
        for _ in range(rng.integers(0, 8)):
            place = int(rng.integers(0, width)), int(rng.integers(0, height))
            cv2.circle(frame, place, int(rng.integers(1, 7)), int(rng.choice([10, 245])), -1)
    return damaged

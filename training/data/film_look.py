"""Make a clean photograph's lightness look like old film's: fade, blur, flicker, grain, scratches, JPEG."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Lightness = NDArray[np.floating[Any]]


def age(lightness: Lightness, rng: Generator) -> Lightness:
    """Aged copy of L* ``float32 (h, w)`` in [0, 100]; about a third of the pictures stay clean.

    The colour target stays what it was, so the generator learns to look past the film's faults.
    """
    if rng.random() < 0.3:
        return lightness
    aged: Lightness = 100 * np.power(lightness / 100, np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.35:
        aged = _fade(aged, rng)
    if rng.random() < 0.3:
        aged = np.asarray(cv2.GaussianBlur(aged, (0, 0), rng.uniform(0.4, 1.3)), np.float32)
    if rng.random() < 0.2:
        aged = _flicker(aged, rng)
    if rng.random() < 0.1:
        aged = _scratch(aged, rng)
    if rng.random() < 0.5:
        aged = aged + _grain(aged, rng)
    aged = np.clip(aged, 0, 100).astype(np.float32)
    return _jpeg(aged, rng) if rng.random() < 0.2 else aged


def _fade(lightness: Lightness, rng: Generator) -> Lightness:
    """Lift blacks, dim whites, or burn both out, as faded and duplicated prints do."""
    black, white = rng.uniform(-8, 18), rng.uniform(80, 108)
    return (black + lightness * ((white - black) / 100)).astype(np.float32)


def _flicker(lightness: Lightness, rng: Generator) -> Lightness:
    """One frame of a film whose exposure flickers: brighter or darker, and unevenly so."""
    height, width = lightness.shape
    corners = rng.normal(1, 0.08, (2, 2)).astype(np.float32)
    return lightness * np.asarray(cv2.resize(corners, (width, height)), np.float32)


def _jpeg(lightness: Lightness, rng: Generator) -> Lightness:
    """Blocks and ringing of a copy that was stored too small."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))]
    jpeg = cv2.imencode(".jpg", np.rint(lightness * 2.55).astype(np.uint8), settings)[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), np.float32) / np.float32(2.55)


def _grain(lightness: Lightness, rng: Generator) -> Lightness:
    """Gaussian grain, sometimes clumped, strongest in the mid-tones."""
    noise = rng.standard_normal(lightness.shape, dtype=np.float32)
    if rng.random() < 0.5:
        noise = 2 * np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.8), np.float32)
    tone = lightness / 100
    visibility = 0.4 + 2.4 * tone * (1 - tone)
    return (rng.uniform(0.5, 5.0) * noise * visibility).astype(np.float32)


def _scratch(lightness: Lightness, rng: Generator) -> Lightness:
    """One to three bright or dark vertical scratches."""
    scratched = lightness.copy()
    height, width = scratched.shape
    for _ in range(rng.integers(1, 4)):
        x, drift = rng.integers(0, width), rng.integers(-4, 5)
        tone = float(rng.choice([rng.uniform(0, 20), rng.uniform(80, 100)]))
        cv2.line(scratched, (int(x), 0), (int(x + drift), height), tone, 1, cv2.LINE_AA)
    return scratched

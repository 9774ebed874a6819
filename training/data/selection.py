"""Which stills of a film are worth learning from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .lab import split_lab

Picture = NDArray[np.uint8]
Fault = Literal["black", "blurred", "colourless", "repeated"]

#: Bars are columns and rows whose brightest pixel, nearly, stays under this code value in every sampled still.
_BAR_LEVEL = 28
_BAR_PERCENTILE = 98
#: A still is black, or an empty title card, under this mean or standard deviation of its code values.
_DARKEST_MEAN = 14
_LEAST_CONTRAST = 8
#: Variance of the Laplacian over that of the picture, at 128 lines: under this it is blurred (after J. L. Pech-Pacheco
#: et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000; the ratio does not depend on contrast). One sharp
#: photograph in sixty falls under it, and nineteen in twenty that are blurred by a fiftieth of their height.
_LEAST_SHARPNESS = 0.015
_SHARPNESS_LINES = 128
#: Mean chroma, in ab units, of a picture that has colour at all; tinted and gray film stays below, or is all one hue.
_LEAST_CHROMA = 4.0
_LEAST_HUE_SPREAD = 1.5
#: Differing bits, of 64, up to which two pictures are the same.
_SAME_HASH = 6


def content_box(pictures: Iterable[Picture]) -> tuple[slice, slice]:
    """Rows and columns of a film that are not black bars, from some of its stills, all of the same size.

    Where all is black, everything.
    """
    brightest: NDArray[np.uint8] | None = None
    for picture in pictures:
        level = picture.max(axis=2)
        brightest = level if brightest is None else np.maximum(brightest, level)
    if brightest is None:
        return slice(None), slice(None)
    rows, columns = (
        np.flatnonzero(np.percentile(brightest, _BAR_PERCENTILE, axis=axis) >= _BAR_LEVEL) for axis in (1, 0)
    )
    if not (len(rows) and len(columns)):
        return slice(None), slice(None)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def perceptual_hash(picture: Picture) -> int:
    """64 bits that stay nearly the same under scaling, compression and slight changes of light.

    pHash: the signs of the lowest 8 x 8 cosine coefficients of a 32 x 32 gray copy about their median (C. Zauner,
    "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2.1).
    """
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:8, :8].ravel()
    return int(np.packbits(lowest > np.median(lowest)).view(">u8")[0])


class StillSelection:
    """Says of each still what is wrong with it, and remembers those that it let pass.

    Args:
        hashes: of stills that were kept earlier, from other films as well.
    """

    def __init__(self, hashes: Iterable[int] = ()) -> None:
        self._hashes = np.array(list(hashes), np.uint64)

    @property
    def latest_hash(self) -> int:
        """Perceptual hash of the last still that passed."""
        return int(self._hashes[-1])

    def fault(self, picture: Picture) -> Fault | None:
        """The first fault found of an sRGB still ``uint8 (h, w, 3)`` without bars, or None."""
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
        if gray.mean() < _DARKEST_MEAN or gray.std() < _LEAST_CONTRAST:
            return "black"
        if _sharpness(gray) < _LEAST_SHARPNESS:
            return "blurred"
        if not _has_colour(picture):
            return "colourless"
        own = np.uint64(perceptual_hash(picture))
        if np.any(np.bitwise_count(self._hashes ^ own) <= _SAME_HASH):
            return "repeated"
        self._hashes = np.append(self._hashes, own)
        return None


def _sharpness(gray: NDArray[np.uint8]) -> float:
    width = max(1, round(gray.shape[1] * _SHARPNESS_LINES / gray.shape[0]))
    small = cv2.resize(gray, (width, _SHARPNESS_LINES), interpolation=cv2.INTER_AREA).astype(np.float32)
    return float(cv2.Laplacian(small, cv2.CV_32F).var() / small.var())


def _has_colour(picture: Picture) -> bool:
    small = cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    ab = split_lab(small)[1].reshape(-1, 2)
    chroma = np.hypot(*ab.T)
    # A tint gives every gray the same hue: its colours lie on a line through neutral.
    across = float(np.linalg.svd(ab, compute_uv=False)[1] / np.sqrt(len(ab)))
    return float(chroma.mean()) >= _LEAST_CHROMA and across >= _LEAST_HUE_SPREAD

"""From a film's luma plane to working size, and from working chroma back to the film's chroma planes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .lab import Array
from .yuv import Coding, chroma_codes, working_luma_table

#: Code values: uint8 up to 8 bits, uint16 above.
Plane = NDArray[np.unsignedinteger[Any]]

#: However long and thin a film is, its long side is worked on at no more than this many short sides.
_MAX_ASPECT = 4


def working_size(
    width: int, height: int, *, short_side: int, multiple: int, pixel_aspect: Fraction = Fraction(1)
) -> tuple[int, int]:
    """Width and height at which a film is coloured.

    The short side is ``short_side``; the long one keeps the display aspect as nearly as a ``multiple`` allows.

    Args:
        width, height: the film's, in samples, at least 1.
        short_side: the model's, a multiple of ``multiple``.
        pixel_aspect: width of a sample over its height.
    """
    aspect = width * pixel_aspect / height
    long_over_short = min(max(aspect, 1 / aspect), Fraction(_MAX_ASPECT))
    long_side = max(1, round(long_over_short * short_side / multiple)) * multiple
    return (long_side, short_side) if aspect >= 1 else (short_side, long_side)


def reduce_luma(luma: Plane, size: tuple[int, int], coding: Coding) -> NDArray[np.uint8]:
    """Working luma ``uint8 (height, width)`` of a film's luma plane, by area averaging.

    Args:
        luma: code values ``(h, w)``, uint8 up to 8 bits and uint16 above; only read.
        size: width and height of the result.
    """
    width, height = size
    reduced = luma
    while reduced.shape[1] >= 2 * width and reduced.shape[0] >= 2 * height:
        # OpenCV halves ten times faster than it divides by a fraction.
        half = (reduced.shape[1] // 2, reduced.shape[0] // 2)
        reduced = np.asarray(cv2.resize(reduced, half, interpolation=cv2.INTER_AREA), luma.dtype)
    reduced = np.asarray(cv2.resize(reduced, size, interpolation=cv2.INTER_AREA), luma.dtype)
    table = working_luma_table(coding)
    return table[np.minimum(reduced, len(table) - 1)]


def expand_chroma(luma: NDArray[np.uint8], ab: Array, planes: tuple[Plane, Plane], coding: Coding) -> None:
    """Fill a film's Cb and Cr planes ``(height, width)``, by bilinear interpolation.

    Args:
        luma: working luma ``uint8 (h, w)``.
        ab: Lab chroma ``float32 (2, h/s, w/s)`` for any stride s.
        planes: where to write, with rows of any pitch.
    """
    coarse = cv2.resize(luma, ab.shape[:0:-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    codes = np.rint(np.clip(chroma_codes(coarse, ab, coding), 0, 2**coding.bits - 1)).astype(planes[0].dtype)
    for small, plane in zip(codes, planes, strict=True):
        cv2.resize(small, plane.shape[::-1], dst=plane, interpolation=cv2.INTER_LINEAR)

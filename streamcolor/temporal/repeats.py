"""Frames that hardly differ from an earlier one, and need no colours of their own."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Side of the areas over which differences are averaged, in pixels of working luma.
_AREA = 16
#: Luma codes by which no area may differ in the mean: grain has more, a held or repeated picture less.
_HARDLY = 0.5


class Repeats:
    """Tells which frames of a film hardly differ from the last one that did not.

    Small changes so can't add up unseen.
    """

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None

    def push(self, luma: NDArray[np.uint8]) -> bool:
        """Whether the next frame is such a one.

        Args:
            luma: working luma ``uint8 (h, w)``.
        """
        if self._last is not None and self._last.shape == luma.shape and _largest_change(luma, self._last) < _HARDLY:
            return True
        self._last = luma
        return False


def _largest_change(luma: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    areas = max(1, luma.shape[1] // _AREA), max(1, luma.shape[0] // _AREA)
    change = cv2.absdiff(luma, other).astype(np.float32)
    return float(np.max(cv2.resize(change, areas, interpolation=cv2.INTER_AREA)))

"""How still the colours of a film hold, and how near they are to true ones: figures that judge, and change nothing.

Motion is found by Farneback's method, not by the one that :mod:`.stabilize` uses, so that the stabilizer isn't judged
by its own mistakes.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from ..color.lab import Array

#: Working luma ``uint8 (h, w)``.
Luma = NDArray[np.uint8]

#: Chroma samples by which forward and backward motion may disagree before the place counts as covered or uncovered.
_CONSISTENT = 0.25
#: Luma codes by which a place may differ from where it came from.
_ALIKE = 12
#: Side of an area whose colour is followed, in chroma samples, and the share of it that must be in view.
_THING = 4
_SEEN = 0.5


def flow(first: Luma, second: Luma, size: tuple[int, int]) -> NDArray[np.float32]:
    """Where each place of ``first`` is in ``second``, by G. Farneback's polynomial expansion (SCIA 2003).

    Args:
        size: width and height of the grid of places, such as chroma's.

    Returns displacements ``float32 (height, width, 2)`` in samples of that grid.
    """
    motion = cv2.calcOpticalFlowFarneback(
        first, second, None, pyr_scale=0.5, levels=4, winsize=15, iterations=3, poly_n=5, poly_sigma=1.1, flags=0
    )  # type: ignore[call-overload]
    scale = np.array([size[0] / first.shape[1], size[1] / first.shape[0]], np.float32)
    return np.asarray(cv2.resize(motion, size, interpolation=cv2.INTER_AREA) * scale, np.float32)


def _grid(size: tuple[int, int]) -> NDArray[np.float32]:
    """Each place's own coordinates, x before y, ``float32 (height, width, 2)``."""
    width, height = size
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)


def _sample(planes: Array, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """``planes (n, h, w)`` at ``places (rows, columns, 2)``: ``float32 (n, rows, columns)``; NaN outside."""
    x, y = np.moveaxis(places, -1, 0)
    outside = cv2.BORDER_CONSTANT
    sampled = [cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=outside, borderValue=np.nan) for plane in planes]
    return np.stack([np.asarray(plane, np.float32) for plane in sampled])


def warping_error(lumas: tuple[Luma, Luma], chromas: tuple[Array, Array]) -> float:
    """Mean distance in ab units between a frame's colours and an earlier frame's, moved to where things are now.

    W.-S. Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018), section 4.2, in ab units instead of
    squared RGB. Places that were covered, or changed their brightness, don't count; where none is left the figure is
    NaN.

    Args:
        lumas: working luma of the earlier frame and of the later one.
        chromas: their colours, ``float32 (2, h, w)`` in ab units.
    """
    earlier, later = chromas
    size = (later.shape[2], later.shape[1])
    back, forth = flow(lumas[1], lumas[0], size), flow(lumas[0], lumas[1], size)
    places = _grid(size) + back
    returned = back + np.moveaxis(_sample(np.moveaxis(forth, -1, 0), places), 0, -1)
    old, new = (cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32) for luma in lumas)
    change = np.abs(_sample(old[None], places)[0] - new)
    counts = (np.linalg.norm(returned, axis=-1) < _CONSISTENT) & (change < _ALIKE)  # comparisons with NaN are false
    distances = np.linalg.norm(later - _sample(earlier, places), axis=0)[counts]
    return float(distances.mean()) if distances.size else float("nan")


class WarpingErrors:
    """Warping errors of a film's frames against the frame ``distance`` frames earlier, within shots.

    Holds ``distance`` frames.
    """

    def __init__(self, distance: int) -> None:
        self._earlier: deque[tuple[Luma, Array]] = deque(maxlen=distance)

    def push(self, luma: Luma, ab: Array, *, is_new_shot: bool) -> float | None:
        """The error of the next frame; None where its shot is too young, or nothing can be compared."""
        if is_new_shot:
            self._earlier.clear()
        error = None
        if len(self._earlier) == self._earlier.maxlen:
            old_luma, old_ab = self._earlier[0]
            measured = warping_error((old_luma, luma), (old_ab, ab))
            error = None if np.isnan(measured) else measured
        self._earlier.append((luma, ab))
        return error


class Drift:
    """How far the colours of things move within a shot, in ab units.

    Every place of the shot's first frame is followed through it, and given up once it is covered, leaves the frame or
    changes its brightness. Colours are averaged over areas of such places, so that a place's being followed a little
    wrongly across an edge counts less.
    """

    def __init__(self) -> None:
        self._begin: tuple[Luma, Array] | None = None

    def push(self, luma: Luma, ab: Array, *, is_new_shot: bool) -> float | None:
        """Mean distance of the areas' colours from those at the shot's beginning; None once none is left."""
        size = (ab.shape[2], ab.shape[1])
        small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        if is_new_shot or self._begin is None:
            self._begin = luma, ab
            self._small = small
            self._last = luma
            self._places = _grid(size)
            self._followed = np.ones(size[::-1], bool)
            return 0.0
        forth, back = flow(self._last, luma, size), flow(luma, self._last, size)
        step = np.moveaxis(_sample(np.moveaxis(forth, -1, 0), self._places), 0, -1)
        moved = self._places + np.nan_to_num(step)
        returned = step + np.moveaxis(_sample(np.moveaxis(back, -1, 0), moved), 0, -1)
        change = np.abs(_sample(small[None], moved)[0] - self._small)
        self._followed &= (np.linalg.norm(returned, axis=-1) < _CONSISTENT) & (change < _ALIKE)
        self._last, self._places = luma, moved
        shift = np.nan_to_num(_sample(ab, moved) - self._begin[1]) * self._followed
        weight = self._followed.astype(np.float32)
        areas = (max(1, size[0] // _THING), max(1, size[1] // _THING))
        *sums, share = (cv2.resize(plane, areas, interpolation=cv2.INTER_AREA) for plane in (*shift, weight))
        seen = np.asarray(share) > _SEEN
        return float((np.linalg.norm(sums, axis=0)[seen] / share[seen]).mean()) if seen.any() else None


def colour_error(ab: Array, true: Array) -> float:
    """Mean distance between made and true colours ``(2, h, w)``, in ab units."""
    return float(np.linalg.norm(ab - true, axis=0).mean())


def mean_chroma(ab: Array) -> float:
    """Mean distance of colours ``(2, h, w)`` from gray, in ab units."""
    return float(np.linalg.norm(ab, axis=0).mean())

"""Where a film's shots begin, told from frame to frame without looking ahead.

Two frames belong together where one's structure, its light and dark without their large-scale mean, lies where motion
carries the other's. Both are equalized first, which hides how bright they are, as flicker, flashes and fades change
it; and the median over areas of the picture is taken, which hides scratches and dirt. Within shots of real films that
correlation was 0.88 or more even at four times their speed; across 300 cuts between them it was 0.60 at most.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Width and height at which frames are compared.
_SIZE = (72, 48)
#: Side of the area whose mean is taken away from each place.
_AREA = 15
#: Columns and rows of areas that are compared each by itself.
_AREAS = (9, 6)
#: Frames that correlate less begin a new shot.
_ALIKE = 0.63
#: Frames that correlate more need no second search for how they moved.
_SURELY_ALIKE = 0.8
#: Where motion leaves less of the frame in view, nothing is compared.
_LEAST_OVERLAP = 0.25
#: Where a flash leaves less of the frame, nothing can be told.
_LEAST_SEEN = 0.03
#: A frame whose structure varies by less, in luma codes, shows nothing: leader, or the middle of a fade.
_BLANK = 3
#: Codes from which film or camera may have clipped what is bright.
_CLIPPED = 250
#: Frames over which the memory of what a shot shows follows its changes.
_MEMORY = 60
#: A dissolve is over where a frame correlates less than this with that memory, and no longer ever less.
_DISSOLVED = 0.55

_Luma = NDArray[np.uint8]
_Field = NDArray[np.float32]


def _structure(luma: _Field) -> _Field:
    return luma - cv2.blur(luma, (_AREA, _AREA))


def _correlation(first: _Field, second: _Field, counts: NDArray[np.bool_]) -> float:
    """Median over areas of the correlation of two frames' structure, where it counts."""
    a, b = _structure(first) * counts, _structure(second) * counts
    products, first_squares, second_squares, share = (
        cv2.resize(plane, _AREAS, interpolation=cv2.INTER_AREA)
        for plane in (a * b, a * a, b * b, counts * np.float32(1))
    )
    seen = share >= min(0.5, share.max())
    return float(np.median(products[seen] / np.sqrt(first_squares * second_squares + 1e-3)[seen]))


class _Motion:
    """Where each place of a frame was in an earlier one."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._flow.setFinestScale(0)
        # A third of the preset's, by which shots are told apart no worse.
        self._flow.setGradientDescentIterations(4)
        self._window = cv2.createHanningWindow(_SIZE, cv2.CV_32F)
        width, height = _SIZE
        self._grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)

    def places(self, luma: _Luma, earlier: _Luma, *, is_fast: bool) -> _Field:
        """Coordinates in ``earlier``, ``float32 (h, w, 2)``; with ``is_fast`` the whole picture's shift comes first."""
        begin = np.zeros_like(self._grid)
        if is_fast:
            shift, _ = cv2.phaseCorrelate(luma.astype(np.float32), earlier.astype(np.float32), self._window)
            begin[:] = shift
        flow = self._flow.calc(cv2.equalizeHist(luma), cv2.equalizeHist(earlier), begin)
        return np.asarray(self._grid + flow, np.float32)


def _equalized(luma: _Luma) -> _Field:
    return cv2.equalizeHist(luma).astype(np.float32)


def _inside(places: _Field) -> NDArray[np.bool_]:
    width, height = _SIZE
    x, y = places[..., 0], places[..., 1]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def _moved(earlier: _Field, places: _Field, interpolation: int = cv2.INTER_LINEAR) -> _Field:
    return np.asarray(
        cv2.remap(earlier, places[..., 0], places[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


class ShotDetector:
    """Finds cuts, fades and dissolves in one film.

    Hard cuts are found at the new shot's first frame. Frames that show nothing keep what was before them in mind, so
    that a flash or a fade to black and back is no cut, and a fade into another scene is one as soon as that is seen.
    A dissolve counts as one new shot, at about its end.
    """

    def __init__(self) -> None:
        self._motion = _Motion()
        self._last: _Luma | None = None
        #: What the shot shows, moved along with it, and how well its last frame agreed with that.
        self._memory = np.zeros(_SIZE[::-1], np.float32)
        self._agreement = 1.0
        self._is_first = True

    def push(self, luma: _Luma) -> bool:
        """Whether a new shot begins with this frame.

        Args:
            luma: working luma ``uint8 (h, w)``, of any size.
        """
        small = np.asarray(cv2.resize(luma, _SIZE, interpolation=cv2.INTER_AREA), np.uint8)
        is_first, self._is_first = self._is_first, False
        if _structure(small.astype(np.float32)).std() < _BLANK:
            return is_first
        is_new = self._last is None or self._is_new(small, self._last)
        if is_new is None:
            return False
        if is_new:
            self._memory = _equalized(small)
            self._agreement = 1.0
        self._last = small
        return is_new

    def _is_new(self, small: _Luma, last: _Luma) -> bool | None:
        """None where a flash hides what the frame shows."""
        now, before = _equalized(small), _equalized(last)
        clipped_now, clipped_before = (small >= _CLIPPED), (last >= _CLIPPED).astype(np.float32)
        alike, places, moved, inside = -1.0, now, now, clipped_now
        for is_fast in (False, True):
            places = self._motion.places(small, last, is_fast=is_fast)
            moved, inside = _moved(before, places), _inside(places)
            if inside.mean() < _LEAST_OVERLAP:
                continue
            counts = inside & ~clipped_now & (_moved(clipped_before, places) == 0)
            if counts.mean() < _LEAST_SEEN:
                return None
            alike = _correlation(moved, now, counts)
            if alike > _SURELY_ALIKE:
                break
        return alike < _ALIKE or self._is_dissolved(now, places, inside)

    def _is_dissolved(self, now: _Field, places: _Field, inside: NDArray[np.bool_]) -> bool:
        # Filling in what was uncovered as well would fill in a dissolve's second scene.
        memory = np.where(inside, _moved(self._memory, places, cv2.INTER_CUBIC), now)
        agreement = _correlation(memory, now, np.ones_like(inside))
        is_over = agreement < _DISSOLVED and agreement >= self._agreement
        self._agreement = agreement
        self._memory = memory + (now - memory) / _MEMORY
        return is_over

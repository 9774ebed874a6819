"""Holds colours still within a shot: a recursive filter that follows motion."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..color.lab import Array

#: Motion is looked for on luma of this share of working size: chroma's samples are twice as far apart again.
_FLOW_SCALE = 2
#: Luma codes by which a flat place may differ from where it came from, and what part of its contrast to its
#: neighbours a textured one may, before its colours are doubted.
_TOLERANCE = 8.0
_TOLERANCE_OF_TEXTURE = 0.5
#: Chroma samples by which forward and backward motion may disagree.
_TOLERANCE_OF_MOTION = 1.0

_Luma = NDArray[np.uint8]
_Field = NDArray[np.float32]


@dataclass(frozen=True)
class _Frame:
    """A frame as it was passed on."""

    #: At the size at which motion is looked for.
    flow_luma: _Luma
    #: At chroma's size.
    luma: _Field
    ab: Array
    #: How many frames each place's colours are the mean of.
    age: Array


def _reduced(luma: _Luma, size: tuple[int, int]) -> _Luma:
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)


def _grid(plane: _Field) -> _Field:
    height, width = plane.shape
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)


class Stabilizer:
    """Blends each frame's colours with those of the frame before, moved to where things are now.

    What a place was given since it came into view is averaged, up to a memory whose length ``strength`` sets. The
    memory of a place fades as its luma differs from what it came from, and as motion from one frame to the next and
    back again misses where it began, so that what is uncovered begins anew. A change of the whole frame's brightness
    does not count as a difference.

    Motion is found by dense inverse search (T. Kroeger et al., ECCV 2016), both ways. Memory does not grow.

    Args:
        strength: the largest share that earlier frames may have in a frame's colours, from 0, which changes nothing,
            to 1, which averages over all of a shot.
    """

    def __init__(self, strength: float) -> None:
        self._longest = strength / max(1 - strength, 1e-6)
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._flow.setFinestScale(0)
        # A third less work than the preset's, for colours that hold as still.
        self._flow.setPatchStride(5)
        self._flow.setGradientDescentIterations(4)
        self._last: _Frame | None = None

    def push(self, luma: _Luma, ab: Array, *, is_new_shot: bool) -> Array:
        """The next frame's colours, held still.

        Args:
            luma: working luma ``uint8 (h, w)``.
            ab: chroma ``float32 (2, h / s, w / s)`` for any stride s, in ab units; only read.
            is_new_shot: forget what came before.
        """
        if self._longest == 0:
            return ab
        size = (ab.shape[2], ab.shape[1])
        reduced = (luma.shape[1] // _FLOW_SCALE, luma.shape[0] // _FLOW_SCALE)
        small = _reduced(luma, size).astype(np.float32)
        frame = _Frame(_reduced(luma, reduced), small, ab, np.ones_like(small))
        last = self._last
        if last is not None and not is_new_shot and last.ab.shape == ab.shape:
            frame = self._blended(frame, last)
        self._last = frame
        return frame.ab

    def _blended(self, frame: _Frame, last: _Frame) -> _Frame:
        back, forth = self._motion(frame, last), self._motion(last, frame)
        x, y = np.moveaxis(_grid(frame.luma) + back, -1, 0)

        def moved(plane: Array, interpolation: int = cv2.INTER_LINEAR) -> Array:
            return np.asarray(cv2.remap(plane, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE), np.float32)

        change = frame.luma - moved(last.luma)
        change -= np.median(change)
        contrast = cv2.morphologyEx(frame.luma, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) / 2
        tolerance = _TOLERANCE**2 + (_TOLERANCE_OF_TEXTURE * contrast) ** 2
        astray = (back[..., 0] + moved(forth[..., 0])) ** 2 + (back[..., 1] + moved(forth[..., 1])) ** 2
        confidence = np.exp(-(change**2) / tolerance - astray / _TOLERANCE_OF_MOTION**2)
        height, width = frame.luma.shape
        confidence *= (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
        age = np.minimum(moved(last.age) * confidence, self._longest)
        # Cubic interpolation, since linear would blur a little more with every frame.
        earlier = np.stack([moved(plane, cv2.INTER_CUBIC) for plane in last.ab])
        ab = np.asarray(frame.ab + (earlier - frame.ab) * (age / (age + 1)), np.float32)
        return _Frame(frame.flow_luma, frame.luma, ab, age + 1)

    def _motion(self, frame: _Frame, other: _Frame) -> _Field:
        """Where each chroma sample of a frame is in another, as displacements in chroma samples."""
        rows, columns = frame.flow_luma.shape
        height, width = frame.luma.shape
        begin = np.zeros((rows, columns, 2), np.float32)
        flow = self._flow.calc(frame.flow_luma, other.flow_luma, begin)
        scale = np.array([width / columns, height / rows], np.float32)
        return np.asarray(cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) * scale, np.float32)

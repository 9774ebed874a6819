"""Keeps the colours of people and places over a shot, and when a film cuts back to them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..color.lab import Array

#: Places that are remembered; the one that was seen longest ago goes first.
_MOST_PLACES = 64
#: Frames that are remembered of each, and the frames from one to the next at first.
_MOST_VIEWS = 6
_FIRST_SPACING = 4
#: Cosines of two cells' features between which they grow from nothing in common to the same thing. Of another place's
#: cells the likest has less than 0.6 in the median, of the same place's in other light more than 0.9.
_OTHER_THING, _SAME_THING = 0.6, 0.8
#: A frame shows a place where this share of its cells is known from there, with at least that cosine. In other light it
#: was 0.99 or more, half covered 0.46 or more, a second later 0.7 in nine of ten; of other places 0.31 at most.
_SAME_PLACE = 0.35
_KNOWN_CELL = 0.7
#: Of a frame's cells, every third is enough to find its place.
_STEP = 3
#: Softness of the choice among cells, in cosines.
_SOFTNESS = 0.02
#: Share that a frame by itself has in how far colours are moved; the rest is the frame before's.
_SHARE_OF_FRAME = 0.25

_Field = NDArray[np.float32]


@dataclass(frozen=True)
class _View:
    """What things looked like, cell by cell."""

    #: Each cell's features, of length 1: ``(cells, C)``.
    keys: _Field
    #: Each cell's colours, ``(cells, 2)``.
    colours: _Field

    def colours_of(self, keys: _Field) -> tuple[_Field, _Field]:
        """The colours here of what other cells show, ``(others, 2)``, and the best cosine of each, ``(others, 1)``."""
        alike = _product(keys, self.keys.T)
        best = alike.max(axis=1, keepdims=True)
        shares = np.exp((alike - best) / _SOFTNESS)
        return _product(shares, self.colours) / shares.sum(axis=1, keepdims=True), best


class _Place:
    """What a place looked like over time."""

    def __init__(self) -> None:
        self.views: list[_View] = []
        self._spacing = _FIRST_SPACING
        #: Frames to go until the next one is remembered.
        self._due = 0
        self._all: _View | None = None

    def remember(self, view: _View) -> None:
        if self._due == 0:
            self.views.append(view)
            if len(self.views) > _MOST_VIEWS:
                self.views = self.views[::2]
                self._spacing *= 2
            self._due = self._spacing
            self._all = None
        self._due -= 1

    @property
    def all(self) -> _View:
        """All views as one."""
        if self._all is None:
            keys = np.concatenate([view.keys for view in self.views])
            self._all = _View(keys, np.concatenate([view.colours for view in self.views]))
        return self._all


class ShotMemory:
    """Brings colours to those that the same things had earlier in the shot, or in an earlier one of the same place.

    Whether a shot shows an earlier one's place is decided at its first frame, and held. Each cell of its frames is then
    moved to the colours that the same thing had there, as far as it was there: things are told by the generator's own
    features, centred so that unlike ones have cosines about 0. Only the coarse differences are moved, so that a frame
    keeps its detail.

    A bounded number of places is remembered, each by a few frames spread over the time for which it was seen.

    Args:
        strength: the share of the difference by which colours are moved, from 0 to 1.
    """

    def __init__(self, strength: float) -> None:
        self._strength = strength
        #: The one that is shown comes last.
        self._places: list[_Place] = []
        #: By how much colours were moved last, ``float32 (rows, columns, 2)``.
        self._offset: _Field | None = None

    def push(self, features: Array, ab: Array, *, is_new_shot: bool) -> Array:
        """The next frame's colours, as this place's were before.

        Args:
            features: the generator's, ``float32 (C, h', w')``.
            ab: chroma ``float32 (2, h, w)`` in ab units, stabilized; only read.
            is_new_shot: look for this frame among the places that were seen.
        """
        rows, columns = features.shape[1:]
        view = _View(_keys(features), _cells(ab, rows, columns))
        if is_new_shot or not self._places:
            self._begin(view)
        place = self._places[-1]
        if place.views:
            offset = self._strength * _difference(view, place.all).reshape(rows, columns, 2)
            if self._offset is not None and self._offset.shape == offset.shape:
                offset = self._offset + (offset - self._offset) * _SHARE_OF_FRAME
            self._offset = np.asarray(offset, np.float32)
            ab = _moved(ab, self._offset)
            view = _View(view.keys, _cells(ab, rows, columns))
        place.remember(view)
        return ab

    def _begin(self, view: _View) -> None:
        self._offset = None
        place = self._find(view)
        if place is None:
            place = _Place()
        else:
            self._places.remove(place)
        self._places.append(place)
        del self._places[:-_MOST_PLACES]

    def _find(self, view: _View) -> _Place | None:
        """The place of which a frame shows most; None where it shows too little of any."""
        most, found = _SAME_PLACE, None
        some = view.keys[::_STEP].T
        for place in self._places:
            best = _product(place.all.keys, some).max(axis=0)
            known = float((best > _KNOWN_CELL).mean())
            if known > most:
                most, found = known, place
        return found


def _product(rows: _Field, columns: _Field) -> _Field:
    """The matrix product, a few rows at a time.

    BLAS would share the whole among threads, which wait for the next one spinning: the job was a quarter slower. A
    frame's cells are a multiple of four, since its sides are of 32 pixels.
    """
    few = rows.reshape(-1, 4, rows.shape[1])
    product = np.matmul(few, np.ascontiguousarray(columns))  # of a transposed array numpy makes a copy for each few
    return np.asarray(product.reshape(len(rows), -1), np.float32)


def _keys(features: Array) -> _Field:
    vectors = features.reshape(len(features), -1).T
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.ascontiguousarray(vectors / np.maximum(lengths, 1e-6), np.float32)


def _cells(ab: Array, rows: int, columns: int) -> _Field:
    reduced = [cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA).ravel() for plane in ab]
    return np.stack(reduced, axis=-1).astype(np.float32)


def _difference(view: _View, target: _View) -> _Field:
    """How far each cell's colours are from what it has in the target, ``(cells, 2)``; 0 for what is not there."""
    # Like cells are averaged on both sides, so that what has its colours already is not moved.
    own, _ = view.colours_of(view.keys)
    colours, best = target.colours_of(view.keys)
    sureness = np.clip((best - _OTHER_THING) / (_SAME_THING - _OTHER_THING), 0, 1)
    return np.asarray(sureness * (colours - own), np.float32)


def _moved(ab: Array, offset: _Field) -> Array:
    size = (ab.shape[2], ab.shape[1])
    smooth = cv2.resize(cv2.GaussianBlur(offset, (3, 3), 0), size, interpolation=cv2.INTER_LINEAR)
    return ab + np.moveaxis(np.asarray(smooth), -1, 0)

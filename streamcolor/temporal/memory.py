"""Keeps the colours of people and places when a film cuts back to them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

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
        alike = keys @ self.keys.T
        best = alike.max(axis=1, keepdims=True)
        shares = np.exp((alike - best) / _SOFTNESS)
        return shares @ self.colours / shares.sum(axis=1, keepdims=True), best


@dataclass
class _Place:
    """What a place looked like over time."""

    views: list[_View] = field(default_factory=list)
    spacing: int = _FIRST_SPACING
    #: Frames to go until the next one is remembered.
    due: int = 0

    def remember(self, view: _View) -> None:
        if self.due == 0:
            self.views.append(view)
            if len(self.views) > _MOST_VIEWS:
                self.views = self.views[::2]
                self.spacing *= 2
            self.due = self.spacing
        self.due -= 1

    def as_one(self) -> _View:
        keys = np.concatenate([view.keys for view in self.views])
        return _View(keys, np.concatenate([view.colours for view in self.views]))


class ShotMemory:
    """Brings the colours of a shot to those that the same things had in an earlier one.

    Whether a shot shows an earlier one's place is decided at its first frame, and held. Each cell of its frames is then
    moved to the colours that the same thing had there, as far as it was there: things are told by the generator's own
    features, centred so that unlike ones have cosines about 0. Only the coarse differences are moved, so that a frame
    keeps its detail.

    A bounded number of places is remembered, each by a few frames spread over the time for which it was seen.
    """

    def __init__(self) -> None:
        self._places: OrderedDict[int, _Place] = OrderedDict()
        self._count = 0
        #: What this shot's colours are brought to; None in a new place.
        self._target: _View | None = None
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
        if self._target is not None:
            offset = _difference(view, self._target).reshape(rows, columns, 2)
            if self._offset is not None and self._offset.shape == offset.shape:
                offset = self._offset + (offset - self._offset) * np.float32(_SHARE_OF_FRAME)
            self._offset = offset
            ab = _moved(ab, offset)
            view = _View(view.keys, _cells(ab, rows, columns))
        next(reversed(self._places.values())).remember(view)
        return ab

    def _begin(self, view: _View) -> None:
        number, place = self._find(view)
        self._offset = None
        if place is None:
            self._target = None
            self._places[self._count] = _Place()
            self._count += 1
            if len(self._places) > _MOST_PLACES:
                self._places.popitem(last=False)
        else:
            self._target = place.as_one()
            self._places.move_to_end(number)

    def _find(self, view: _View) -> tuple[int, _Place | None]:
        """The place of which a frame shows most; None where it shows too little of any."""
        most = _SAME_PLACE
        found: tuple[int, _Place | None] = (-1, None)
        some = view.keys[::_STEP].T
        for number, place in self._places.items():
            best = np.max([(seen.keys @ some).max(axis=0) for seen in place.views], axis=0)
            known = float((best > _KNOWN_CELL).mean())
            if known > most:
                most, found = known, (number, place)
        return found


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

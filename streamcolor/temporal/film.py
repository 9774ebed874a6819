"""What holds one film's colours still, in the order in which its frames are shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..color.lab import Array
from .memory import ShotMemory
from .shots import ShotDetector
from .stabilize import Stabilizer


class StillColours:
    """Shots and their colours over one film; memory does not grow with its length.

    Args:
        strength: of the :class:`~.stabilize.Stabilizer`; with 0, each frame is left to itself.
    """

    def __init__(self, strength: float) -> None:
        self._strength = strength
        self._shots = ShotDetector()
        self._memory = ShotMemory(strength)
        self._stabilizer = Stabilizer(strength)
        #: Shots so far.
        self.shots = 0

    def push(self, luma: NDArray[np.uint8], ab: Array, features: Array | None) -> Array:
        """The next frame's colours as they are to be shown.

        Args:
            luma: working luma ``uint8 (h, w)``.
            ab: what the engine made of it, ``float32 (2, h / stride, w / stride)`` in ab units.
            features: what the model recognizes places by, ``float32 (C, h', w')``; None where it gives none, and shots
                are not remembered.
        """
        if self._strength == 0:
            return ab
        is_new_shot = self._shots.push(luma)
        self.shots += is_new_shot
        ab = self._stabilizer.push(luma, ab, is_new_shot=is_new_shot)
        return ab if features is None else self._memory.push(features, ab, is_new_shot=is_new_shot)

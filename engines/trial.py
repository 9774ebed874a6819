"""Real pictures to try a model on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .base import LumaBatch

_PICTURES = Path(__file__).with_name("trial.png")


def trial_batch() -> LumaBatch:
    """Working luma of three photographs, ``uint8 (3, 1, h, w)``, h and w multiples of 32.

    An astronaut (NASA, public domain), a cat and a cup of coffee (both CC0), stacked in one file.
    """
    stacked = cv2.imread(str(_PICTURES), cv2.IMREAD_GRAYSCALE)
    assert stacked is not None, f"{_PICTURES} is part of the package"
    return np.asarray(stacked, np.uint8).reshape(3, 1, -1, stacked.shape[1])

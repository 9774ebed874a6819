"""Lab as networks see it: both L* and ab in [-1, 1]."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Values = TypeVar("Values", Tensor, NDArray[np.float32])

#: Networks see L* / 50 - 1.
_HALF_OF_LIGHTNESS = 50.0
#: Networks see and give ab / 110: sRGB's colours reach from -108 to 98.
AB_SCALE = 110.0


def scale_lightness(lightness: Values) -> Values:
    """L* in [0, 100] to [-1, 1]."""
    return lightness / _HALF_OF_LIGHTNESS - 1


def scale_ab(ab: Values) -> Values:
    """Lab chroma in ab units to [-1, 1]."""
    return ab / AB_SCALE


def unscale_ab(scaled: Values) -> Values:
    """The inverse of :func:`scale_ab`."""
    return scaled * AB_SCALE

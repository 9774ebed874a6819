"""Figures of how coloured pictures are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def colourfulness(picture: NDArray[np.uint8]) -> float:
    """Metric M3 of D. Hasler and S. Süsstrunk, "Measuring Colourfulness in Natural Images" (SPIE 2003), equation 7.

    Args:
        picture: sRGB ``uint8 (h, w, 3)``.
    """
    red, green, blue = picture.reshape(-1, 3).T.astype(np.float64)
    opponents = np.stack([red - green, (red + green) / 2 - blue])
    return float(np.linalg.norm(opponents.std(axis=1)) + 0.3 * np.linalg.norm(opponents.mean(axis=1)))

"""CIE 1976 L*a*b* under D65, from and to linear RGB."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

#: Real numbers: float32 on the way of a frame; tables, made once, in float64.
Array = NDArray[np.floating[Any]]

Primaries = Literal["bt709", "bt470bg", "smpte170m", "bt2020"]

#: CIE xy of red, green and blue. ITU-R BT.709-6 item 1.3; BT.1700 (625 and 525 lines, SMPTE ST 170); BT.2020-2 table 3.
_CHROMATICITIES: dict[Primaries, tuple[tuple[float, float], ...]] = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt470bg": ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    "smpte170m": ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}
#: D65 in xy, as all four standards give it.
_WHITE_XY = (0.3127, 0.3290)

#: CIE 15:2018, section 8.2.1: where the cube root gives way to a line, and that line's slope.
_EPSILON = 216 / 24389
_KAPPA = 24389 / 27


def _xyz(xy: tuple[float, float]) -> NDArray[np.float64]:
    x, y = xy
    return np.array([x / y, 1, (1 - x - y) / y])


WHITE = _xyz(_WHITE_XY)


@lru_cache
def rgb_to_xyz_matrix(primaries: Primaries) -> NDArray[np.float64]:
    """Matrix from linear RGB to XYZ with white at Y = 1 (SMPTE RP 177-1993, section 3.3)."""
    columns = np.stack([_xyz(xy) for xy in _CHROMATICITIES[primaries]], axis=1)
    return np.asarray(columns * np.linalg.solve(columns, WHITE))


def luminance_to_lightness(luminance: Array) -> Array:
    """L* in [0, 100] of relative luminance Y in [0, 1] (CIE 15:2018, equation 8.3)."""
    linear = _KAPPA * luminance
    return np.where(luminance > _EPSILON, 116 * np.cbrt(luminance) - 16, linear).astype(np.float32)


def lightness_to_luminance(lightness: Array) -> Array:
    """Relative luminance Y in [0, 1] of L* in [0, 100]; the inverse of :func:`luminance_to_lightness`."""
    return _inverse_f((lightness + 16) / 116)


def _inverse_f(f: Array) -> Array:
    return np.where(f > _EPSILON ** (1 / 3), f * f * f, (116 * f - 16) / _KAPPA)


def lab_to_linear_rgb(lightness: Array, ab: Array, primaries: Primaries) -> Array:
    """Linear RGB ``float32 (3, ...)``, clipped to [0, 1], of L* ``(...)`` and ab ``(2, ...)`` (CIE 15:2018, 8.2.1)."""
    f_y = (lightness + 16) / 116
    f = np.stack([f_y + ab[0] / 500, f_y, f_y - ab[1] / 200])
    matrix = np.linalg.inv(rgb_to_xyz_matrix(primaries)) * WHITE
    rgb: Array = np.tensordot(matrix.astype(np.float32), _inverse_f(f), axes=1)
    return np.clip(rgb, 0, 1)

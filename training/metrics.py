"""How near made colours come to true ones: one function a figure, on one still each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

#: Lab chroma ``float32 (2, h, w)`` in ab units.
Chroma = NDArray[np.float32]
#: sRGB ``uint8 (h, w, 3)``.
Picture = NDArray[np.uint8]
#: L* ``float32 (h, w)`` in [0, 100], of the chroma's size.
Lightness = NDArray[np.float32]

#: Upper bounds of the individual typology angle, in degrees, of all groups but the lightest (A. Chardon, I. Cretois and
#: C. Hourseau, "Skin colour typology and suntanning pathways", 1991; S. Del Bino et al., 2006).
_TONES = (("dark", -30), ("brown", 10), ("tan", 28), ("intermediate", 41), ("light", 55))
_LIGHTEST = "very light"
TONES = (*(name for name, _ in _TONES), _LIGHTEST)
#: A still has skin where at least this share of its pixels may be skin.
_SKIN_SHARE = 0.05


def gain_over_gray(made: Chroma, true: Chroma) -> float:
    """10 log10 of gray's squared ab error over that of ``made``, in dB."""
    # A still without colour and one that is met exactly have no ratio; a thousandth of an ab unit stands in.
    return float(10 * np.log10(max(np.mean(true**2), 1e-6) / max(np.mean((made - true) ** 2), 1e-6)))


def ab_error(made: Chroma, true: Chroma) -> float:
    """Root of the mean squared distance of a and of b, in ab units."""
    return float(np.sqrt(np.mean((made - true) ** 2)))


def cast(made: Chroma, true: Chroma) -> float:
    """Distance between the mean colours, in ab units: how much warmer or colder the whole picture is."""
    return float(np.linalg.norm((made - true).mean(axis=(1, 2))))


def mean_chroma(ab: Chroma) -> float:
    """Mean distance from gray, in ab units."""
    return float(np.hypot(*ab).mean())


def colour_difference(lightness: Lightness, made: Chroma, true: Chroma) -> float:
    """Mean CIEDE2000 (CIE 142; ISO/CIE 11664-6)."""
    first, second = (np.stack([lightness, *ab], axis=-1) for ab in (made, true))
    return float(np.mean(deltaE_ciede2000(first, second)))  # type: ignore[no-untyped-call]


def psnr(made: Picture, true: Picture) -> float:
    """Peak signal to noise ratio over R, G and B, in dB."""
    if np.array_equal(made, true):
        return float("inf")
    return float(peak_signal_noise_ratio(true, made))  # type: ignore[no-untyped-call]


def ssim(made: Picture, true: Picture) -> float:
    """Structural similarity, mean over R, G and B (Wang et al., IEEE TIP 2004)."""
    return float(structural_similarity(true, made, channel_axis=-1))  # type: ignore[no-untyped-call]


def histogram(ab: Chroma) -> NDArray[np.int64]:
    """Pixels in each 10 x 10 ab square from -110 to 110."""
    edges = np.arange(-110.0, 111, 10)
    clipped = np.clip(ab.reshape(2, -1), edges[0], edges[-1])
    counts: NDArray[np.int64] = np.histogram2d(clipped[0], clipped[1], bins=[edges, edges])[0].astype(np.int64)
    return counts


def histogram_distance(made: NDArray[Any], true: NDArray[Any]) -> float:
    """Share of the pixels that lie in other squares: 0 where the histograms agree, 1 where nothing does."""
    return float(np.abs(made / made.sum() - true / true.sum()).sum() / 2)


def skin(picture: Picture) -> NDArray[np.bool_] | None:
    """Which pixels may be skin, ``(h, w)``; None where too few are to speak of.

    Cb from 77 to 127 and Cr from 133 to 173 (D. Chai and K. N. Ngan, "Face Segmentation Using Skin-Color Map", IEEE
    TCSVT 1999), which hold for all tones, but for wood and sand too.
    """
    red, green, blue = np.moveaxis(picture.astype(np.float32), -1, 0)
    cb = 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue  # ITU-T T.871 (JFIF), clause 7
    cr = 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue
    mask = (cb >= 77) & (cb <= 127) & (cr >= 133) & (cr <= 173)
    return mask if mask.mean() >= _SKIN_SHARE else None


def skin_tone(lightness: NDArray[np.float32], b: NDArray[np.float32]) -> str:
    """Group of skin by the individual typology angle of its median colour: atan((L* - 50) / b*)."""
    angle = np.degrees(np.arctan2(np.median(lightness) - 50, np.median(b)))
    for name, bound in _TONES:
        if angle <= bound:
            return name
    return _LIGHTEST

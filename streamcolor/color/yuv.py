"""How a film codes brightness and colour: transfer, matrix, range and depth of Y'CbCr."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .lab import Array, Primaries, lab_to_linear_rgb, lightness_to_luminance, luminance_to_lightness

Matrix = Literal["bt709", "bt470bg", "smpte170m", "bt2020nc", "fcc", "smpte240m"]
Transfer = Literal["bt709", "srgb", "gamma22", "gamma28", "linear"]

#: Weights of red and blue in luma. ITU-R BT.709-6 item 3.2; BT.601-7 section 2.5.1; BT.2020-2 table 4;
#: the two others ITU-T H.273 table 4 (values 4 and 7).
_LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt709": (0.2126, 0.0722),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "bt2020nc": (0.2627, 0.0593),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
}


def decode_transfer(coded: Array, transfer: Transfer) -> Array:
    """Linear light in [0, 1] of a coded signal in [0, 1].

    ITU-R BT.709-6 item 1.2 (the same curve as BT.601 and BT.2020), IEC 61966-2-1 section 5.2, and
    ITU-T H.273 table 3 for the pure powers.
    """
    match transfer:
        case "bt709":
            return np.where(coded < 0.081, coded / 4.5, ((coded + 0.099) / 1.099) ** (1 / 0.45))
        case "srgb":
            return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
        case "gamma22":
            return coded**2.2
        case "gamma28":
            return coded**2.8
        case "linear":
            return coded


def encode_transfer(linear: Array, transfer: Transfer) -> Array:
    """Coded signal in [0, 1] of linear light in [0, 1]; the inverse of :func:`decode_transfer`."""
    match transfer:
        case "bt709":
            return np.where(linear < 0.018, 4.5 * linear, 1.099 * linear**0.45 - 0.099)
        case "srgb":
            return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        case "gamma22":
            return linear ** (1 / 2.2)
        case "gamma28":
            return linear ** (1 / 2.8)
        case "linear":
            return linear


@dataclass(frozen=True)
class Coding:
    """One film's Y'CbCr."""

    matrix: Matrix = "bt709"
    primaries: Primaries = "bt709"
    transfer: Transfer = "bt709"
    #: Whether code values span the whole range (0 to 255 at 8 bits) or the limited one (16 to 235).
    full_range: bool = False
    #: Bits a sample.
    bits: int = 8

    @property
    def luma_span(self) -> tuple[float, float]:
        """Code values of black and white (ITU-T H.273, equations 20 to 25)."""
        if self.full_range:
            return 0, 2**self.bits - 1
        return 16 * 2 ** (self.bits - 8), 235 * 2 ** (self.bits - 8)

    @property
    def chroma_span(self) -> tuple[float, float]:
        """Code value of no colour, and the codes from one extreme of Cb or Cr to the other (H.273, as above)."""
        excursion = 2**self.bits - 1 if self.full_range else 224 * 2 ** (self.bits - 8)
        return 2 ** (self.bits - 1), excursion


@lru_cache
def working_luma_table(coding: Coding) -> NDArray[np.uint8]:
    """Table from a film's luma codes to working luma: 8 bits, full range, BT.709 transfer, as models expect it.

    Returns ``uint8 (2 ** bits,)``.
    """
    black, white = coding.luma_span
    codes = np.arange(2**coding.bits, dtype=np.float32)
    coded: Array = np.clip((codes - black) / (white - black), 0, 1)
    if coding.transfer != "bt709":
        coded = encode_transfer(decode_transfer(coded, coding.transfer), "bt709")
    return np.rint(255 * coded).astype(np.uint8)


def working_luma_to_lightness(luma: Array) -> Array:
    """L* in [0, 100] of working luma in [0, 255]."""
    return luminance_to_lightness(decode_transfer(luma / 255, "bt709"))


def lightness_to_working_luma(lightness: Array) -> NDArray[np.uint8]:
    """Working luma of L* in [0, 100], rounded to 8 bits."""
    coded = encode_transfer(lightness_to_luminance(lightness), "bt709")
    return np.rint(255 * np.clip(coded, 0, 1)).astype(np.uint8)


def chroma_codes(luma: Array, ab: Array, coding: Coding) -> Array:
    """Cb and Cr in ``coding``'s code values, not rounded.

    Args:
        luma: working luma, ``float32 (h, w)`` in [0, 255].
        ab: Lab chroma, ``float32 (2, h, w)``, in ab units.

    Returns ``float32 (2, h, w)``. Colours outside the RGB cube are clipped to it (ITU-R BT.709-6 items 3.2
    and 3.3 for the differences and their scale).
    """
    linear = lab_to_linear_rgb(working_luma_to_lightness(luma), ab, coding.primaries)
    red, green, blue = encode_transfer(linear, coding.transfer)
    weight_red, weight_blue = _LUMA_WEIGHTS[coding.matrix]
    coded_luma = weight_red * red + (1 - weight_red - weight_blue) * green + weight_blue * blue
    differences = np.stack([(blue - coded_luma) / (1 - weight_blue), (red - coded_luma) / (1 - weight_red)]) / 2
    neutral, excursion = coding.chroma_span
    return (neutral + excursion * differences).astype(np.float32)

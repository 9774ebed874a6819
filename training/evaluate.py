"""How near a model's colours come to the true ones, on photographs that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from streamcolor.color.yuv import lightness_to_working_luma
from streamcolor.engines import Engine
from streamcolor.errors import DatasetError

from .data.shards import Still
from .data.stills import whole_still

#: The source whose stills are portraits, which are judged apart.
PORTRAITS = "faces"


@dataclass(frozen=True)
class Evaluation:
    """Means over stills."""

    #: 10 log10 of gray's squared ab error over the model's, mean over all stills but portraits, in dB.
    gain_over_gray: float
    #: Mean chroma of the model's colours over the true ones', the same stills.
    chroma_share: float
    #: Mean colour difference on portraits, CIEDE2000; NaN without portraits.
    portrait_difference: float
    #: Stills judged, portraits included.
    stills: int


def evaluate(engine: Engine, stills: Sequence[Still], short_side: int | None = None) -> Evaluation:
    """Judge a model on whole stills, as the pipeline would see them.

    Args:
        short_side: working size in pixels; the model's own where None.

    Raises:
        DatasetError: there are no stills but portraits.
    """
    gains, chroma, true_chroma, differences = [], 0.0, 0.0, []
    for still in stills:
        lightness, ab = (tensor.numpy() for tensor in whole_still(still, short_side or engine.spec.short_side))
        predicted = engine.infer(lightness_to_working_luma(lightness)[None])[0]
        if still.source == PORTRAITS:
            differences.append(_colour_difference(lightness[0], ab, predicted))
            continue
        gains.append(10 * np.log10(np.mean(ab**2) / np.mean((ab - predicted) ** 2)))
        chroma += float(np.hypot(*predicted).mean())
        true_chroma += float(np.hypot(*ab).mean())
    if not gains:
        raise DatasetError("there is nothing to judge by: no stills but portraits")
    return Evaluation(
        gain_over_gray=float(np.mean(gains)),
        chroma_share=chroma / true_chroma,
        portrait_difference=float(np.mean(differences)) if differences else float("nan"),
        stills=len(stills),
    )


def _colour_difference(lightness: NDArray[np.float32], ab: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    stride = lightness.shape[0] // ab.shape[1]
    coarse = lightness[::stride, ::stride]
    first, second = (np.stack([coarse, *chroma], axis=-1) for chroma in (ab, other))
    return float(np.mean(deltaE_ciede2000(first, second)))  # type: ignore[no-untyped-call]

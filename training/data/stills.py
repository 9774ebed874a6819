"""Stills as pairs of aged lightness and true chroma, for the networks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ..networks.unet import INPUT_MULTIPLE, OUTPUT_STRIDE
from .film_look import age
from .shards import Still

#: Random crops come from stills whose short side is this much larger than the crop.
_MAX_ZOOM = 1.25


def split_lab(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """L* ``(h, w)`` in [0, 100] and ab ``(h, w, 2)`` of an sRGB picture ``uint8 (h, w, 3)`` (CIE 15, D65)."""
    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    return lab[..., 0], lab[..., 1:]


def _resize(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    shrinks = height < picture.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=method).astype(np.uint8, copy=False)


def _to_tensors(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """Lightness ``(1, h, w)`` and ab ``(2, h/4, w/4)``, averaged over the output's pixels."""
    height, width = lightness.shape
    size = (width // OUTPUT_STRIDE, height // OUTPUT_STRIDE)
    target = cv2.resize(ab, size, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(lightness))[None], torch.from_numpy(target.transpose(2, 0, 1).copy())


class TrainingCrops(Dataset[tuple[Tensor, Tensor]]):
    """Random square crops, flipped and aged, as an endless sequence of reshuffled epochs.

    Item ``n`` depends on ``(seed, n)`` alone, so that a resumed run goes on with the same data.
    Items are L* ``float32 (1, crop, crop)`` in [0, 100] and ab ``float32 (2, crop/4, crop/4)``.
    """

    def __init__(self, stills: Sequence[Still], crop: int, seed: int) -> None:
        self._stills = stills
        self._crop = crop
        self._seed = seed

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(number, len(self._stills))
        still = self._stills[_shuffled(len(self._stills), self._seed, epoch)[place]]
        rng = np.random.default_rng((self._seed, number))
        lightness, ab = split_lab(self._random_crop(still.read(), rng))
        return _to_tensors(age(lightness, rng), ab)

    def _random_crop(self, picture: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
        crop = self._crop
        short = crop * rng.uniform(1, _MAX_ZOOM)
        scale = short / min(picture.shape[:2])
        height, width = (max(crop, round(side * scale)) for side in picture.shape[:2])
        picture = _resize(picture, height, width)
        top, left = rng.integers(0, height - crop + 1), rng.integers(0, width - crop + 1)
        picture = picture[top : top + crop, left : left + crop]
        return picture[:, ::-1] if rng.random() < 0.5 else picture


@lru_cache(maxsize=1)
def _shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(count)


def whole_still(still: Still, short_side: int) -> tuple[Tensor, Tensor]:
    """A still at working size as the pipeline would see it, unaged: L* ``(1, h, w)`` and ab ``(2, h/4, w/4)``."""
    picture = still.read()
    scale = short_side / min(picture.shape[:2])
    height, width = (max(1, round(side * scale / INPUT_MULTIPLE)) * INPUT_MULTIPLE for side in picture.shape[:2])
    return _to_tensors(*split_lab(_resize(picture, height, width)))

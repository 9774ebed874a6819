"""Stills as pairs of aged lightness and true chroma, for the networks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ..scaling import scale_ab, scale_lightness
from .film_look import age
from .lab import join_lab, split_lab, write_picture
from .shards import Still

#: Random crops come from stills whose short side is this much larger than the crop.
_MAX_ZOOM = 1.25


def resize(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The picture at another size: averaged where that is smaller, interpolated where it is larger."""
    shrinks = height < picture.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=method).astype(np.uint8, copy=False)


def mean_over_output(ab: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """Chroma ``(2, h / stride, w / stride)`` of ab ``(h, w, 2)``, averaged over the output's pixels."""
    height, width = ab.shape[:2]
    reduced = cv2.resize(ab, (width // stride, height // stride), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(reduced.transpose(2, 0, 1), np.float32)


class TrainingCrops(Dataset[tuple[Tensor, Tensor]]):
    """Random square crops, flipped and aged, as an endless sequence of reshuffled epochs.

    Item ``n`` depends on ``(seed, n)`` alone, so that a resumed run goes on with the same data.
    Items are L* ``float32 (1, crop, crop)`` and ab ``float32 (2, crop / stride, crop / stride)``, both in [-1, 1].
    """

    def __init__(self, stills: Sequence[Still], crop: int, stride: int, seed: int) -> None:
        self._stills = stills
        self._crop = crop
        self._stride = stride
        self._seed = seed

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(number, len(self._stills))
        still = self._stills[_shuffled(len(self._stills), self._seed, epoch)[place]]
        rng = np.random.default_rng((self._seed, number))
        lightness, ab = split_lab(self._random_crop(still.read(), rng))
        aged = np.ascontiguousarray(age(lightness, rng), np.float32)
        target = mean_over_output(ab, self._stride)
        return torch.from_numpy(scale_lightness(aged))[None], torch.from_numpy(scale_ab(target))

    def _random_crop(self, picture: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
        crop = self._crop
        short = crop * rng.uniform(1, _MAX_ZOOM)
        scale = short / min(picture.shape[:2])
        height, width = (max(crop, round(side * scale)) for side in picture.shape[:2])
        picture = resize(picture, height, width)
        top, left = rng.integers(0, height - crop + 1), rng.integers(0, width - crop + 1)
        picture = picture[top : top + crop, left : left + crop]
        return picture[:, ::-1] if rng.random() < 0.5 else picture


@lru_cache(maxsize=1)
def _shuffled(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(count)


def whole_still(
    still: Still, short_side: int, multiple: int, stride: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A still at working size as the pipeline would see it, unaged.

    Returns L* ``(h, w)`` in [0, 100] and ab ``(2, h / stride, w / stride)`` in ab units.
    """
    picture = still.read()
    scale = short_side / min(picture.shape[:2])
    height, width = (max(1, round(side * scale / multiple)) * multiple for side in picture.shape[:2])
    lightness, ab = split_lab(resize(picture, height, width))
    return lightness, mean_over_output(ab, stride)


def evenly(stills: Sequence[Still], count: int) -> list[Still]:
    """At most ``count`` stills from all over a set."""
    places = np.linspace(0, len(stills) - 1, min(count, len(stills)))
    return [stills[round(place)] for place in places]


def write_gray(stills: Sequence[Still], folder: Path) -> None:
    """Write each still's L* as a gray PNG of its name.

    Raises:
        DatasetError: a file can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for still in stills:
        lightness = split_lab(still.read())[0]
        gray = join_lab(lightness, np.zeros((2, 1, 1), np.float32))
        write_picture(folder / Path(still.file).with_suffix(".png").name, gray[..., 0])

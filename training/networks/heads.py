"""From a network's last features to chroma: by regression, or by choosing among colour bins."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data.lab import split_lab
from ..scaling import AB_SCALE
from .base import Colours

#: Regression predicts ab in tens, so that its targets are of order one.
_AB_UNIT = 10.0
#: Side of a colour bin, in ab units (Zhang, Isola and Efros, ECCV 2016, section 2.1).
_BIN_SIDE = 10


class RegressionHead(nn.Module):
    """Chroma straight from a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, 2, 1)

    def forward(self, features: Tensor) -> Colours:
        """Chroma in [-1, 1], not clipped."""
        return Colours(_AB_UNIT / AB_SCALE * self.project(features), None)


class BinsHead(nn.Module):
    """A score for each colour bin, and the annealed mean of the bins as chroma.

    R. Zhang, P. Isola and A. A. Efros, "Colorful Image Colorization" (ECCV 2016), sections 2.1 and 2.3.

    Args:
        temperature: 1 is the expected colour; towards 0, the likeliest bin.
    """

    centers: Tensor

    def __init__(self, channels: int, temperature: float) -> None:
        super().__init__()
        self._temperature = temperature
        self.register_buffer("centers", torch.from_numpy(bin_centers() / AB_SCALE))
        self.project = nn.Conv2d(channels, len(self.centers), 1)

    def forward(self, features: Tensor) -> Colours:
        """Chroma in [-1, 1], and the scores it is the annealed mean of."""
        logits = self.project(features)
        shares = torch.softmax(logits / self._temperature, dim=1)
        return Colours(nn.functional.conv2d(shares, self.centers.T[:, :, None, None]), logits)


@lru_cache
def bin_centers() -> NDArray[np.float32]:
    """Centers of the bins that hold some sRGB colour, ``float32 (bins, 2)`` in ab units."""
    levels = np.linspace(0, 255, 52).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(len(levels), -1, 3)
    ab = split_lab(cube)[1].reshape(-1, 2)
    return np.unique(np.rint(ab / _BIN_SIDE), axis=0).astype(np.float32) * _BIN_SIDE


@lru_cache
def _bin_table() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Number of the bin nearest to each cell of the grid around sRGB's colours; the grid's first and last cell."""
    centers = (bin_centers() / _BIN_SIDE).astype(np.int64)
    low, high = centers.min(axis=0), centers.max(axis=0)
    axes = (np.arange(first, last + 1) for first, last in zip(low, high, strict=True))
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return ((cells[:, :, None] - centers) ** 2).sum(axis=-1).argmin(axis=-1), low, high


def nearest_bins(ab: Tensor) -> Tensor:
    """Number of each colour's bin: ``int64 (N, h, w)`` of ab ``(N, 2, h, w)`` in [-1, 1]."""
    table, low, high = _bin_table()
    cells = torch.round(ab * (AB_SCALE / _BIN_SIDE)).long()
    a, b = (
        plane.clamp(int(first), int(last)) - int(first)
        for plane, first, last in zip(cells.unbind(1), low, high, strict=True)
    )
    return torch.from_numpy(table).to(ab.device)[a, b]

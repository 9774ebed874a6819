"""What a generator is trained to make small."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .networks.unet import AB_UNIT

#: Chroma, in ab units, at which a pixel counts twice.
_CHROMA_OF_DOUBLE_WEIGHT = 25.0


def reconstruction(predicted: Tensor, true: Tensor) -> Tensor:
    """Smooth L1 between chroma ``(N, 2, h, w)`` in ab units, coloured pixels weighted up.

    Most of a photograph is nearly gray, and a plain mean draws every guess towards that (Zhang, Isola and Efros,
    "Colorful Image Colorization", ECCV 2016, section 2.2, rebalance classes for the same reason).
    """
    weight = 1 + torch.linalg.vector_norm(true, dim=1, keepdim=True) / _CHROMA_OF_DOUBLE_WEIGHT
    errors = nn.functional.smooth_l1_loss(predicted / AB_UNIT, true / AB_UNIT, reduction="none")
    loss: Tensor = (weight * errors).mean()
    return loss

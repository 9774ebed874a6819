"""What generator and discriminator are trained to make small. Chroma is in [-1, 1] throughout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from .moves import Move
from .networks.base import Colours, Judgement
from .networks.heads import nearest_bins
from .scaling import AB_SCALE

Adversary = Literal["hinge", "bce"]

#: Smooth L1 turns from a square into a line at this error, in ab units.
_SMOOTH_L1_KNEE = 10.0


def chroma_weights(true: Tensor, double: float) -> Tensor:
    """Weight of each pixel ``(N, 1, h, w)``: 1 where gray, 2 at a chroma of ``double`` ab units; 1 where that is 0.

    Most of a photograph is nearly gray, and a plain mean draws every guess towards that (Zhang, Isola and Efros,
    "Colorful Image Colorization", ECCV 2016, section 2.2, rebalance classes for the same reason).
    """
    chroma = torch.linalg.vector_norm(true, dim=1, keepdim=True) * AB_SCALE
    return 1 + chroma / double if double else torch.ones_like(chroma)


def smooth_l1(made: Colours, true: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of smooth L1 in tens of ab units."""
    scale = AB_SCALE / _SMOOTH_L1_KNEE
    return (weights * nn.functional.smooth_l1_loss(scale * made.ab, scale * true, reduction="none")).mean()


def mean_squared(made: Colours, true: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean squared error in [-1, 1]."""
    return (weights * (made.ab - true) ** 2).mean()


def classification(made: Colours, true: Tensor, class_weights: Tensor) -> Tensor:
    """Cross-entropy of the true colours' bins, each pixel weighted by its bin.

    Raises:
        ValueError: the generator gives no scores.
    """
    if made.logits is None:
        raise ValueError("this generator regresses; it has no bins to classify into")
    return nn.functional.cross_entropy(made.logits, nearest_bins(true), class_weights)


def steadiness(made: Tensor, next_made: Tensor, move: Move) -> Tensor:
    """Mean smooth L1, in tens of ab units, between colours moved to the next frame and those made there.

    Transform invariance of G. Eilertsen, R. K. Mantiuk and J. Unger, "Single-frame Regularization for Temporally Stable
    CNNs" (CVPR 2019), equation 6: a network that sees single frames learns to hold still from stills.
    """
    scale = AB_SCALE / _SMOOTH_L1_KNEE
    moved, inside = move.of_colours(made)
    distances = nn.functional.smooth_l1_loss(scale * moved, scale * next_made, reduction="none")
    return (inside * distances).mean() / inside.float().mean()


def class_weights(shares: Tensor, rebalance: float) -> Tensor:
    """Weight of each bin, 1 in the mean over pixels (Zhang, Isola and Efros, ECCV 2016, equation 4).

    Args:
        shares: share of the pixels in each bin; sums to 1.
        rebalance: from 0, all pixels alike, to 1, all bins alike; the paper has 0.5.
    """
    mixed = rebalance * shares + (1 - rebalance) / len(shares)
    weights = torch.where(mixed > 0, 1 / mixed, 0)
    return weights / (shares * weights).sum()


def discriminator_loss(kind: Adversary, true: Tensor, made: Tensor) -> Tensor:
    """What the discriminator makes small, from its logits of true and made colours.

    Hinge: J. H. Lim and J. C. Ye, "Geometric GAN" (2017). Binary cross-entropy: Goodfellow et al. (NeurIPS 2014).
    """
    if kind == "hinge":
        return (nn.functional.relu(1 - true).mean() + nn.functional.relu(1 + made).mean()) / 2
    return (nn.functional.softplus(-true).mean() + nn.functional.softplus(made).mean()) / 2


def adversarial_loss(kind: Adversary, made: Tensor) -> Tensor:
    """What the generator makes small, from the discriminator's logits of its colours; not saturating."""
    return -made.mean() if kind == "hinge" else nn.functional.softplus(-made).mean()


def feature_matching(true: Iterable[Tensor], made: Iterable[Tensor]) -> Tensor:
    """Mean L1 between the discriminator's features (Wang et al., "pix2pixHD", CVPR 2018, equation 4)."""
    distances = [nn.functional.l1_loss(second, first.detach()) for first, second in zip(true, made, strict=True)]
    return torch.stack(distances).mean()


def halves(judgement: Judgement) -> tuple[Judgement, Judgement]:
    """The two halves of a batch that was judged together."""
    parts = [tensor.chunk(2) for tensor in (judgement.logits, *judgement.features)]
    first, second = ([part[half] for part in parts] for half in (0, 1))
    return Judgement(first[0], first[1:]), Judgement(second[0], second[1:])

"""What every generator and discriminator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn


class Colours(NamedTuple):
    """What a generator makes of lightness."""

    #: Chroma ``float32 (N, 2, h / stride, w / stride)`` in [-1, 1].
    ab: Tensor
    #: A score for each colour bin, ``(N, bins, h / stride, w / stride)``; None where the head regresses.
    logits: Tensor | None
    #: What the network recognized, by which places are told apart: ``(N, C, h / 16, w / 16)``; None where it can't say.
    features: Tensor | None = None


class Generator(nn.Module, ABC):
    """Lightness in, chroma out."""

    #: Input pixels from one output pixel to the next.
    stride: int
    #: Both sides of the input must be a multiple of this.
    multiple: int

    @abstractmethod
    def forward(self, lightness: Tensor) -> Colours:
        """Chroma of lightness ``float32 (N, 1, h, w)`` in [-1, 1]."""

    def pretrained_parameters(self) -> list[nn.Parameter]:
        """Weights that begin with knowledge of their own and learn at their own rate."""
        return []


class Judgement(NamedTuple):
    """What a discriminator thinks of colours."""

    #: High where the colours look true, low where they look made; one score a picture or a patch.
    logits: Tensor
    #: Activations of the hidden layers, for feature matching.
    features: list[Tensor]


class Discriminator(nn.Module, ABC):
    """Tells true chroma from made chroma, given the lightness."""

    @abstractmethod
    def forward(self, lightness: Tensor, ab: Tensor) -> Judgement:
        """Judge chroma ``(N, 2, h / stride, w / stride)`` of lightness ``(N, 1, h, w)``, both in [-1, 1]."""

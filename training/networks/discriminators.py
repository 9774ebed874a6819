"""Discriminators conditional on luma."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .base import Discriminator, Judgement

_SLOPE = 0.2


class PatchDiscriminator(Discriminator):
    """PatchGAN with spectral norm: a score for each patch.

    P. Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017), section 3.2.2;
    T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (ICLR 2018). Lightness enters
    pixel-unshuffled, so that it keeps full resolution beside the smaller chroma.

    Args:
        stride: lightness pixels from one chroma pixel to the next.
    """

    def __init__(self, stride: int, widths: tuple[int, int, int] = (64, 128, 256)) -> None:
        super().__init__()
        self._fold = nn.PixelUnshuffle(stride)
        first, second, third = widths
        self.layers = nn.ModuleList(
            spectral_norm(layer)
            for layer in (
                nn.Conv2d(stride**2 + 2, first, 4, 2, padding=1),
                nn.Conv2d(first, second, 4, 2, padding=1),
                nn.Conv2d(second, third, 3, padding=1),
            )
        )
        self.score = spectral_norm(nn.Conv2d(third, 1, 3, padding=1))

    def forward(self, lightness: Tensor, ab: Tensor) -> Judgement:
        """Scores ``(N, 1, h / (4 stride), w / (4 stride))``."""
        x = torch.cat([self._fold(lightness), ab], dim=1)
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), _SLOPE)
            features.append(x)
        return Judgement(self.score(x), features)


class PaperDiscriminator(Discriminator):
    """The discriminator of Cao et al. (2017): four convolutions of stride 2, two dense layers, a score a picture.

    Chroma is resized to the lightness. The last features are averaged into 4 x 4 places, which at the paper's 64 pixels
    changes nothing, so that crops may have any size.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (64, 128, 256, 512)) -> None:
        super().__init__()
        inputs = (3, *widths[:-1])
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(narrow, wide, 5, 2, padding=2), nn.BatchNorm2d(wide) if number else nn.Identity())
            for number, (narrow, wide) in enumerate(zip(inputs, widths, strict=True))
        )
        self.score = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * widths[-1], 64), nn.Linear(64, 1)
        )

    def forward(self, lightness: Tensor, ab: Tensor) -> Judgement:
        """Scores ``(N, 1)``."""
        ab = nn.functional.interpolate(ab, lightness.shape[2:], mode="bilinear")
        x = torch.cat([lightness, ab], dim=1)
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), _SLOPE)
            features.append(x)
        return Judgement(self.score(x), features)

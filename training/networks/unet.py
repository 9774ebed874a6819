"""The default generator: an encoder joined by a plain decoder, L* in and ab at a quarter of its size out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .base import Colours, Generator
from .efficientnet_lite import EfficientNetLite
from .heads import BinsHead, RegressionHead
from .plain import PlainEncoder, conv_block

#: Mean and standard deviation of ImageNet's channels in [-1, 1], which the pretrained encoders expect.
_IMAGENET_MEAN = 2 * 0.449 - 1
_IMAGENET_STD = 2 * 0.226


class UNet(Generator):
    """Features of four sizes, joined from coarse to fine.

    Args:
        encoder: gives features at 1/4, 1/8, 1/16 and 1/32 of its input.
        decoder: channels at those four sizes.
        head: made for ``decoder[0]`` channels.
    """

    stride = 4
    multiple = 32

    def __init__(
        self, encoder: EfficientNetLite | PlainEncoder, decoder: Sequence[int], head: RegressionHead | BinsHead
    ) -> None:
        super().__init__()
        self.encoder = encoder
        quarter, eighth, sixteenth, thirtysecond = encoder.channels
        self.bottom = conv_block(thirtysecond, decoder[3], kernel=1)
        self.context = nn.Conv2d(thirtysecond, decoder[3], 1)
        self.joins = nn.ModuleList(
            [
                conv_block(decoder[3] + sixteenth, decoder[2]),
                conv_block(decoder[2] + eighth, decoder[1]),
                conv_block(decoder[1] + quarter, decoder[0]),
            ]
        )
        self.last = conv_block(decoder[0], decoder[0])
        self.head = head

    def forward(self, lightness: Tensor) -> Colours:
        """Chroma of lightness; the mean of the coarsest features reaches every pixel."""
        features = self.encoder((lightness - _IMAGENET_MEAN) / _IMAGENET_STD)
        coarsest = features[-1]
        x = self.bottom(coarsest) + self.context(coarsest.mean(dim=(2, 3), keepdim=True))
        for join, skip in zip(self.joins, reversed(features[:-1]), strict=True):
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = join(torch.cat([x, skip], dim=1))
        colours: Colours = self.head(self.last(x))
        return colours._replace(features=features[-2])

    def pretrained_parameters(self) -> list[nn.Parameter]:
        """The encoder's, where it comes from ImageNet."""
        return list(self.encoder.parameters()) if isinstance(self.encoder, EfficientNetLite) else []

"""The default generator: a pretrained mobile encoder joined by a plain decoder, L* in and ab out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .efficientnet_lite import EfficientNetLite, Variant

#: Mean and standard deviation of ImageNet's channels, which the encoder's weights expect.
_IMAGENET_MEAN = 0.449
_IMAGENET_STD = 0.226
#: The head predicts ab in tens, so that its targets are of order one.
AB_UNIT = 10.0
#: Output pixels are this many input pixels apart.
OUTPUT_STRIDE = 4
#: Both sides of the input must be a multiple of this.
INPUT_MULTIPLE = 32


def _conv_block(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Colour generator.

    ``forward`` takes L* as ``float32 (N, 1, h, w)`` in [0, 100], h and w multiples of 32, and
    returns Lab chroma ``float32 (N, 2, h/4, w/4)`` in ab units (about -110 to 110).
    """

    def __init__(self, variant: Variant = "lite0", decoder: tuple[int, int, int, int] = (48, 64, 96, 128)) -> None:
        super().__init__()
        self.encoder = EfficientNetLite(variant)
        quarter, eighth, sixteenth, thirtysecond = self.encoder.channels
        self.bottom = _conv_block(thirtysecond, decoder[3], kernel=1)
        self.joins = nn.ModuleList(
            [
                _conv_block(decoder[3] + sixteenth, decoder[2]),
                _conv_block(decoder[2] + eighth, decoder[1]),
                _conv_block(decoder[1] + quarter, decoder[0]),
            ]
        )
        self.head = nn.Sequential(_conv_block(decoder[0], decoder[0]), nn.Conv2d(decoder[0], 2, 1))

    def forward(self, lightness: Tensor) -> Tensor:
        """Chroma of lightness."""
        features = self.encoder((lightness / 100 - _IMAGENET_MEAN) / _IMAGENET_STD)
        x = self.bottom(features[-1])
        for join, skip in zip(self.joins, reversed(features[:-1]), strict=True):
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = join(torch.cat([x, skip], dim=1))
        ab: Tensor = AB_UNIT * self.head(x)
        return ab

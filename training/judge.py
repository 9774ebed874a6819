"""A trained discriminator as a judge of colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from streamcolor.errors import TrainingError

from . import checkpoint
from .evaluate import Judge
from .networks.build import build_discriminator, build_generator
from .scaling import scale_ab, scale_lightness


def read_judge(path: Path) -> Judge:
    """Binary cross-entropy of the checkpoint's discriminator when it takes a still's made colours for true ones.

    Raises:
        TrainingError: the file is no checkpoint, or its last stage trained no discriminator.
    """
    saved = checkpoint.read(path)
    if not saved.part("discriminator_optimizer"):
        raise TrainingError(f"{path} is of a run whose last stage trained no discriminator")
    discriminator = build_discriminator(saved.networks).eval()
    discriminator.load_state_dict(saved.part("discriminator"))
    stride = build_generator(saved.networks.generator).stride

    def judge(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> float:
        planes = torch.from_numpy(scale_lightness(lightness)[None, None])
        colours = torch.from_numpy(scale_ab(ab)[None])
        size = [side // stride for side in lightness.shape]
        with torch.inference_mode():
            resized = nn.functional.interpolate(colours, size, mode="bilinear")
            return float(nn.functional.softplus(-discriminator(planes, resized).logits).mean())

    return judge

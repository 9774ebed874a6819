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
from .networks.build import build_discriminator
from .scaling import scale_ab, scale_lightness


def read_judge(path: Path) -> Judge:
    """Binary cross-entropy of the checkpoint's discriminator when it takes a still's made colours for true ones.

    Raises:
        TrainingError: the file is no checkpoint, or its run never trained a discriminator.
    """
    saved = checkpoint.read(path)
    if not saved.part("discriminator_optimizer"):
        raise TrainingError(f"{path} is of a run whose last stage trained no discriminator")
    discriminator = build_discriminator(saved.networks).eval()
    discriminator.load_state_dict(saved.part("discriminator"))

    def judge(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> float:
        inputs = (torch.from_numpy(plane) for plane in (scale_lightness(lightness)[None, None], scale_ab(ab)[None]))
        with torch.inference_mode():
            return float(nn.functional.softplus(-discriminator(*inputs).logits).mean())

    return judge

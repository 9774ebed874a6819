"""What a run shows of itself while it goes on: TensorBoard's curves, and pictures of the same validation stills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from .data.lab import join_lab, write_picture
from .data.shards import Still
from .data.stills import evenly, whole_still
from .networks.base import Generator
from .scaling import scale_lightness, unscale_ab

_STILLS = 8
_SHORT_SIDE = 160


class RunLog:
    """Curves in ``folder`` for TensorBoard, and pictures ``folder/pictures/STEP.png``; a context manager.

    Args:
        stills: a few of these are shown: gray, made and true.
        first_step: where the run goes on; later curves of a run that was cut off are hidden.
    """

    def __init__(self, folder: Path, stills: Sequence[Still], first_step: int) -> None:
        self._writer = SummaryWriter(folder, purge_step=first_step)
        self._pictures = folder / "pictures"
        self._pictures.mkdir(parents=True, exist_ok=True)
        self._stills = evenly(stills, _STILLS)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point on each named curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def pictures(self, step: int, generator: Generator) -> None:
        """Colour the stills with a generator, which is put into evaluation mode."""
        columns = [_column(still, generator.eval()) for still in self._stills]
        if not columns:
            return
        height = max(column.shape[0] for column in columns)
        padded = [np.pad(column, ((0, height - column.shape[0]), (0, 0), (0, 0))) for column in columns]
        grid = np.concatenate(padded, axis=1)
        self._writer.add_image("stills", grid, step, dataformats="HWC")
        write_picture(self._pictures / f"{step:07}.png", grid)


def _column(still: Still, generator: Generator) -> NDArray[np.uint8]:
    lightness, true = whole_still(still, _SHORT_SIDE, generator.multiple, generator.stride)
    device = next(generator.parameters()).device
    with torch.inference_mode():
        made = generator(torch.from_numpy(scale_lightness(lightness))[None, None].to(device)).ab[0]
    rows = [join_lab(lightness, ab) for ab in (0 * true, unscale_ab(made.float().cpu().numpy()), true)]
    return np.concatenate(rows)

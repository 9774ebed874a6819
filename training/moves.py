"""Small moves of the camera and changes of exposure, which make another frame of a film of a still."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

#: The largest turn in radians, zoom, shift as a share of the side, change of exposure, and new grain.
_TURN, _ZOOM, _SHIFT = math.radians(2), 0.04, 0.04
_EXPOSURE = 0.08
_GRAIN = 0.02


@dataclass(frozen=True)
class Move:
    """One move for each picture of a batch."""

    #: Where in the picture each place of the moved one was, as ``torch.nn.functional.affine_grid`` takes it.
    matrices: Tensor

    @classmethod
    def random(cls, count: int, device: torch.device) -> Self:
        """Moves by torch's random numbers."""
        turn, zoom, right, down = (2 * torch.rand(4, count, device=device) - 1) * torch.tensor(
            [[_TURN], [_ZOOM], [2 * _SHIFT], [2 * _SHIFT]], device=device
        )
        cosine, sine = (1 + zoom) * turn.cos(), (1 + zoom) * turn.sin()
        return cls(torch.stack([cosine, -sine, right, sine, cosine, down], dim=1).view(count, 2, 3))

    def of_lightness(self, lightness: Tensor) -> Tensor:
        """The next frame's lightness ``(N, 1, h, w)`` in [-1, 1], in other exposure and with grain of its own."""
        moved = _sampled(lightness, self._places(lightness), "reflection")
        exposure = 1 + _EXPOSURE * (2 * torch.rand(len(moved), 1, 1, 1, device=moved.device) - 1)
        return ((moved + 1) * exposure - 1 + _GRAIN * torch.randn_like(moved)).clamp(-1, 1)

    def of_colours(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """Colours ``(N, 2, h, w)`` where they are in the next frame, and which places came from the picture."""
        places = self._places(ab)
        inside = (places.abs() <= 1).all(dim=-1)[:, None]
        return _sampled(ab, places, "border"), inside

    def _places(self, planes: Tensor) -> Tensor:
        return nn.functional.affine_grid(self.matrices, list(planes.shape), align_corners=False)


def _sampled(planes: Tensor, places: Tensor, outside: str) -> Tensor:
    return nn.functional.grid_sample(planes, places, padding_mode=outside, align_corners=False)

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage import transform

from streamcolor.training import losses, moves
from streamcolor.training.moves import Move
from streamcolor.training.scaling import AB_SCALE


def waves(size: int) -> torch.Tensor:
    """A smooth picture, ``(1, 1, size, size)``."""
    places = (np.arange(size) + 0.5) / size
    x, y = np.meshgrid(places, places)
    return torch.tensor(0.6 * np.sin(5 * x + 1) * np.cos(4 * y), dtype=torch.float32)[None, None]


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "_EXPOSURE", 0)
    monkeypatch.setattr(moves, "_GRAIN", 0)


@pytest.mark.usefixtures("quiet")
def test_a_move_is_scikit_images() -> None:
    size, turn, zoom, right, down = 64, 0.03, 1.02, 0.05, -0.04
    cosine, sine = zoom * math.cos(turn), zoom * math.sin(turn)
    move = Move(torch.tensor([[[cosine, -sine, right], [sine, cosine, down]]]))
    centre = transform.AffineTransform(translation=(-(size - 1) / 2, -(size - 1) / 2))
    about = transform.AffineTransform(
        scale=zoom, rotation=turn, translation=((size - 1 + right * size) / 2, (size - 1 + down * size) / 2)
    )
    picture = waves(size)
    expected = transform.warp(picture[0, 0].numpy(), centre + about, order=1, mode="edge")
    made = move.of_lightness(picture)[0, 0].numpy()
    assert np.abs(made - expected)[6:-6, 6:-6].max() < 2e-3


@pytest.mark.usefixtures("quiet")
def test_colours_at_a_quarter_of_the_size_move_with_the_lightness() -> None:
    torch.manual_seed(3)
    move = Move.random(1, torch.device("cpu"))
    reduce = torch.nn.AvgPool2d(4)
    moved, inside = move.of_colours(reduce(waves(128)).expand(1, 2, 32, 32))
    expected = reduce(move.of_lightness(waves(128)))
    assert 0.7 < inside.float().mean() < 1
    assert ((moved - expected).abs() * inside).max() < 0.02


@pytest.mark.usefixtures("quiet")
def test_what_holds_still_costs_nothing_and_what_jumps_its_distance() -> None:
    torch.manual_seed(3)
    move = Move.random(1, torch.device("cpu"))
    made = torch.zeros(1, 2, 32, 32)
    assert losses.steadiness(made, made, move).item() == 0
    jumped = torch.full_like(made, 10 / AB_SCALE)
    assert losses.steadiness(made, jumped, move).item() == pytest.approx(0.5)  # smooth L1 at its knee, in both channels


def test_the_next_frame_has_other_exposure_and_grain() -> None:
    torch.manual_seed(3)
    gray = torch.zeros(64, 1, 32, 32)
    frames = Move.random(64, torch.device("cpu")).of_lightness(gray)
    exposures = frames.mean(dim=(1, 2, 3))
    assert exposures.abs().max() <= moves._EXPOSURE + 0.005
    assert exposures.std() > moves._EXPOSURE / 3
    assert frames.std(dim=(1, 2, 3)).mean() == pytest.approx(moves._GRAIN, rel=0.1)

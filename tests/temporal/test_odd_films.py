"""Films that give what holds colours still nothing, or too much, to go by: sensible colours all the same."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

import streamcolor
from streamcolor.engines import Engine
from streamcolor.temporal.film import StillColours
from streamcolor.temporal.measure import colour_error

from films import Film, decoded
from scenes import dissolve, scene


def colours(engine: Engine, lumas: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """The network's own colours of a film, those that are shown, and how many shots it is taken to have."""
    made = engine.collect(engine.submit(lumas[:, None]))
    assert made.features is not None
    still = StillColours(0.95)
    shown = [still.push(*frame) for frame in zip(lumas, made.ab, made.features, strict=True)]
    return made.ab, np.stack(shown), still.shots


def distances(own: np.ndarray, shown: np.ndarray) -> np.ndarray:
    return np.array([*map(colour_error, own, shown)])


def test_a_single_frame_has_its_own_colours(engine: Engine) -> None:
    own, shown, shots = colours(engine, scene(0, 1))
    np.testing.assert_array_equal(own, shown)
    assert shots == 1


def test_frames_that_repeat_stay_as_they_are(engine: Engine) -> None:
    own, shown, shots = colours(engine, np.repeat(scene(0, 1), 24, axis=0))
    np.testing.assert_allclose(shown, own, atol=0.05)
    assert shots == 1


@pytest.mark.parametrize("leader", [0, 128, 255])
def test_after_blank_leader_a_scene_begins_anew(engine: Engine, leader: int) -> None:
    lumas = np.concatenate([np.full((10, 160, 224), leader, np.uint8), scene(0, 6)])
    own, shown, shots = colours(engine, lumas)
    assert shots == 2
    np.testing.assert_array_equal(shown[10], own[10])
    assert np.isfinite(shown).all()


def test_one_long_dissolve_is_followed(engine: Engine) -> None:
    """Neither scene's colours stay on the other."""
    first, second = scene(0, 60, speed=0.2), scene(1, 60, speed=0.2)
    lumas = np.concatenate([first[:4], dissolve(first[4:], second[4:]), second[:8]])
    own, shown, _ = colours(engine, lumas)
    assert distances(own, shown)[-1] < 0.5 * np.linalg.norm(own[0] - own[-1], axis=0).mean()


def test_a_cut_every_frame_leaks_nothing(engine: Engine) -> None:
    lumas = np.concatenate([scene(number, 1) for number in range(3)] * 4)
    own, shown, shots = colours(engine, lumas)
    assert shots == len(lumas)
    np.testing.assert_array_equal(shown[:3], own[:3])
    assert distances(own, shown).max() < 0.1  # they return as they were


def jumping(times: Callable[[int], int], path: Path) -> Path:
    return Film(pts=[times(number) for number in range(12)], pix_fmt="gray", codec="ffv1").write(path)


@pytest.mark.parametrize(
    "times", [lambda n: n if n < 6 else n + 90_000, lambda n: 3 * n if n % 2 else 3 * n + 2], ids=["far", "to and fro"]
)
def test_times_that_jump_change_no_colours(times: Callable[[int], int], tmp_path: Path) -> None:
    def coloured(film: Path) -> np.ndarray:
        output = tmp_path / f"{film.stem}.color.mkv"
        report = streamcolor.colorize(film, output, codec="ffv1", engine="onnxruntime")
        assert report.frames == 12
        return np.stack([frame.to_ndarray() for frame in decoded(output)])

    steady = jumping(lambda number: number, tmp_path / "steady.mkv")
    np.testing.assert_array_equal(coloured(jumping(times, tmp_path / "jumping.mkv")), coloured(steady))


def test_a_still_film_has_still_colours(tmp_path: Path) -> None:
    """A held picture, compressed: what comes out holds as well, and most of it skips the network."""
    film = tmp_path / "film.mkv"
    luma = scene(1, 1)[0]
    with av.open(str(film), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = luma.shape[1], luma.shape[0], "yuv420p"
        for _ in range(40):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(luma, format="gray8")))
        container.mux(stream.encode(None))
    output = tmp_path / "out.mkv"
    report = streamcolor.colorize(film, output, codec="ffv1", engine="onnxruntime")
    assert report.repeats >= 30
    chroma = [frame.to_ndarray()[160:].astype(int) for frame in decoded(output)]
    assert max(np.abs(after - before).max() for before, after in pairwise(chroma)) <= 3

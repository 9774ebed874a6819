"""A film from its midst on has the colours that it has there as a whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import streamcolor
from streamcolor import Colorizer, ColorOptions, LeadIn

from films import decoded
from scenes import scene


def films_frames(*, repeated: bool = False) -> list[av.VideoFrame]:
    """Two shots of 30 frames."""
    lumas = np.concatenate([scene(0, 30), scene(1, 30)])
    if repeated:  # each shown twice, as in animation on twos
        lumas = np.repeat(lumas[::2], 2, axis=0)
    frames = []
    for number, luma in enumerate(lumas):
        frame = av.VideoFrame.from_ndarray(luma, format="gray8")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        frames.append(frame)
    return frames


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(films_frames(), tmp_path_factory.mktemp("access") / "film.mkv")


def write(frames: list[av.VideoFrame], path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "20", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def coloured(film: Path, output: Path, **options: object) -> tuple[np.ndarray, streamcolor.Report]:
    report = streamcolor.colorize(film, output, codec="ffv1", engine="onnxruntime", **options)
    return np.stack([frame.to_ndarray() for frame in decoded(output)]), report


@pytest.mark.parametrize("start", [7, 29, 30, 31, 52])
def test_a_part_is_the_whole_ones(film: Path, tmp_path: Path, start: int) -> None:
    """At whatever frame of a shot it begins; the engine sees the frames in other batches."""
    whole, _ = coloured(film, tmp_path / "whole.mkv")
    part, report = coloured(film, tmp_path / "part.mkv", start=Fraction(start, 25))
    assert report.frames == len(part) == 60 - start
    assert np.abs(part.astype(int) - whole[start:]).max() <= 1
    # It would not be without looking at the shot's beginning.
    if start == 52:
        with Colorizer(ColorOptions(engine="onnxruntime")) as colorizer:
            alone = next(colorizer.colorize_frames(films_frames()[start:]))
        assert np.abs(alone.to_ndarray().astype(int)[160:] - whole[start, 160:]).max() > 1


def test_the_shots_beginning_is_looked_for_farther_back(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamcolor.job._WINDOWS", (Fraction(2, 25), Fraction(40, 25)))
    whole, _ = coloured(film, tmp_path / "whole.mkv")
    part, report = coloured(film, tmp_path / "part.mkv", start=Fraction(55, 25))
    assert np.abs(part.astype(int) - whole[55:]).max() <= 1
    assert not report.notes


def test_a_shot_that_began_too_long_ago_is_said(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamcolor.job._WINDOWS", (Fraction(2, 25), Fraction(8, 25)))
    whole, _ = coloured(film, tmp_path / "whole.mkv")
    part, report = coloured(film, tmp_path / "part.mkv", start=Fraction(55, 25))
    assert "no shot begins in the" in report.notes[0]
    assert np.abs(part.astype(int) - whole[55:])[:, 160:].mean() < 1


def test_lead_ins_do_not_come_out() -> None:
    frames = films_frames()[30:44]
    with Colorizer(ColorOptions(engine="onnxruntime")) as colorizer:
        whole = list(colorizer.colorize_frames(frames))
    with Colorizer(ColorOptions(engine="onnxruntime")) as colorizer:
        part = list(colorizer.colorize_frames([*map(LeadIn, frames[:9]), *frames[9:]]))
    assert [frame.pts for frame in part] == [frame.pts for frame in whole[9:]]
    for one, other in zip(part, whole[9:], strict=True):
        assert np.abs(one.to_ndarray().astype(int) - other.to_ndarray()).max() <= 1


def test_repeated_frames_skip_the_network_and_are_counted(tmp_path: Path) -> None:
    film = write(films_frames(repeated=True), tmp_path / "film.mkv")
    held, report = coloured(film, tmp_path / "held.mkv")
    loose, of_loose = coloured(film, tmp_path / "loose.mkv", stabilize=0)
    assert report.repeats > 15  # a lossy codec changes some
    assert of_loose.repeats == 0
    assert held.shape == loose.shape
    assert np.abs(held.astype(int) - loose)[:, 160:].mean() < 2

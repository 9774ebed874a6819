"""Two films compared, in figures and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import color

from films import crops, decoded, streamcolor, write_colour_film


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return crops(2, (160, 96), seed=3)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, pictures: list[np.ndarray]) -> tuple[Path, Path]:
    """A film in colour of two shots of ten frames, and the same in gray."""
    folder = tmp_path_factory.mktemp("compare")
    gray = [np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2) for picture in pictures]
    return (
        write_colour_film(folder / "colour.mkv", pictures, codec="ffv1"),
        write_colour_film(folder / "gray.mkv", gray, codec="ffv1"),
    )


def test_figures_are_those_of_the_pictures(films: tuple[Path, Path], pictures: list[np.ndarray]) -> None:
    found = json.loads(streamcolor("compare", *films, "--json").stdout)
    assert [(shot["begin"], shot["frames"]) for shot in found["shots"]] == [(0, 10), (10, 10)]
    for shot, picture in zip(found["shots"], pictures, strict=True):
        small = cv2.resize(picture, (67, 40), interpolation=cv2.INTER_AREA)
        chroma = np.linalg.norm(color.rgb2lab(small)[..., 1:], axis=-1).mean()
        assert shot["first"]["chroma"] == pytest.approx(chroma, rel=0.1)
        assert shot["second"]["chroma"] < 1
        assert shot["colour_difference"] == pytest.approx(chroma, rel=0.1)
        assert shot["second"]["colourfulness"] < 2 < shot["first"]["colourfulness"]
        assert shot["first"]["warping"] == pytest.approx(0, abs=0.01)  # nothing moves
    assert found["whole"]["luma_difference"] < 3


def test_a_film_is_like_itself(films: tuple[Path, Path]) -> None:
    found = json.loads(streamcolor("compare", films[0], films[0], "--json").stdout)["whole"]
    assert (found["luma_difference"], found["colour_difference"]) == (0, 0)
    assert found["first"] == found["second"]


def test_the_table_names_both(films: tuple[Path, Path]) -> None:
    done = streamcolor("compare", *films)
    assert done.returncode == 0
    for said in ("colour.mkv", "gray.mkv", "warping error", "luma difference"):
        assert said in done.stdout


@pytest.mark.parametrize(("arrangement", "width"), [("side-by-side", 320), ("split", 160), ("wipe", 160)])
def test_a_film_shows_both(films: tuple[Path, Path], tmp_path: Path, arrangement: str, width: int) -> None:
    output = tmp_path / "both.mp4"
    assert streamcolor("compare", *films, "-o", output, "--arrangement", arrangement).returncode == 0
    frames = decoded(output)
    assert len(frames) == 20
    assert (frames[0].width, frames[0].height) == (width, 96)
    for frame in frames[:1] if arrangement == "wipe" else frames:
        shown = frame.to_ndarray(format="rgb24").astype(int)
        spread = (shown.max(axis=2) - shown.min(axis=2)).mean(axis=0)
        half = width // 2
        assert spread[half + 4 :].mean() < 4
        assert arrangement == "wipe" or spread[: half - 4].mean() > 10


def test_a_picture_shows_the_first_frame_of_each_shot(films: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "both.png"
    assert streamcolor("compare", *films, "-o", output).returncode == 0
    assert cv2.imread(str(output)).shape == (2 * 96, 2 * 160, 3)
    again = streamcolor("compare", *films, "-o", output)
    assert again.returncode == 4
    assert "--overwrite" in again.stderr


def test_what_one_has_more_is_told(films: tuple[Path, Path], tmp_path: Path, pictures: list[np.ndarray]) -> None:
    short = write_colour_film(tmp_path / "short.mkv", pictures[:1], codec="ffv1")
    done = streamcolor("compare", films[0], short)
    assert done.returncode == 0
    assert "colour.mkv has 10 frames more" in done.stderr


@pytest.mark.parametrize("name", ["missing.mkv", "text.mkv"])
def test_what_is_no_film_is_one_line(films: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    if name == "text.mkv":
        (tmp_path / name).write_text("no film")
    done = streamcolor("compare", films[0], tmp_path / name, "-o", tmp_path / "out.mp4")
    assert done.returncode == 3
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.mp4").exists()

from __future__ import annotations

import tarfile
from pathlib import Path

import cv2
import kornia
import numpy as np
import pytest
import torch
from skimage import color

from streamcolor.errors import DatasetError
from streamcolor.training.data.film_look import age
from streamcolor.training.data.lab import join_lab, split_lab
from streamcolor.training.data.shards import read_index
from streamcolor.training.data.stills import TrainingCrops, whole_still, write_gray
from streamcolor.training.scaling import scale_ab, scale_lightness, unscale_ab

from films import photographs


def kornia_lab(picture: np.ndarray) -> np.ndarray:
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    return kornia.color.rgb_to_lab(tensor)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("reference", [color.rgb2lab, kornia_lab])
def test_lab_is_that_of_other_libraries(reference: object) -> None:
    for picture in photographs():
        lightness, ab = split_lab(picture)
        difference = np.abs(np.dstack([lightness, ab]) - reference(picture))  # type: ignore[operator]
        assert difference.max() < 0.5  # OpenCV interpolates in a table
        assert difference.mean() < 0.1


def test_lab_goes_back_to_the_picture() -> None:
    for picture in photographs():
        lightness, ab = split_lab(picture)
        back = join_lab(lightness, ab.transpose(2, 0, 1))
        assert np.abs(back.astype(int) - picture).max() <= 3


def test_networks_see_lab_between_minus_one_and_one() -> None:
    cube = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), axis=-1).reshape(18, -1, 3)
    lightness, ab = split_lab(cube)
    scaled_lightness, scaled_ab = scale_lightness(lightness), scale_ab(ab)
    assert scaled_lightness.min() == pytest.approx(-1, abs=0.01)
    assert scaled_lightness.max() == pytest.approx(1, abs=0.01)
    assert -1 <= scaled_ab.min() < -0.9 < 0.85 < scaled_ab.max() <= 1
    np.testing.assert_allclose(scaled_lightness, lightness / 50 - 1, atol=1e-6)
    np.testing.assert_allclose(unscale_ab(scaled_ab), ab, atol=1e-4)


def test_no_still_is_on_both_sides(stills: Path) -> None:
    train, val = (read_index([stills], side) for side in ("train", "val"))
    names = [{still.file for still in side} for side in (train, val)]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == 120
    assert 0 < len(val) < 20


def test_stills_are_read_from_their_place_in_the_shard(stills: Path) -> None:
    still = read_index([stills], "train")[70]
    with tarfile.open(still.shard) as tar:
        member = tar.extractfile(still.file)
        assert member is not None
        expected = cv2.imdecode(np.frombuffer(member.read(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(still.read(), expected)


def test_a_folder_without_an_index_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no index.jsonl"):
        read_index([tmp_path], "train")


def test_a_shard_cut_short_says_so(stills: Path, tmp_path: Path) -> None:
    for file in stills.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(DatasetError, match="build it anew"):
        read_index([tmp_path], "train")


def test_crops_depend_on_their_number_alone(stills: Path) -> None:
    index = read_index([stills], "train")
    first, second = (TrainingCrops(index, 64, 4, seed=3) for _ in range(2))
    second[500]
    for number in (0, 7, 250):
        for one, other in zip(first[number], second[number], strict=True):
            assert one.equal(other)
    assert not first[0][0].equal(TrainingCrops(index, 64, 4, seed=4)[0][0])


def test_an_epoch_holds_every_still_once(stills: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = read_index([stills], "train")
    seen = []
    monkeypatch.setattr(type(index[0]), "read", lambda still: seen.append(still.file) or photographs()[0])
    crops = TrainingCrops(index, 32, 4, seed=0)
    for number in range(2 * len(index)):
        crops[number]
    first, second = seen[: len(index)], seen[len(index) :]
    assert sorted(first) == sorted(second) == sorted(still.file for still in index)
    assert first != second


@pytest.mark.parametrize("stride", [1, 4])
def test_crops_have_the_networks_shapes_and_ranges(stills: Path, stride: int) -> None:
    lightness, ab = TrainingCrops(read_index([stills], "train"), 96, stride, seed=0)[5]
    assert lightness.shape == (1, 96, 96)
    assert ab.shape == (2, 96 // stride, 96 // stride)
    assert -1 <= lightness.min() < lightness.max() <= 1
    assert 0.02 < ab.abs().max() < 1


def test_whole_stills_are_at_working_size(stills: Path) -> None:
    lightness, ab = whole_still(read_index([stills], "val")[0], 160, 32, 4)
    assert lightness.shape == (160, 160)  # 150x140, to a multiple of 32
    assert ab.shape == (2, 40, 40)


def test_gray_stills_have_the_lightness_of_the_coloured(stills: Path, tmp_path: Path) -> None:
    index = read_index([stills], "val")
    write_gray(index, tmp_path)
    for still in index:
        gray = cv2.imread(str(tmp_path / still.file.replace(".jpg", ".png")), cv2.IMREAD_UNCHANGED)
        assert gray.ndim == 2
        difference = split_lab(np.dstack([gray] * 3))[0] - split_lab(still.read())[0]
        assert np.abs(difference).max() < 0.6


def test_ageing_changes_most_pictures_within_bounds(rng: np.random.Generator) -> None:
    clean = split_lab(photographs()[1])[0]
    copy = clean.copy()
    aged = [age(clean, rng) for _ in range(100)]
    np.testing.assert_array_equal(clean, copy)
    same = sum(np.array_equal(picture, clean) for picture in aged)
    assert 15 <= same <= 45
    assert all(picture.dtype == np.float32 and picture.min() >= 0 and picture.max() <= 100 for picture in aged)
    likeness = [np.corrcoef(picture.ravel(), clean.ravel())[0, 1] for picture in aged]
    assert min(likeness) > 0.7

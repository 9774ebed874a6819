from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import color

from streamcolor.errors import DatasetError
from streamcolor.training.data.film_look import age
from streamcolor.training.data.shards import read_index
from streamcolor.training.data.stills import TrainingCrops, split_lab, whole_still

from films import photographs


def test_lab_is_scikit_images() -> None:
    for picture in photographs():
        lightness, ab = split_lab(picture)
        lab = np.dstack([lightness, ab])
        difference = np.abs(lab - color.rgb2lab(picture))
        assert difference.max() < 0.5  # OpenCV interpolates in a table
        assert difference.mean() < 0.1


def test_no_still_is_on_both_sides(stills: Path) -> None:
    train, val = (read_index([stills], side) for side in ("train", "val"))
    names = [{still.file for still in side} for side in (train, val)]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == 120
    assert 0 < len(val) < 20


def test_stills_are_read_from_their_place_in_the_shard(stills: Path) -> None:
    import tarfile

    import cv2

    still = read_index([stills], "train")[70]
    with tarfile.open(still.shard) as tar:
        member = tar.extractfile(still.file)
        assert member is not None
        expected = cv2.imdecode(np.frombuffer(member.read(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(still.read(), expected)


def test_a_folder_without_an_index_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no index.jsonl"):
        read_index([tmp_path], "train")


def test_crops_depend_on_their_number_alone(stills: Path) -> None:
    index = read_index([stills], "train")
    first, second = (TrainingCrops(index, 64, seed=3) for _ in range(2))
    second[500]
    for number in (0, 7, 250):
        for one, other in zip(first[number], second[number], strict=True):
            assert one.equal(other)
    assert not first[0][0].equal(TrainingCrops(index, 64, seed=4)[0][0])


def test_an_epoch_holds_every_still_once(stills: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = read_index([stills], "train")
    seen = []
    monkeypatch.setattr(type(index[0]), "read", lambda still: seen.append(still.file) or photographs()[0])
    crops = TrainingCrops(index, 32, seed=0)
    for number in range(2 * len(index)):
        crops[number]
    first, second = seen[: len(index)], seen[len(index) :]
    assert sorted(first) == sorted(second) == sorted(still.file for still in index)
    assert first != second


def test_crops_have_the_networks_shapes_and_ranges(stills: Path) -> None:
    lightness, ab = TrainingCrops(read_index([stills], "train"), 96, seed=0)[5]
    assert lightness.shape == (1, 96, 96)
    assert ab.shape == (2, 24, 24)
    assert 0 <= lightness.min() < lightness.max() <= 100
    assert ab.abs().max() < 128


def test_whole_stills_are_at_working_size(stills: Path) -> None:
    lightness, ab = whole_still(read_index([stills], "val")[0], 160)
    assert lightness.shape == (1, 160, 160)  # 150x140, to a multiple of 32
    assert ab.shape == (2, 40, 40)


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

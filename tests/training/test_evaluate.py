from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import kornia
import numpy as np
import pytest
import torch
from skimage import color, data

from streamcolor.color.figures import colourfulness
from streamcolor.errors import DatasetError, TrainingError
from streamcolor.training import metrics, trainer
from streamcolor.training.config import TrainingConfig
from streamcolor.training.data.lab import split_lab
from streamcolor.training.data.shards import Still, read_index
from streamcolor.training.data.stills import whole_still, write_gray
from streamcolor.training.evaluate import FolderColourist, Scores, evaluate
from streamcolor.training.judge import read_judge
from streamcolor.training.page import EvaluationPage

from films import photographs

SMALL = {"encoder": "plain", "plain_widths": (8, 8, 16, 16), "decoder": (8, 8, 8, 8)}


class ShareOfTheTruth:
    """Knows the truth and tells a share of it."""

    def __init__(self, share: float, shift: tuple[float, float] = (0, 0)) -> None:
        self.name = f"share-{share}"
        self._share = share
        self._shift = np.array(shift, np.float32)[:, None, None]

    def colour(self, still: Still, lightness: np.ndarray) -> np.ndarray:
        return self._share * whole_still(still, min(lightness.shape), 32, 4)[1] + self._shift


@pytest.fixture
def index(stills: Path) -> list[Still]:
    return read_index([stills], "val") + read_index([stills], "train")[:20]


def test_half_the_truth_has_known_scores(index: list[Still]) -> None:
    (half,) = evaluate([ShareOfTheTruth(0.5)], index, 160)
    assert half.gain_over_gray == pytest.approx(20 * math.log10(2), abs=1e-3)
    assert half.chroma_share == pytest.approx(0.5, abs=1e-3)
    assert half.colourfulness == pytest.approx(0.5, abs=0.1)
    assert half.colour_mse == pytest.approx(
        np.mean([np.mean((whole_still(s, 160, 32, 4)[1] / 220) ** 2) for s in index if s.source != "faces"]), rel=1e-3
    )
    assert half.stills == len(index)


def test_gray_gains_nothing_and_truth_is_perfect(index: list[Still]) -> None:
    gray, truth = evaluate([ShareOfTheTruth(0), ShareOfTheTruth(1)], index, 160)
    assert gray.gain_over_gray == pytest.approx(0)
    assert gray.colourfulness < 0.05
    assert (truth.ab_error, truth.cast, truth.colour_difference, truth.histogram_distance) == (0, 0, 0, 0)
    assert truth.ssim == pytest.approx(1)
    assert truth.psnr == math.inf
    assert truth.skin_spread == 0


def test_a_brown_veil_is_a_cast(index: list[Still]) -> None:
    (brown,) = evaluate([ShareOfTheTruth(1, (3, 4))], index, 160)
    assert brown.cast == pytest.approx(5, abs=1e-3)
    for skin in brown.skin.values():
        assert skin.bias == pytest.approx((3, 4), abs=1e-3)


def test_portraits_are_judged_apart(index: list[Still]) -> None:
    (half,) = evaluate([ShareOfTheTruth(0.5)], index, 160)
    assert list(half.portraits) == [""]
    assert half.portrait_difference > 1
    assert half.portrait_spread == 0
    without = [still for still in index if still.source != "faces"]
    (objects,) = evaluate([ShareOfTheTruth(0.5)], without, 160)
    assert math.isnan(objects.portrait_difference)
    assert objects.gain_over_gray == pytest.approx(half.gain_over_gray)


def test_a_folder_of_pictures_is_a_column(index: list[Still], tmp_path: Path) -> None:
    for still in index:
        cv2.imwrite(str(tmp_path / still.file.replace(".jpg", ".png")), still.read()[..., ::-1])
    (found,) = evaluate([FolderColourist(tmp_path, index)], index, 160)
    assert found.gain_over_gray > 20
    assert found.chroma_share == pytest.approx(1, abs=0.02)
    gray = tmp_path / "gray"
    write_gray(index, gray)
    (nothing,) = evaluate([FolderColourist(gray, index)], index, 160)
    assert nothing.gain_over_gray == pytest.approx(0, abs=0.05)
    (gray / index[0].file.replace(".jpg", ".png")).unlink()
    with pytest.raises(DatasetError, match=f"lacks 1 of {len(index)} stills, such as {index[0].file}"):
        FolderColourist(gray, index)


def test_no_stills_say_so() -> None:
    with pytest.raises(DatasetError, match="nothing to judge by"):
        evaluate([ShareOfTheTruth(1)], [], 160)


def test_a_judge_is_asked_about_every_still(index: list[Still]) -> None:
    (found,) = evaluate([ShareOfTheTruth(1)], index, 160, judge=lambda lightness, _ab: float(lightness.shape[0] / 160))
    assert found.discriminator_bce == pytest.approx(1)


@pytest.mark.parametrize("network", [SMALL, {"network": "fullres", "widths": [4, 4]}], ids=["unet", "fullres"])
@pytest.mark.parametrize("discriminator", ["patch", "paper"])
def test_a_trained_discriminator_judges(
    stills: Path, index: list[Still], tmp_path: Path, network: dict[str, object], discriminator: str
) -> None:
    """For a generator of small chroma, gray looks more like made colours than true ones do."""
    stage = {"steps": 30, "batch_size": 8, "crops": [[64, 1.0]], "adversarial": "bce", "warmup_steps": 0}
    networks = {"generator": network, "discriminator": discriminator}
    config = {"data": stills, "output": tmp_path, "networks": networks, "stages": [stage], "workers": 0}
    trainer.train(TrainingConfig.model_validate(config))
    judge = read_judge(tmp_path / trainer.CHECKPOINT)
    gray, truth = evaluate([ShareOfTheTruth(0), ShareOfTheTruth(1)], index, 96, judge=judge)
    assert gray.discriminator_bce != truth.discriminator_bce
    assert network is not SMALL or truth.discriminator_bce < gray.discriminator_bce


def test_a_run_without_a_discriminator_has_no_judge(stills: Path, tmp_path: Path) -> None:
    stage = {"steps": 1, "batch_size": 2, "crops": [[32, 1.0]]}
    config = {"data": stills, "output": tmp_path, "networks": {"generator": SMALL}, "stages": [stage], "workers": 0}
    trainer.train(TrainingConfig.model_validate(config))
    with pytest.raises(TrainingError, match="trained no discriminator"):
        read_judge(tmp_path / trainer.CHECKPOINT)


def test_scores_without_a_number_are_null_in_json(index: list[Still]) -> None:
    objects = [still for still in index if still.source != "faces"]
    (truth,) = evaluate([ShareOfTheTruth(1)], objects, 160)
    assert truth.to_json()["psnr"] is None  # it is infinite
    assert json.loads(json.dumps(truth.to_json(), allow_nan=False))["stills"] == len(objects)


def test_the_page_shows_the_table_and_the_pictures(index: list[Still], tmp_path: Path) -> None:
    page = EvaluationPage(tmp_path, ["half <b>"], index)
    scores = evaluate([ShareOfTheTruth(0.5)], index, 160, shown=page.show)
    page.write(scores)
    text = (tmp_path / "index.html").read_text()
    assert "half &lt;b&gt;" in text
    assert f"<td>{scores[0].gain_over_gray:.2f}</td>" in text
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert len(pictures) == 3 * len(index)
    assert all(f'src="pictures/{picture.name}"' in text for picture in pictures)
    gray, half, true = (cv2.imread(str(picture)).astype(float) for picture in pictures[:3])
    assert np.ptp(gray, axis=2).mean() < np.ptp(half, axis=2).mean() < np.ptp(true, axis=2).mean()


def test_colour_difference_is_the_published() -> None:
    """The first pair that Sharma, Wu and Dalal (2005) published."""
    first, second = np.array([50.0, 2.6772, -79.7751]), np.array([50.0, 0.0, -82.7485])
    lightness = np.full((1, 1), 50, np.float32)
    planes = [lab[1:].reshape(2, 1, 1).astype(np.float32) for lab in (first, second)]
    assert metrics.colour_difference(lightness, *planes) == pytest.approx(2.0425, abs=1e-4)


def test_similarity_and_noise_are_kornias() -> None:
    """Up to scikit-image's uniform window against kornia's Gaussian one."""
    true = photographs()[1]
    made = cv2.GaussianBlur(true, (0, 0), 1)
    tensors = [torch.from_numpy(p.copy()).permute(2, 0, 1)[None].double() / 255 for p in (made, true)]
    assert metrics.psnr(made, true) == pytest.approx(kornia.metrics.psnr(*tensors, 1.0).item(), abs=1e-3)
    assert metrics.ssim(made, true) == pytest.approx(kornia.metrics.ssim(*tensors, 11).mean().item(), abs=0.02)


def test_colourfulness_is_the_papers() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0] = 255, 0, 0
    # rg: one of 255 and three of 0; yb: one of 127.5 and three of 0.
    deviation = math.hypot(255 * math.sqrt(3) / 4, 127.5 * math.sqrt(3) / 4)
    mean = math.hypot(255 / 4, 127.5 / 4)
    assert colourfulness(picture) == pytest.approx(deviation + 0.3 * mean)
    assert colourfulness(np.full((4, 4, 3), 99, np.uint8)) == 0


def test_histograms_of_other_colours_are_wholly_apart() -> None:
    red, blue = (np.full((2, 4, 4), value, np.float32) for value in (60, -60))
    assert metrics.histogram_distance(metrics.histogram(red), metrics.histogram(red)) == 0
    assert metrics.histogram_distance(metrics.histogram(red), metrics.histogram(blue)) == 1
    assert metrics.histogram_distance(
        metrics.histogram(red), metrics.histogram(red) + metrics.histogram(blue)
    ) == pytest.approx(0.5)


#: sRGB of skin patches of the Monk Skin Tone scale (E. Monk, 2019) and their typology by hand.
@pytest.mark.parametrize(
    ("rgb", "tone"),
    [((246, 237, 228), "very light"), ((215, 189, 150), "light"), ((160, 126, 86), "tan"), ((58, 49, 42), "dark")],
)
def test_skin_tones_follow_the_typology_angle(rgb: tuple[int, int, int], tone: str) -> None:
    lightness, _, b = color.rgb2lab(np.array(rgb, np.uint8)[None, None])[0, 0]
    assert metrics.skin_tone(np.array([lightness]), np.array([b])) == tone


def test_skin_is_found_on_a_face_and_not_on_the_sky() -> None:
    portrait = data.astronaut()
    mask = metrics.skin(portrait)
    assert mask is not None
    assert mask[90:150, 200:250].mean() > 0.8  # her face
    sky = np.zeros((64, 64, 3), np.uint8)
    sky[:] = 120, 160, 230
    assert metrics.skin(sky) is None
    assert split_lab(portrait)[0][mask].mean() > 40


def test_scores_are_plain_data(index: list[Still]) -> None:
    (found,) = evaluate([ShareOfTheTruth(0.5)], index, 160)
    assert isinstance(found, Scores)
    assert all(isinstance(value, int | float | dict | None) for value in vars(found).values())

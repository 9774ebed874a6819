from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from streamcolor.color.yuv import working_luma_to_lightness
from streamcolor.engines import ModelSpec, open_engine
from streamcolor.errors import DatasetError, OptionError
from streamcolor.training import checkpoint, trainer
from streamcolor.training.config import TrainingConfig, read_config
from streamcolor.training.data.shards import read_index
from streamcolor.training.data.stills import whole_still
from streamcolor.training.evaluate import evaluate
from streamcolor.training.export import export_onnx, load_onnx, spec_of_export
from streamcolor.training.losses import reconstruction
from streamcolor.training.networks.unet import UNet


@pytest.fixture
def config(stills: Path, tmp_path: Path) -> TrainingConfig:
    return TrainingConfig(
        data=(stills,),
        output=tmp_path / "run",
        steps=6,
        batch_size=2,
        crops=((32, 0.5), (64, 1.0)),
        warmup_steps=2,
        checkpoint_every=2,
    )


class KilledError(Exception):
    """Stands for a signal that ends the process."""


def test_a_killed_run_goes_on_as_if_nothing_had_been(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    trainer.train(config)
    whole = checkpoint.averaged_weights(config.output / trainer.CHECKPOINT)

    resumed = dataclasses.replace(config, output=tmp_path / "resumed")
    real_save = checkpoint.save

    def save_and_die(*arguments: object) -> None:
        real_save(*arguments)  # type: ignore[arg-type]
        raise KilledError

    torch.manual_seed(0)
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "save", save_and_die)
            with pytest.raises(KilledError):
                trainer.train(resumed)
    trainer.train(resumed)
    step, weights = checkpoint.averaged_weights(resumed.output / trainer.CHECKPOINT)
    assert step == whole[0] == 6
    for name, tensor in whole[1].items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-4, atol=1e-5, msg=name)


def test_training_learns(config: TrainingConfig, stills: Path) -> None:
    """A few steps on three photographs beat gray on other crops of them."""
    torch.manual_seed(0)
    trainer.train(dataclasses.replace(config, steps=60, batch_size=8, ema_decay=0.9))
    generator = UNet()
    _, weights = checkpoint.averaged_weights(config.output / trainer.CHECKPOINT)
    generator.load_state_dict(weights)
    model = config.output / "model.onnx"
    export_onnx(generator, spec_of_export(name="test", version="1", short_side=96, training="-", licence="-"), model)
    with open_engine("onnxruntime", model) as engine:
        assert evaluate(engine, read_index([stills], "val")).gain_over_gray > 1


def test_configuration_is_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('data = ["a", "b"]\noutput = "out"\nsteps = 10\ncrops = [[64, 1.0]]\n')
    config = read_config(path)
    assert config.data == (Path("a"), Path("b"))
    assert config.crops == ((64, 1.0),)
    path.write_text('data = ["a"]\noutput = "out"\nstep = 10\n')
    with pytest.raises(OptionError, match="'step'"):
        read_config(path)
    path.write_text("data = [")
    with pytest.raises(OptionError, match="cannot read"):
        read_config(path)


def test_coloured_pixels_weigh_more() -> None:
    gray, red = torch.zeros(1, 2, 2, 2), torch.tensor([50.0, 0.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
    ten = torch.tensor([10.0, 0.0]).reshape(1, 2, 1, 1)
    # Smooth L1 of one unit in one of two channels is 1/4; chroma 50 counts 1 + 50/25 times.
    assert reconstruction(gray + ten, gray).item() == pytest.approx(0.25)
    assert reconstruction(red + ten, red).item() == pytest.approx(0.75)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[UNet, Path]:
    torch.manual_seed(1)
    generator = UNet()
    generator.train()
    for _ in range(3):  # batch norms with statistics of their own
        generator(100 * torch.rand(4, 1, 64, 64))
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    spec = spec_of_export(name="test", version="1.2", short_side=160, training="none", licence="MIT")
    export_onnx(generator, spec, path)
    return generator.eval(), path


@pytest.mark.parametrize("shape", [(1, 1, 160, 288), (3, 1, 32, 64), (2, 1, 192, 160)])
def test_export_equals_pytorch(exported: tuple[UNet, Path], shape: tuple[int, ...], rng: np.random.Generator) -> None:
    """Up to the rounding of weights to float16."""
    generator, path = exported
    luma = rng.integers(0, 256, shape, dtype=np.uint8)
    (ab,) = onnxruntime.InferenceSession(path).run(["ab"], {"luma": luma})
    with torch.inference_mode():
        lightness = torch.from_numpy(working_luma_to_lightness(luma.astype(np.float32)))
        expected = generator(lightness).numpy()
    assert np.abs(ab - expected).max() < 0.02 * np.abs(expected).max()


def test_an_export_can_be_trained_on(exported: tuple[UNet, Path]) -> None:
    generator, path = exported
    lightness = 100 * torch.rand(2, 1, 64, 96)
    with torch.inference_mode():
        expected = generator(lightness)
        torch.testing.assert_close(
            load_onnx(path)(lightness), expected, rtol=0, atol=0.02 * expected.abs().max().item()
        )


def test_export_carries_its_spec_and_nothing_of_the_machine(exported: tuple[UNet, Path]) -> None:
    path = exported[1]
    metadata = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    assert ModelSpec.from_metadata(path, metadata) == ModelSpec("test", "1.2", 160, 32, 4, "none", "MIT")
    assert b"/training/" not in path.read_bytes()
    assert path.stat().st_size < 8_000_000


class Fake:
    """An engine that knows the truth and tells a share of it."""

    def __init__(self, stills: Path, share: float) -> None:
        self.answers = [share * whole_still(still, 160)[1].numpy() for still in read_index([stills], "val")]

    def infer(self, _luma: np.ndarray) -> np.ndarray:
        return self.answers.pop(0)[None]


def test_evaluation_of_half_the_truth_is_known(stills: Path) -> None:
    index = read_index([stills], "val")
    found = evaluate(Fake(stills, 0.5), index, short_side=160)  # type: ignore[arg-type]
    assert found.gain_over_gray == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert found.chroma_share == pytest.approx(0.5, abs=1e-3)
    assert found.stills == len(index)
    nothing = evaluate(Fake(stills, 0.0), index, short_side=160)  # type: ignore[arg-type]
    assert nothing.gain_over_gray == pytest.approx(0)


def test_evaluation_without_stills_says_so(stills: Path) -> None:
    with pytest.raises(DatasetError, match="nothing to judge"):
        evaluate(Fake(stills, 1.0), [])  # type: ignore[arg-type]

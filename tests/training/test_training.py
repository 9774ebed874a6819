from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from streamcolor.errors import DatasetError, OptionError, TrainingError
from streamcolor.training import checkpoint, losses, trainer
from streamcolor.training.config import TrainingConfig, UNetConfig, read_config
from streamcolor.training.moves import Move
from streamcolor.training.networks.base import Generator
from streamcolor.training.networks.build import build_generator
from streamcolor.training.restore import load_onnx, networks_of

from films import streamcolor

SMALL = {"encoder": "plain", "plain_widths": (8, 8, 16, 16), "decoder": (8, 8, 8, 8)}


def small_config(stills: Path, output: Path, **changes: object) -> TrainingConfig:
    values: dict[str, object] = {
        "data": stills,
        "output": output,
        "networks": {"generator": SMALL},
        "stages": [
            {"steps": 4, "batch_size": 2, "crops": [[32, 0.5], [64, 1.0]], "warmup_steps": 2},
            {
                "steps": 4,
                "batch_size": 2,
                "crops": [[64, 1.0]],
                "adversarial": "hinge",
                "feature_matching_weight": 1,
                "warmup_steps": 0,
                "discriminator_learning_rate": 1e-2,
            },
        ],
        "checkpoint_every": 2,
        "workers": 0,
    }
    return TrainingConfig.model_validate(values | changes)


class KilledError(Exception):
    """Stands for a signal that ends the process."""


def same_weights(one: Path, other: Path) -> bool:
    first, second = (checkpoint.read(path / trainer.CHECKPOINT) for path in (one, other))
    parts = ("generator", "averaged", "discriminator")
    return first.step == second.step and all(
        torch.allclose(tensor, second.part(part)[name], rtol=1e-4, atol=1e-5)
        for part in parts
        for name, tensor in first.part(part).items()
    )


@pytest.mark.parametrize("network", [SMALL, {"network": "fullres", "widths": [8, 8, 8]}], ids=["unet", "fullres"])
def test_a_killed_run_goes_on_as_if_nothing_had_been(
    stills: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: dict[str, object]
) -> None:
    whole = small_config(stills, tmp_path / "whole", networks={"generator": network})
    trainer.train(whole)

    cut = small_config(stills, tmp_path / "cut", networks={"generator": network})
    real_save = checkpoint.save

    def save_and_die(*arguments: object) -> None:
        real_save(*arguments)  # type: ignore[arg-type]
        raise KilledError

    for _ in range(3):  # at steps 2, 4 (where the second stage begins) and 6
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "save", save_and_die)
            with pytest.raises(KilledError):
                trainer.train(cut, resume=True)
    trainer.train(cut, resume=True)
    assert checkpoint.read(cut.output / trainer.CHECKPOINT).step == 8
    assert same_weights(whole.output, cut.output)


def test_training_learns(stills: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The logged loss falls by a quarter on three photographs."""
    stage = {"steps": 150, "batch_size": 8, "crops": [[32, 1.0]], "warmup_steps": 5, "learning_rate": 1e-2}
    with caplog.at_level("INFO"):
        trainer.train(small_config(stills, tmp_path / "run", stages=[stage]))
    found = [float(value) for value in re.findall(r"reconstruction (\d+\.\d+)", caplog.text)]
    assert len(found) == 3
    assert found[-1] < 0.75 * found[0]


@pytest.mark.parametrize(
    "stage",
    [
        {"reconstruction": "mse"},
        {"reconstruction": "classes"},
        {"adversarial": "bce"},
        {"adversarial": "hinge", "feature_matching_weight": 10},
    ],
    ids=lambda stage: "-".join(map(str, stage.values())),
)
def test_every_loss_trains(stills: Path, tmp_path: Path, stage: dict[str, object]) -> None:
    head = "bins" if stage.get("reconstruction") == "classes" else "regression"
    config = small_config(
        stills,
        tmp_path / "run",
        networks={"generator": SMALL | {"head": head}, "discriminator": "paper"},
        stages=[{"steps": 2, "batch_size": 4, "crops": [[64, 1.0]]} | stage],
    )
    trainer.train(config)
    saved = checkpoint.read(config.output / trainer.CHECKPOINT)
    assert all(torch.isfinite(tensor).all() for tensor in saved.part("averaged").values())
    assert bool(saved.part("discriminator_optimizer")) == ("adversarial" in stage)


def test_steadiness_is_learnt(stills: Path, tmp_path: Path) -> None:
    """Colours that differ less from one frame of a still to the next, by the same steps without the term."""
    torch.manual_seed(0)
    lightness = 2 * torch.rand(8, 1, 64, 64) - 1
    move = Move.random(8, torch.device("cpu"))
    unsteady = {}
    for weight in (0, 20):
        stage = {"steps": 60, "batch_size": 8, "crops": [[64, 1.0]], "learning_rate": 1e-2, "steadiness_weight": weight}
        config = small_config(stills, tmp_path / str(weight), stages=[stage], ema_decay=0.5)
        trainer.train(config)
        generator = build_generator(config.networks.generator).eval()
        generator.load_state_dict(checkpoint.read(config.output / trainer.CHECKPOINT).part("averaged"))
        with torch.inference_mode():
            first, second = generator(lightness).ab, generator(move.of_lightness(lightness)).ab
            unsteady[weight] = losses.steadiness(first, second, move).item()
    assert unsteady[20] < 0.5 * unsteady[0]


def test_each_network_learns_from_its_own_loss(stills: Path, tmp_path: Path) -> None:
    """Against each other alone: the generator moves though nothing is reconstructed, and the discriminator moves."""
    stage = {"steps": 1, "batch_size": 4, "crops": [[64, 1.0]], "warmup_steps": 0, "weight_decay": 0}
    adversarial = {"adversarial": "hinge", "reconstruction_weight": 0, "adversarial_weight": 1}
    still = {"learning_rate": 1e-12}
    moved = {}
    for name, changes in {
        "generator": adversarial | {"discriminator_learning_rate": 1e-12},
        "discriminator": adversarial | still,
        "neither": still,
    }.items():
        config = small_config(stills, tmp_path / name, stages=[stage | changes])
        trainer.train(config)
        saved = checkpoint.read(config.output / trainer.CHECKPOINT)
        moved[name] = {part: saved.part(part) for part in ("generator", "discriminator")}

    def same(part: str, one: str, other: str) -> bool:
        return all(
            torch.allclose(tensor, moved[other][part][key], atol=1e-6)
            for key, tensor in moved[one][part].items()
            if "running" not in key and "num_batches" not in key and not key.endswith(("._u", "._v"))
        )

    assert not same("generator", "generator", "neither")
    assert not same("discriminator", "discriminator", "neither")
    # Neither step leaves anything behind in the other network.
    assert same("generator", "discriminator", "neither")
    assert same("discriminator", "generator", "neither")


def test_a_gradient_that_is_no_number_changes_no_weight(
    stills: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finite loss with a gradient that is none, at a step that a checkpoint would follow."""
    config = small_config(stills, tmp_path / "run")
    real, calls = losses.smooth_l1, []

    def explode(*arguments: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        loss = real(*arguments)
        return loss + torch.sqrt(loss - loss) if len(calls) == 4 else loss

    monkeypatch.setattr(losses, "smooth_l1", explode)
    with pytest.raises(TrainingError, match="its gradient's norm nan"):
        trainer.train(config)
    saved = checkpoint.read(config.output / trainer.CHECKPOINT)
    assert saved.step == 2
    assert all(torch.isfinite(tensor).all() for tensor in saved.part("averaged").values())


#: Trains, and keeps what each process's networks are after the last step.
TWO_PROCESSES = """
import os, sys
from pathlib import Path
from safetensors.torch import save_file
from streamcolor.training import trainer
from streamcolor.training.config import read_config

average = trainer._average_into

def keep(averaged, generator, decay):
    average(averaged, generator, decay)
    weights = {name: tensor.contiguous() for name, tensor in generator.state_dict().items()}
    save_file(weights, folder / f"{os.environ.get('LOCAL_RANK', 0)}.safetensors")

folder = Path(sys.argv[2])
trainer._average_into = keep
trainer.train(read_config(Path(sys.argv[1]), [f"output={folder}"]))
"""


def test_two_processes_stay_one_network(stills: Path, tmp_path: Path) -> None:
    """Each sees other stills, and both take the same steps."""
    config, script = tmp_path / "run.toml", tmp_path / "train.py"
    script.write_text(TWO_PROCESSES)
    config.write_text(
        f'data = "{stills}"\noutput = ""\nworkers = 0\ndevices = 2\n'
        '[networks.generator]\nencoder = "plain"\nplain_widths = [8, 8, 8, 8]\ndecoder = [8, 8, 8, 8]\n'
        '[[stages]]\nsteps = 6\nbatch_size = 8\ncrops = [[64, 1.0]]\nwarmup_steps = 0\nadversarial = "hinge"\n'
    )
    command = [sys.executable, str(script), str(config), str(tmp_path)]
    subprocess.run(command, check=True, timeout=200)
    first, second = (load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1))
    torch.manual_seed(0)
    before = trainer.build_generator(read_config(config).networks.generator).state_dict()
    for name, tensor in first.items():
        if "running" not in name:  # batch norm's statistics are each process's own
            assert tensor.equal(second[name]), name
        if name.endswith("weight"):
            assert not tensor.equal(before[name]), name
    assert any(not tensor.equal(second[name]) for name, tensor in first.items() if "running" in name)
    # What is saved is the first process's.
    saved = checkpoint.read(tmp_path / trainer.CHECKPOINT)
    assert saved.step == 6
    assert saved.part("generator")["head.project.weight"].equal(first["head.project.weight"])


def test_a_run_that_was_killed_is_resumed(stills: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text(
        f'data = "{stills}"\noutput = "{tmp_path / "run"}"\nworkers = 1\ncheckpoint_every = 1\n'
        '[networks.generator]\nencoder = "plain"\nplain_widths = [8, 8, 8, 8]\ndecoder = [8, 8, 8, 8]\n'
        "[[stages]]\nsteps = 100000\nbatch_size = 2\ncrops = [[32, 1.0]]\n"
    )
    saved = tmp_path / "run" / trainer.CHECKPOINT
    with subprocess.Popen([sys.executable, "-m", "streamcolor", "train", str(config)], cwd="/") as running:
        while not saved.exists() and running.poll() is None:
            time.sleep(0.1)
        running.kill()
    step = checkpoint.read(saved).step  # whole
    refused = streamcolor("train", config)
    assert refused.returncode == 1
    assert "--resume" in refused.stderr
    resumed = streamcolor("train", config, f"stages.0.steps={step + 2}", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert checkpoint.read(saved).step == step + 2


def test_a_checkpoint_of_another_network_is_refused(stills: Path, tmp_path: Path) -> None:
    trainer.train(small_config(stills, tmp_path / "run"))
    other = small_config(stills, tmp_path / "run", networks={"generator": SMALL | {"decoder": [8, 8, 8, 16]}})
    with pytest.raises(TrainingError, match="checkpoint of other networks"):
        trainer.train(other, resume=True)


def test_half_a_checkpoint_is_never_taken_for_whole(stills: Path, tmp_path: Path) -> None:
    config = small_config(stills, tmp_path / "run")
    trainer.train(config)
    path = config.output / trainer.CHECKPOINT
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="not a whole checkpoint"):
        trainer.train(config, resume=True)


def test_a_full_disk_keeps_the_checkpoint_before(stills: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_config(stills, tmp_path / "run")
    real, calls = checkpoint.save_file, []

    def full(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            Path(str(arguments[1])).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(TrainingError, match=r"step 4 can't be written .*No space left"):
        trainer.train(config)
    assert checkpoint.read(config.output / trainer.CHECKPOINT).step == 2
    assert not list(config.output.glob("*.partial"))


def test_a_run_shows_itself(stills: Path, tmp_path: Path) -> None:
    stage = {"steps": 50, "batch_size": 2, "crops": [[32, 1.0]]}
    trainer.train(small_config(stills, tmp_path / "run", stages=[stage], picture_every=25))
    assert [path.name for path in sorted((tmp_path / "run" / "pictures").iterdir())] == ["0000025.png", "0000050.png"]
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert events.Scalars("reconstruction")[0].step == 50
    assert [image.step for image in events.Images("stills")] == [25, 50]


def test_finetuning_begins_with_the_models_colours(
    stills: Path, tmp_path: Path, exported: tuple[Generator, Path]
) -> None:
    """A rate near zero leaves the exported model's weights as they are, through unfolded batch norms."""
    _, model = exported
    networks = networks_of(model)
    rates = {"learning_rate": 1e-12, "pretrained_learning_rate": 1e-12}
    stage = {"steps": 1, "batch_size": 4, "crops": [[64, 1.0]]} | rates
    config = small_config(stills, tmp_path / "run", stages=[stage], initial=model, networks=networks)
    trainer.train(config)
    tuned = trainer.build_generator(networks.generator)
    tuned.load_state_dict(checkpoint.read(config.output / trainer.CHECKPOINT).part("generator"))
    shipped = load_onnx(model, networks.generator)
    lightness = torch.rand(2, 1, 64, 64) * 2 - 1
    with torch.inference_mode():
        expected, found = (110 * network.eval()(lightness).ab for network in (shipped, tuned))
    assert (expected - found).abs().mean() < 0.1 * expected.abs().mean()


def test_no_training_stills_are_named(tmp_path: Path) -> None:
    (tmp_path / "index.jsonl").write_text("")
    with pytest.raises(DatasetError, match="no training stills"):
        trainer.train(small_config(tmp_path, tmp_path / "run"))


CONFIG = 'data = ["a", "b"]\noutput = "out"\n[[stages]]\nsteps = 10\ncrops = [[64, 1.0]]\n'


def test_configuration_is_read_and_overridden(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(CONFIG)
    config = read_config(path)
    assert config.data == (Path("a"), Path("b"))
    assert config.stages[0].crops == ((64, 1.0),)
    overrides = ["data=elsewhere", "stages.0.steps=20", "networks.generator.encoder=lite1", "ema_decay=0.5"]
    config = read_config(path, overrides)
    assert config.data == (Path("elsewhere"),)
    assert config.steps == 20
    assert config.networks.generator == UNetConfig(encoder="lite1")
    assert config.ema_decay == 0.5


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("step=10", "step: Extra inputs"),
        ("stages.0.steps=0", "stages.0.steps: .*greater than 0"),
        ("stages.0.crops=[[50, 1.0]]", "multiples of 32"),
        ("stages.0.crops=[[64, 0.5]]", "grow to 1"),
        ("stages.0.reconstruction=classes", "bins"),
        ("stages.0.reconstruction=l3", "stages.0.reconstruction"),
        ("stages.7.steps=1", "no place stages.7.steps"),
        ("devices=3", "divide among 3"),
        ("networks.generator.network=transformer", "networks.generator"),
        ("steps", "not of the form KEY=VALUE"),
        ("stages.0.betas=[0.5, 1.0]", "stages.0.betas"),
        ("networks.generator=unet", "networks.generator"),
    ],
)
def test_impossible_configurations_are_named(tmp_path: Path, override: str, complaint: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(CONFIG)
    with pytest.raises(OptionError, match=complaint):
        read_config(path, [override])


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("data = [")
    with pytest.raises(OptionError, match="cannot read"):
        read_config(path)


@pytest.mark.parametrize("path", sorted(Path(trainer.__file__).parent.glob("*.toml")), ids=lambda path: path.name)
def test_shipped_configurations_are_possible(path: Path) -> None:
    assert read_config(path).steps > 0

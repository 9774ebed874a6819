"""What a training run is made of, read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    ValidationError,
    model_validator,
)

from streamcolor.errors import OptionError

from .networks.fullres import PAPER_WIDTHS
from .networks.unet import UNet

Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
FourWidths = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UNetConfig(_Section):
    """A :class:`~streamcolor.training.networks.unet.UNet`."""

    network: Literal["unet"] = "unet"
    #: EfficientNet-Lite from smallest to largest with ImageNet's weights, or a plain one from scratch.
    encoder: Literal["lite0", "lite1", "lite2", "plain"] = "lite0"
    #: Channels of the plain encoder at 1/4, 1/8, 1/16 and 1/32 of the input.
    plain_widths: FourWidths = (32, 64, 128, 256)
    #: Channels of the decoder at the same four sizes.
    decoder: FourWidths = (48, 64, 96, 128)
    head: Literal["regression", "bins"] = "regression"
    #: Of the bins' annealed mean.
    temperature: Rate = 1.0


class FullResConfig(_Section):
    """A :class:`~streamcolor.training.networks.fullres.FullRes`."""

    network: Literal["fullres"]
    #: Channels of the hidden layers.
    widths: Widths = PAPER_WIDTHS
    #: Numbers of noise a picture.
    noise: PositiveInt = 8


def _network(value: Any) -> str:
    return value.get("network", "unet") if isinstance(value, dict) else getattr(value, "network", "")


class NetworksConfig(_Section):
    """The two networks that train against each other."""

    generator: Annotated[
        Annotated[UNetConfig, Tag("unet")] | Annotated[FullResConfig, Tag("fullres")], Discriminator(_network)
    ] = UNetConfig()
    discriminator: Literal["patch", "paper"] = "patch"


class StageConfig(_Section):
    """One stretch of training with its own losses, learning rates and optimizers."""

    #: Optimizer steps.
    steps: PositiveInt
    #: Crops a step, over all processes together.
    batch_size: PositiveInt = 32
    #: Crop sizes in pixels, with the share of the stage's steps at which each one ends.
    crops: Annotated[tuple[tuple[PositiveInt, Share], ...], Field(min_length=1)] = ((128, 1.0),)

    reconstruction: Literal["smooth_l1", "mse", "classes"] = "smooth_l1"
    reconstruction_weight: Weight = 1.0
    #: Chroma, in ab units, at which a pixel counts twice in smooth L1 and MSE; 0 where all count alike.
    chroma_of_double_weight: Weight = 25.0
    #: How far classes are rebalanced: 0 not at all, 1 as if all colours were equally common.
    rebalance: Annotated[float, Field(ge=0, le=1)] = 0.5
    adversarial: Literal["none", "hinge", "bce"] = "none"
    adversarial_weight: Weight = 0.1
    #: Of the L1 distance between the discriminator's features of true and made colours.
    feature_matching_weight: Weight = 0.0
    #: Of the distance between a still's colours and those of another frame of it, moved a little; doubles the work.
    steadiness_weight: Weight = 0.0

    #: Peak learning rates of AdamW, after a linear warm-up; then half a cosine to zero.
    learning_rate: Rate = 1.5e-3
    pretrained_learning_rate: Rate = 5e-4
    discriminator_learning_rate: Rate = 4e-4
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    weight_decay: Weight = 0.01
    warmup_steps: Annotated[int, Field(ge=0)] = 200

    @model_validator(mode="after")
    def _crops_grow_to_the_end(self) -> StageConfig:
        ends = [end for _, end in self.crops]
        if ends != sorted(set(ends)) or ends[-1] != 1:
            raise ValueError(f"the crops' shares must grow to 1, but are {ends}")
        return self


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str | Path) else value


class TrainingConfig(_Section):
    """A training run, complete: the same file and the same stills give the same model."""

    #: Folders of tar shards with an ``index.jsonl``.
    data: Annotated[tuple[Path, ...], Field(min_length=1), BeforeValidator(_one_or_more)]
    #: Where checkpoints, logs and pictures go.
    output: Path
    networks: NetworksConfig = NetworksConfig()
    #: An exported model to begin with; the generator must be its own.
    initial: Path | None = None
    stages: Annotated[tuple[StageConfig, ...], Field(min_length=1)]

    #: Decay of the averaged weights, which are the ones that ship.
    ema_decay: Decay = 0.999
    #: Gradients are clipped to this norm.
    gradient_norm: Rate = 5.0
    #: Steps between checkpoints, and between pictures of the validation stills.
    checkpoint_every: PositiveInt = 250
    picture_every: PositiveInt = 500
    #: Processes that decode and age stills, for each training process.
    workers: Annotated[int, Field(ge=0)] = 1
    #: Training processes: one a GPU, or gloo processes where there is none.
    devices: PositiveInt = 1
    #: Mixed needs a GPU with bfloat16; "auto" takes it where there is one.
    precision: Literal["auto", "float32", "mixed"] = "auto"
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _fits_together(self) -> TrainingConfig:
        # The discriminators halve a FullRes's crop four times.
        multiple = UNet.multiple if isinstance(self.networks.generator, UNetConfig) else 16
        for number, stage in enumerate(self.stages):
            if wrong := [crop for crop, _ in stage.crops if crop % multiple]:
                raise ValueError(
                    f"crops of a {self.networks.generator.network} are multiples of {multiple}, not {wrong}"
                )
            if stage.batch_size % self.devices:
                raise ValueError(f"batch_size {stage.batch_size} does not divide among {self.devices} devices")
            bins = isinstance(self.networks.generator, UNetConfig) and self.networks.generator.head == "bins"
            if stage.reconstruction == "classes" and not bins:
                raise ValueError(f'stage {number} learns classes, which needs a unet with head = "bins"')
        return self

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)


def read_config(
    path: Path, overrides: Sequence[str] = (), beginning: Mapping[str, Any] | None = None
) -> TrainingConfig:
    """A configuration from a TOML file whose keys are :class:`TrainingConfig`'s fields.

    Args:
        overrides: ``KEY=VALUE``, the key dotted as in ``stages.0.steps``, the value in TOML or a bare string.
        beginning: keys that stand before those of the overrides: the model to begin with and its networks.

    Raises:
        OptionError: the file or an override can't be read, or a key or value is not what it may be.
    """
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionError(f"cannot read the configuration {path}: {error}") from error
    values |= beginning or {}
    for override in overrides:
        _apply(override, values)
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'all'}: {fault['msg']}" for fault in error.errors())
        raise OptionError(f"{path}: {faults}") from error


def _apply(override: str, values: dict[str, Any]) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise OptionError(f"{override!r} is not of the form KEY=VALUE")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    place: Any = values
    try:
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        place[int(last) if isinstance(place, list) else last] = value
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise OptionError(f"{override!r}: the configuration has no place {key}") from error

"""What a training run is made of, read from a TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamcolor.errors import OptionError


@dataclass(frozen=True)
class TrainingConfig:
    """A training run, complete: the same file and the same stills give the same model."""

    #: Folders of tar shards with an ``index.jsonl``.
    data: tuple[Path, ...]
    #: Where checkpoints go; a checkpoint already there is resumed.
    output: Path
    #: The encoder, from smallest to largest.
    encoder: Literal["lite0", "lite1", "lite2"] = "lite0"
    #: Optimizer steps in all.
    steps: int = 12000
    batch_size: int = 32
    #: Crop sizes in pixels, with the share of the steps at which each one ends.
    crops: tuple[tuple[int, float], ...] = ((96, 0.15), (128, 0.65), (160, 1.0))
    #: Peak learning rates (AdamW, cosine to zero).
    encoder_learning_rate: float = 5e-4
    decoder_learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    warmup_steps: int = 200
    #: Decay of the averaged weights, which are the ones that ship.
    ema_decay: float = 0.999
    #: Steps between checkpoints.
    checkpoint_every: int = 250
    #: Processes that decode and age stills.
    workers: int = 1
    seed: int = 0


def read_config(path: Path) -> TrainingConfig:
    """A configuration from a TOML file whose keys are :class:`TrainingConfig`'s fields.

    Raises:
        OptionError: the file is not TOML, misses ``data`` or ``output``, or has unknown keys.
    """
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise OptionError(f"cannot read the configuration {path}: {error}") from error
    known = {field.name for field in dataclasses.fields(TrainingConfig)}
    unknown, missing = set(values) - known, {"data", "output"} - set(values)
    if unknown or missing:
        raise OptionError(
            f"{path}: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}; known are {sorted(known)}"
        )
    values["data"] = tuple(Path(folder) for folder in values["data"])
    values["output"] = Path(values["output"])
    if "crops" in values:
        values["crops"] = tuple((int(size), float(end)) for size, end in values["crops"])
    return TrainingConfig(**values)

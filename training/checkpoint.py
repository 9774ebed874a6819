"""Training state in one safetensors file: weights, averaged weights, optimizers, step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from streamcolor.errors import TrainingError

from .config import NetworksConfig


@dataclass(frozen=True)
class TrainingState:
    """Everything that changes while a run goes on."""

    generator: nn.Module
    averaged: nn.Module
    discriminator: nn.Module
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer

    def modules(self) -> dict[str, nn.Module]:
        """The networks by the names that they have in the file."""
        return {"generator": self.generator, "averaged": self.averaged, "discriminator": self.discriminator}

    def optimizers(self) -> dict[str, Optimizer]:
        """The optimizers by the names that they have in the file."""
        return {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as it lies in its file."""

    path: Path
    #: Steps done.
    step: int
    networks: NetworksConfig
    _tensors: dict[str, Tensor]

    def part(self, name: str) -> dict[str, Tensor]:
        """Tensors of one part: ``generator``, ``averaged``, ``discriminator`` or one of these with ``_optimizer``."""
        prefix = f"{name}."
        return {key.removeprefix(prefix): value for key, value in self._tensors.items() if key.startswith(prefix)}

    def require(self, networks: NetworksConfig) -> None:
        """Check that it holds these networks.

        Raises:
            TrainingError: it holds others.
        """
        if self.networks != networks:
            raise TrainingError(
                f"{self.path} is a checkpoint of other networks: {self.networks!r}, where this run has {networks!r}"
            )

    def restore(self, state: TrainingState, *, optimizers: bool) -> None:
        """Put everything back as :func:`save` found it, with ``optimizers`` or without, where these are new."""
        for name, module in state.modules().items():
            module.load_state_dict(self.part(name))
        for name, optimizer in state.optimizers().items() if optimizers else ():
            moments: dict[int, dict[str, Tensor]] = {}
            for key, value in self.part(name).items():
                number, moment = key.split(".", 1)
                moments.setdefault(int(number), {})[moment] = value
            optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})


def save(path: Path, step: int, networks: NetworksConfig, state: TrainingState) -> None:
    """Write the state after ``step`` steps; a reader sees the old file or the new one, never half of one.

    Raises:
        TrainingError: the file can't be written.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in state.modules().items():
        tensors |= _prefixed(f"{name}.", module.state_dict())
    for name, optimizer in state.optimizers().items():
        for number, moments in optimizer.state_dict()["state"].items():
            tensors |= _prefixed(f"{name}.{number}.", moments)
    unfinished = path.with_suffix(".partial")
    try:
        save_file(tensors, unfinished, {"step": str(step), "networks": networks.model_dump_json()})
        unfinished.replace(path)
    except (OSError, SafetensorError) as error:
        unfinished.unlink(missing_ok=True)
        raise TrainingError(
            f"the checkpoint of step {step} can't be written to {path} ({error}); an earlier one is still whole"
        ) from error


def read(path: Path) -> Checkpoint:
    """A checkpoint.

    Raises:
        TrainingError: the file is none.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        networks = NetworksConfig.model_validate_json(metadata["networks"])
        return Checkpoint(path, int(metadata["step"]), networks, tensors)
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        raise TrainingError(f"{path} is not a whole checkpoint of streamcolor's training: {error}") from error


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

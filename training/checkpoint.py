"""Training state in one safetensors file: weights, averaged weights, optimizer, step."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

_MODEL, _AVERAGED, _OPTIMIZER = "model.", "averaged.", "optimizer."


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor.contiguous() for name, tensor in tensors.items()}


def _without(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def save(path: Path, step: int, model: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write the state after ``step`` steps; a reader sees the old file or the new one, never half of one."""
    moments = {
        f"{number}.{name}": value
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    tensors = (
        _prefixed(_MODEL, model.state_dict())
        | _prefixed(_AVERAGED, averaged.state_dict())
        | _prefixed(_OPTIMIZER, moments)
    )
    unfinished = path.with_suffix(".partial")
    save_file(tensors, unfinished, metadata={"step": str(step)})
    unfinished.replace(path)


def _read(path: Path) -> tuple[int, dict[str, Tensor]]:
    with safe_open(path, framework="pt") as file:
        return int(file.metadata()["step"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)


def resume(path: Path, model: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Put everything back as :func:`save` found it; returns the number of steps done."""
    step, tensors = _read(path)
    model.load_state_dict(_without(_MODEL, tensors))
    averaged.load_state_dict(_without(_AVERAGED, tensors))
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _without(_OPTIMIZER, tensors).items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return step


def averaged_weights(path: Path) -> tuple[int, dict[str, Tensor]]:
    """The averaged weights of a checkpoint, and the steps that made them."""
    step, tensors = _read(path)
    return step, _without(_AVERAGED, tensors)

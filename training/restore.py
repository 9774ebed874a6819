"""From an exported model back to a generator that can be trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from google.protobuf.message import DecodeError
from pydantic import ValidationError
from torch import Tensor, nn

from streamcolor.errors import EngineError

from .config import FullResConfig, NetworksConfig, UNetConfig
from .export import GENERATOR, NETWORKS
from .networks.base import Generator
from .networks.build import build_generator


def _convolutions(generator: nn.Module) -> Iterator[tuple[str, nn.Conv2d, nn.BatchNorm2d | None]]:
    """Each convolution by name, with the batch norm that follows it where there is one."""
    layers = [(n, m) for n, m in generator.named_modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    for (name, layer), (_, following) in zip(layers, [*layers[1:], ("", None)], strict=True):
        if isinstance(layer, nn.Conv2d):
            yield name, layer, following if isinstance(following, nn.BatchNorm2d) else None


def _read(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except (OSError, DecodeError) as error:
        raise EngineError(f"{path} can't be read as an ONNX file: {error}") from error


def networks_of(path: Path) -> NetworksConfig:
    """What an exported file's generator was built by, and the discriminator that taught it.

    Raises:
        EngineError: the file does not say.
    """
    metadata = {entry.key: entry.value for entry in _read(path).metadata_props}
    try:
        return NetworksConfig.model_validate_json(metadata[NETWORKS])
    except (KeyError, ValidationError) as error:
        raise EngineError(f"{path} does not say what network it holds; export one with 'streamcolor export'") from error


def load_onnx(path: Path, config: UNetConfig | FullResConfig) -> Generator:
    """The generator of an exported file, in evaluation mode.

    Batch norms were folded into the convolutions; here they only add the bias that was folded in.

    Raises:
        EngineError: the file is not an export of this network.
    """
    graph = _read(path).graph
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor).astype(np.float32) for tensor in graph.initializer}
    half = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    inputs = {node.input[1]: node.input for node in graph.node if node.op_type == "Conv"}
    generator = build_generator(config).eval()
    with torch.no_grad():
        for name, convolution, norm in _convolutions(generator):
            try:
                weight, bias = (half.get(key, key) for key in inputs[f"{GENERATOR}.{name}.weight"][1:3])
                convolution.weight.copy_(torch.from_numpy(arrays[weight]))
                shift = torch.from_numpy(arrays[bias])
            except (KeyError, ValueError, RuntimeError) as error:
                raise EngineError(f"{path} is not a {config!r}: {name} is missing or differs") from error
            if norm is None:
                assert convolution.bias is not None
                convolution.bias.copy_(shift)
            else:
                assert norm.running_mean is not None
                assert norm.running_var is not None
                norm.running_mean.zero_()
                norm.running_var.fill_(1 - norm.eps)
                norm.weight.fill_(1)
                norm.bias.copy_(shift)
    return generator


def unfold_batch_norms(generator: Generator, lightness: Tensor) -> None:
    """Give each batch norm the statistics it has on a sample, and weights that undo them.

    Colours stay what they were, while training mode, which normalizes by each batch, starts from nearly the same.

    Args:
        lightness: ``float32 (N, 1, h, w)`` in [-1, 1].
    """
    statistics: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}

    def note(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
        statistics[norm] = mean, variance

    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    with torch.no_grad():
        generator.eval()(lightness)
        for norm, (mean, variance) in statistics.items():
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
            norm.weight.copy_(torch.sqrt(variance + norm.eps))
            norm.bias.add_(mean)
    for hook in hooks:
        hook.remove()

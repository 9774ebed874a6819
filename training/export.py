"""From a trained generator to the one ONNX file that ships, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from streamcolor.color.yuv import working_luma_to_lightness
from streamcolor.engines import ModelSpec
from streamcolor.errors import EngineError

from .networks.efficientnet_lite import Variant
from .networks.unet import INPUT_MULTIPLE, OUTPUT_STRIDE, UNet

_OPSET = 18
_GENERATOR = "generator"


class _WorkingLumaToChroma(nn.Module):
    """Working luma ``uint8 (N, 1, h, w)`` in, ab ``float32 (N, 2, h/4, w/4)`` out: the whole graph that ships."""

    lightness: Tensor

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        # A table, since formulas lose up to 0.7 ab units where an engine computes in bfloat16.
        lightness = working_luma_to_lightness(np.arange(256, dtype=np.float32))
        self.register_buffer("lightness", torch.from_numpy(lightness)[:, None])

    def forward(self, luma: Tensor) -> Tensor:
        codes = luma.to(torch.float32).to(torch.int32)  # TensorRT casts 8-bit inputs to float only
        ab: Tensor = self.generator(nn.functional.embedding(codes, self.lightness).squeeze(-1))
        return ab


def export_onnx(generator: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Write ``generator`` as one ONNX file: any batch and working size, weights in float16, ``spec`` as metadata.

    Args:
        generator: L* ``float32 (N, 1, h, w)`` to ab ``float32 (N, 2, h/4, w/4)``.
    """
    module = _WorkingLumaToChroma(generator).eval()
    example = torch.zeros(2, 1, spec.multiple * 5, spec.multiple * 9, dtype=torch.uint8)
    batch, rows, columns = (torch.export.Dim(name, max=256) for name in ("batch", "rows", "columns"))
    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        dynamic_shapes=({0: batch, 2: spec.multiple * rows, 3: spec.multiple * columns},),
        input_names=["luma"],
        output_names=["ab"],
        opset_version=_OPSET,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    model = program.model_proto
    _strip_traces(model)
    _store_weights_as_half(model)
    helper.set_model_props(model, spec.to_metadata())
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def _strip_traces(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes on each node: they name source lines of the machine that exported."""
    graph = model.graph
    for part in [*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph]:
        del part.metadata_props[:]
        part.doc_string = ""


def _store_weights_as_half(model: onnx.ModelProto) -> None:
    """Keep convolutions' weights as float16 and cast them on loading; engines compute in what precision they like."""
    graph = model.graph
    weights = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    casts = []
    for initializer in graph.initializer:
        name = initializer.name
        if name not in weights:
            continue
        values = onnx.numpy_helper.to_array(initializer)
        initializer.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [initializer.name], [name], to=TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)


def _convolutions(generator: nn.Module) -> Iterator[tuple[str, nn.Conv2d, nn.BatchNorm2d | None]]:
    """Each convolution by name, with the batch norm that follows it where there is one."""
    layers = [(n, m) for n, m in generator.named_modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    for (name, layer), (_, following) in zip(layers, [*layers[1:], ("", None)], strict=True):
        if isinstance(layer, nn.Conv2d):
            yield name, layer, following if isinstance(following, nn.BatchNorm2d) else None


def load_onnx(path: Path, variant: Variant = "lite0") -> UNet:
    """The generator of an exported file, in PyTorch and in evaluation mode.

    Batch norms were folded into the convolutions; here they only add the bias that was folded in.

    Raises:
        EngineError: the file is not an export of this network.
    """
    graph = onnx.load(path).graph
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor).astype(np.float32) for tensor in graph.initializer}
    half = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    inputs = {node.input[1]: node.input for node in graph.node if node.op_type == "Conv"}
    generator = UNet(variant).eval()
    with torch.no_grad():
        for name, convolution, norm in _convolutions(generator):
            try:
                weight, bias = (half.get(key, key) for key in inputs[f"{_GENERATOR}.{name}.weight"][1:3])
                convolution.weight.copy_(torch.from_numpy(arrays[weight]))
            except (KeyError, ValueError, RuntimeError) as error:
                raise EngineError(
                    f"{path} is not a UNet with a {variant} encoder: {name} is missing or differs"
                ) from error
            shift = torch.from_numpy(arrays[bias])
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


def spec_of_export(*, name: str, version: str, short_side: int, training: str, licence: str) -> ModelSpec:
    """Spec of an export of :class:`UNet`."""
    return ModelSpec(name, version, short_side, INPUT_MULTIPLE, OUTPUT_STRIDE, training, licence)

"""From a trained generator to the one ONNX file that ships."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from streamcolor.color.yuv import working_luma_to_lightness
from streamcolor.engines import ModelSpec, open_engine
from streamcolor.engines.trial import trial_batch
from streamcolor.errors import EngineError

from .config import NetworksConfig
from .networks.base import Colours, Generator
from .scaling import scale_lightness, unscale_ab

_OPSET = 18
#: Name of the generator in the graph: its weights are named after it.
GENERATOR = "generator"
#: Key of the networks' configuration in the file's metadata.
NETWORKS = "networks"
#: Channels of the features that come out beside the colours.
_FEATURES = 32
#: An export is refused where its colours differ by more than this from PyTorch's, in the mean and in ab units.
_LARGEST_MEAN_DIFFERENCE = 0.1


class _WorkingLumaToChroma(nn.Module):
    """The whole graph: working luma ``uint8 (N, 1, h, w)`` in, colours and, where the generator has some, features out.

    Colours are ab ``float32 (N, 2, h / stride, w / stride)``, features ``float32 (N, C, h / 16, w / 16)``.

    Args:
        projection: makes few channels of the generator's features; None where it has none.
        half: compute the generator in float16.
    """

    lightness: Tensor

    def __init__(self, generator: Generator, projection: nn.Conv2d | None, half: bool) -> None:
        super().__init__()
        self._dtype = torch.float16 if half else torch.float32
        self.generator = copy.deepcopy(generator).to(self._dtype)
        self.projection = projection
        # A table, since formulas lose up to 0.7 ab units where an engine computes in bfloat16.
        lightness = working_luma_to_lightness(np.arange(256, dtype=np.float32))
        self.register_buffer("lightness", torch.from_numpy(scale_lightness(lightness))[:, None])

    def forward(self, luma: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        codes = luma.to(torch.float32).to(torch.int32)  # TensorRT casts 8-bit inputs to float only
        lightness = nn.functional.embedding(codes, self.lightness).squeeze(-1)
        colours: Colours = self.generator(lightness.to(self._dtype))
        ab = unscale_ab(colours.ab.to(torch.float32))
        if self.projection is None or colours.features is None:
            return ab
        return ab, self.projection(colours.features.to(torch.float32))


def _trial_lightness() -> Tensor:
    lightness = working_luma_to_lightness(trial_batch().astype(np.float32))
    return torch.from_numpy(scale_lightness(lightness))


def _projection(generator: Generator) -> nn.Conv2d | None:
    """From a generator's features to the few numbers that tell most about three photographs' places.

    Principal components about their mean. Of the shipped model's 112 channels at 1/16 of its input, 32 components had
    cosines of 0.92 or more between frames of one shot, and of 0.55 at most between shots; its coarsest features, at
    1/32, had 0.80 or more and up to 0.92.
    """
    with torch.inference_mode():
        features = generator.eval()(_trial_lightness()).features
    if features is None:
        return None
    vectors = features.movedim(1, -1).flatten(0, -2).to(torch.float64)
    mean = vectors.mean(dim=0)
    _, axes = torch.linalg.eigh(torch.cov(vectors.T))
    axes = axes[:, -_FEATURES:].T
    projection = nn.Conv2d(axes.shape[1], axes.shape[0], 1)
    with torch.no_grad():
        projection.weight.copy_(axes[..., None, None])
        assert projection.bias is not None
        projection.bias.copy_(-axes @ mean)
    return projection.requires_grad_(False)


def export_onnx(
    generator: Generator, networks: NetworksConfig, spec: ModelSpec, path: Path, *, half: bool = False
) -> float:
    """Write ``generator`` as one ONNX file: any batch and working size, weights in float16.

    Returns the mean difference in ab units between its colours on ONNX Runtime and the generator's in PyTorch, on three
    photographs: what the rounding of weights costs and, with ``half``, computing in float16.

    Args:
        networks: what ``generator`` was built by; kept in the metadata beside ``spec``, so that it can be trained on.
        half: compute in float16 as well, as GPUs do fastest.

    Raises:
        EngineError: the file's colours differ from PyTorch's; nothing is written.
    """
    projection = _projection(generator)
    module = _WorkingLumaToChroma(generator, projection, half).eval()
    example = torch.zeros(2, 1, spec.multiple * 5, spec.multiple * 9, dtype=torch.uint8)
    batch, rows, columns = (torch.export.Dim(name, max=256) for name in ("batch", "rows", "columns"))
    with _without_chatter():
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: batch, 2: spec.multiple * rows, 3: spec.multiple * columns},),
            input_names=["luma"],
            output_names=["ab"] if projection is None else ["ab", "features"],
            opset_version=_OPSET,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    model = program.model_proto
    _strip_traces(model)
    _store_weights_as_half(model)
    helper.set_model_props(model, spec.to_metadata() | {NETWORKS: networks.model_dump_json()})
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.partial")
    try:
        onnx.save(model, unfinished)
        difference = _difference(generator, unfinished)
        if not difference <= _LARGEST_MEAN_DIFFERENCE:
            raise EngineError(
                f"the export differs from PyTorch by {difference:.3f} ab units in the mean, more than "
                f"{_LARGEST_MEAN_DIFFERENCE}: its numbers may be too large for float16; train on, or with a lower rate"
            )
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return difference


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep the exporter's notes on packages that it could use, and on its own insides, from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def _difference(generator: Generator, path: Path) -> float:
    luma = trial_batch()
    with open_engine("onnxruntime", path) as engine:
        exported = engine.infer(luma)
    with torch.inference_mode():
        expected = unscale_ab(generator.eval()(_trial_lightness()).ab).numpy()
    return float(np.abs(exported - expected).mean())


def _strip_traces(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes on each node: they name source lines of the machine that exported."""
    graph = model.graph
    for part in [*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph]:
        del part.metadata_props[:]
        part.doc_string = ""


def _store_weights_as_half(model: onnx.ModelProto) -> None:
    """Keep convolutions' weights as float16 and cast them on loading, where they are not in it already."""
    graph = model.graph
    weights = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    casts = []
    for initializer in graph.initializer:
        name = initializer.name
        if name not in weights or initializer.data_type == TensorProto.FLOAT16:
            continue
        values = onnx.numpy_helper.to_array(initializer)
        initializer.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [initializer.name], [name], to=TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)

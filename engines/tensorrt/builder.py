"""Build a TensorRT plan from a model."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from streamcolor.errors import EngineError

from ..metadata import read_spec

#: The profile: smallest, tuned for, largest. Frames in a batch, and the long side over the short one.
_BATCHES = (1, 8, 16)
_LONG_SIDES = (1.0, 1.8, 3.0)


def find_tensorrt() -> Any | None:
    """``tensorrt`` or its sibling ``tensorrt_rtx``, which compiles without a GPU; None where neither can here."""
    for name in ("tensorrt", "tensorrt_rtx"):
        try:
            trt = importlib.import_module(name)
            trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
        except (ImportError, TypeError):  # Builder raises the second where there is no GPU
            continue
        return trt
    return None


def build_plan(model: Path, trt: Any) -> bytes:
    """A serialized plan for the model's working size at any width from square to three to one.

    Args:
        trt: ``tensorrt`` or ``tensorrt_rtx``.

    Raises:
        EngineError: the model can't be parsed or compiled.
    """
    spec = read_spec(model)
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model.read_bytes()):
        raise EngineError(f"{trt.__name__} can't read {model}: {parser.get_error(0).desc()}")
    profile = builder.create_optimization_profile()
    shapes = [
        (batch, 1, spec.short_side, round(spec.short_side * ratio / spec.multiple) * spec.multiple)
        for batch, ratio in zip(_BATCHES, _LONG_SIDES, strict=True)
    ]
    profile.set_shape("luma", *shapes)
    config = builder.create_builder_config()
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"{trt.__name__} can't compile {model}")
    return bytes(plan)

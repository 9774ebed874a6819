"""Read what a model file says of itself."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from streamcolor.errors import EngineError

from .base import ModelSpec


def open_session(model: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU.

    Raises:
        EngineError: not a readable ONNX file.
    """
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no public base class
        raise EngineError(f"{model} can't be loaded as a model: {error}") from error


def spec_of(model: Path, session: onnxruntime.InferenceSession) -> ModelSpec:
    """The spec of a model that is already open.

    Raises:
        EngineError: not a streamcolor model.
    """
    return ModelSpec.from_metadata(model, session.get_modelmeta().custom_metadata_map)


def read_spec(model: Path) -> ModelSpec:
    """The spec in a model file, without preparing it to run.

    Raises:
        EngineError: not an ONNX file, or not a streamcolor model.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return spec_of(model, open_session(model, options))

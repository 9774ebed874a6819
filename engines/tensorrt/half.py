"""A model that computes in float16, which strongly typed networks take from the file and not from a builder's flag."""

from __future__ import annotations

from pathlib import Path

from streamcolor.errors import EngineError, MissingExtraError


def to_float16(model: Path) -> bytes:
    """A model of ours as an ONNX file that computes in float16, with its inputs and outputs as they were.

    Raises:
        EngineError: the file can't be read.
        MissingExtraError: the onnx package is not installed.
    """
    try:
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise MissingExtraError("onnx", "tensorrt") from error
    try:
        loaded = onnx.load(model)
    except Exception as error:  # protobuf's errors share no public base class
        raise EngineError(f"{model} can't be loaded as a model: {error}") from error
    converted: bytes = convert_float_to_float16(loaded, keep_io_types=True).SerializeToString()
    return converted

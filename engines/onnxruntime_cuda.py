"""ONNX Runtime on an NVIDIA GPU: the easy way for those without TensorRT; float32."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from streamcolor.errors import EngineError

from .onnxruntime import SessionEngine

_PROVIDER = "CUDAExecutionProvider"


class ModelEngine(SessionEngine):
    """The model on one GPU.

    Raises:
        EngineError: this ONNX Runtime has no CUDA, or CUDA finds no such GPU.
    """

    def __init__(self, model: Path, gpu: int = 0) -> None:
        if _PROVIDER not in onnxruntime.get_available_providers():
            raise EngineError(
                "the installed onnxruntime computes on the CPU alone; put onnxruntime-gpu in its place: "
                "pip uninstall onnxruntime && pip install onnxruntime-gpu"
            )
        try:
            # TF32 would round what the float32 reference does not.
            session = onnxruntime.InferenceSession(model, providers=[(_PROVIDER, {"device_id": gpu, "use_tf32": 0})])
        except Exception as error:  # its errors share no public base class
            raise EngineError(f"ONNX Runtime can't prepare {model} on GPU {gpu}: {error}") from error
        if _PROVIDER not in session.get_providers():  # it falls back by itself, and tells nobody
            raise EngineError(f"ONNX Runtime can't use GPU {gpu}; its log says which of CUDA's libraries are missing")
        super().__init__(model, session, "onnxruntime-cuda (float32)", calls=1)

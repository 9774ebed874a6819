"""OpenVINO on the CPU: float32, or bfloat16 where the processor computes in it and the colours stay the same."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import openvino

from streamcolor.errors import EngineError

from .base import ChromaBatch, Engine, LumaBatch
from .metadata import read_spec
from .threads import usable_cores

Precision = Literal["f32", "bf16"]

_NAMES: dict[Precision, str] = {"f32": "float32", "bf16": "bfloat16"}
#: Mean difference from float32, in ab units, up to which bfloat16 is taken; an eye sees about 1.
_MAX_BFLOAT16_ERROR = 0.3
_TRIAL_RUNS = 3


def _trial_batch(short_side: int) -> LumaBatch:
    """Two pictures of noise at every scale, which drives the network as widely as photographs do."""
    rng = np.random.default_rng(0)
    size = (short_side * 2, short_side)
    pictures = np.zeros((2, 1, *size[::-1]), np.float32)
    for picture in pictures[:, 0]:
        for cells in (2, 5, 10, 20, 40, 80):
            picture += cv2.resize(rng.standard_normal((cells, cells), np.float32), size) / cells
        picture -= picture.min()
        picture *= 255 / picture.max()
    return pictures.astype(np.uint8)


class ModelEngine(Engine):
    """The model compiled by OpenVINO.

    Args:
        model: the .onnx file.
        precision: compute in this one; where None, in bfloat16 if that is faster here and changes the colours of
            a trial batch by less than 0.3 ab units in the mean, else in float32.
    """

    def __init__(self, model: Path, precision: Precision | None = None) -> None:
        self.spec = read_spec(model)
        core = openvino.Core()
        offers_bfloat16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        candidates: list[Precision] = ["f32", "bf16"] if offers_bfloat16 else ["f32"]
        if precision is not None:
            candidates = [precision]
        requests = {candidate: _compile(core, model, candidate) for candidate in candidates}
        chosen = _best_precision(requests, self.spec.short_side) if len(requests) > 1 else candidates[0]
        self._request = requests[chosen]
        self.description = f"openvino ({_NAMES[chosen]})"

    def infer(self, luma: LumaBatch) -> ChromaBatch:
        """See :meth:`Engine.infer`."""
        return _run(self._request, luma)

    def close(self) -> None:
        """See :meth:`Engine.close`."""
        del self._request


def _best_precision(requests: dict[Precision, openvino.InferRequest], short_side: int) -> Precision:
    trial = _trial_batch(short_side)
    reference, float32_time = _timed(requests["f32"], trial)
    rounded, bfloat16_time = _timed(requests["bf16"], trial)
    alike = float(np.abs(rounded - reference).mean()) < _MAX_BFLOAT16_ERROR
    return "bf16" if alike and bfloat16_time < float32_time else "f32"


def _compile(core: openvino.Core, model: Path, precision: Precision) -> openvino.InferRequest:
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": usable_cores(),
        # One request at a time, over all the cores: twice as fast here as "THROUGHPUT", which wants many at once.
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        return core.compile_model(model, "CPU", settings).create_infer_request()
    except RuntimeError as error:
        raise EngineError(f"OpenVINO can't prepare {model}: {error}") from error


def _run(request: openvino.InferRequest, luma: LumaBatch) -> ChromaBatch:
    chroma: ChromaBatch = request.infer([luma], share_inputs=True)[0].copy()
    return chroma


def _timed(request: openvino.InferRequest, luma: LumaBatch) -> tuple[ChromaBatch, float]:
    """A batch's chroma, and the seconds of the fastest of a few runs after the first."""
    chroma = _run(request, luma)
    seconds = []
    for _ in range(_TRIAL_RUNS):
        begin = time.perf_counter()
        _run(request, luma)
        seconds.append(time.perf_counter() - begin)
    return chroma, min(seconds)

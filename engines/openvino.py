"""OpenVINO on the CPU: float32, or bfloat16 where the processor computes in it and the colours stay the same."""

from __future__ import annotations

import queue
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import openvino

from streamcolor.errors import EngineError

from .base import ChromaBatch, FeatureBatch, LumaBatch
from .metadata import read_spec
from .threads import ThreadedEngine, divide_cores
from .trial import trial_batch

Precision = Literal["f32", "bf16"]

_NAMES: dict[Precision, str] = {"f32": "float32", "bf16": "bfloat16"}
#: Mean difference from float32, in ab units, up to which bfloat16 is taken; an eye sees about 1.
_MAX_BFLOAT16_ERROR = 0.3
_TRIAL_RUNS = 2


class ModelEngine(ThreadedEngine):
    """The model compiled by OpenVINO.

    Args:
        model: the .onnx file.
        precision: compute in this one; where None, in bfloat16 if that is faster here and changes the colours of
            photographs by less than 0.3 ab units in the mean, else in float32.
    """

    def __init__(self, model: Path, precision: Precision | None = None) -> None:
        spec = read_spec(model)
        core = openvino.Core()
        offers_bfloat16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        candidates: list[Precision] = ["f32", "bf16"] if offers_bfloat16 else ["f32"]
        if precision is not None:
            candidates = [precision]
        with ThreadPoolExecutor() as pool:
            compiled = pool.map(lambda candidate: _compile(core, model, candidate), candidates)
            networks = dict(zip(candidates, compiled, strict=True))
        chosen = _best_precision(networks) if len(networks) > 1 else candidates[0]
        calls, _ = divide_cores()
        super().__init__(spec, f"openvino ({_NAMES[chosen]})", calls)
        self._idle: queue.SimpleQueue[openvino.InferRequest] = queue.SimpleQueue()
        for _ in range(calls):
            self._idle.put(networks[chosen].create_infer_request())

    def _compute(self, luma: LumaBatch) -> tuple[ChromaBatch, FeatureBatch | None]:
        request = self._idle.get()
        try:
            return _run(request, luma)
        finally:
            self._idle.put(request)

    def close(self) -> None:
        """See :meth:`Engine.close`."""
        super().close()
        while not self._idle.empty():
            self._idle.get()


def _best_precision(networks: dict[Precision, openvino.CompiledModel]) -> Precision:
    trial = trial_batch()
    reference, float32_time = _timed(networks["f32"].create_infer_request(), trial)
    rounded, bfloat16_time = _timed(networks["bf16"].create_infer_request(), trial)
    alike = float(np.abs(rounded - reference).mean()) < _MAX_BFLOAT16_ERROR
    return "bf16" if alike and bfloat16_time < float32_time else "f32"


def _compile(core: openvino.Core, model: Path, precision: Precision) -> openvino.CompiledModel:
    calls, threads = divide_cores()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": calls * threads,
        "NUM_STREAMS": calls,
    }
    try:
        return core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise EngineError(f"OpenVINO can't prepare {model}: {error}") from error


def _run(request: openvino.InferRequest, luma: LumaBatch) -> tuple[ChromaBatch, FeatureBatch | None]:
    outputs = [output.copy() for output in request.infer([luma], share_inputs=True).to_tuple()]
    return outputs[0], outputs[1] if len(outputs) > 1 else None


def _timed(request: openvino.InferRequest, luma: LumaBatch) -> tuple[ChromaBatch, float]:
    """A batch's chroma, and the seconds of the fastest of a few runs after the first."""
    chroma, _ = _run(request, luma)
    seconds = []
    for _ in range(_TRIAL_RUNS):
        begin = time.perf_counter()
        _run(request, luma)
        seconds.append(time.perf_counter() - begin)
    return chroma, min(seconds)

"""Build a TensorRT plan from a model."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from streamcolor.errors import EngineError

from ..base import ModelSpec
from ..metadata import read_spec
from .half import to_float16

Precision = Literal["float16", "float32"]
Shape = tuple[int, int, int, int]

#: The profile: smallest, tuned for, largest. Frames in a batch, and the two sides over the model's short side.
_BATCHES = (1, 8, 16)
_SIDES = ((1.0, 1.0), (1.0, 1.8), (2.0, 3.0))

_MIB = 1 << 20


@dataclass(frozen=True)
class BuildOptions:
    """How a plan is built; all but the workspace is part of what it is."""

    precision: Precision = "float16"
    #: 0 to 5: how long the builder looks for faster kernels.
    level: int = 3
    #: MiB that the builder may give one kernel as scratch; None for all that the GPU has.
    workspace: int | None = None


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


def profile_of(spec: ModelSpec) -> tuple[Shape, Shape, Shape]:
    """The smallest shape that a plan takes, the one that it is tuned for, and the largest."""

    def side(ratio: float) -> int:
        return round(spec.short_side * ratio / spec.multiple) * spec.multiple

    low, best, high = (
        (batch, 1, side(rows), side(columns)) for batch, (rows, columns) in zip(_BATCHES, _SIDES, strict=True)
    )
    return low, best, high


def build_plan(
    model: Path,
    trt: Any,
    options: BuildOptions | None = None,
    *,
    timings: bytes = b"",
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[bytes, bytes]:
    """A serialized plan for the model's working size, from square to three to one, upright to two to one.

    Args:
        trt: ``tensorrt`` (10 or 11) or ``tensorrt_rtx``.
        options: how to build.
        timings: the builder's timing cache of earlier builds; empty where there is none.
        progress: called with a phase's name, how many of its steps are done, and how many there are.

    Returns:
        The plan, and the timing cache for the next build.

    Raises:
        EngineError: the model can't be parsed or compiled.
        MissingExtraError: the onnx package is not installed.
    """
    options = options or BuildOptions()
    spec = read_spec(model)
    log = _log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(_strong_typing(trt))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(to_float16(model) if options.precision == "float16" else model.read_bytes()):
        faults = "; ".join(parser.get_error(number).desc() for number in range(parser.num_errors))
        raise EngineError(f"{trt.__name__} {trt.__version__} can't read {model}: {faults}")
    profile = builder.create_optimization_profile()
    profile.set_shape("luma", *profile_of(spec))
    config = builder.create_builder_config()
    config.add_optimization_profile(profile)
    config.builder_optimization_level = options.level
    if options.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace * _MIB)
    if progress is not None:
        config.progress_monitor = _monitor(trt, progress)
    cache = config.create_timing_cache(timings)
    config.set_timing_cache(cache, ignore_mismatch=False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"{trt.__name__} {trt.__version__} can't compile {model}: {log.worst or 'no reason given'}")
    return bytes(plan), bytes(cache.serialize())


def _strong_typing(trt: Any) -> int:
    """The flag that TensorRT 10 needs, and later ones may drop since they know nothing else."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _log(trt: Any) -> Any:
    """A logger that keeps what TensorRT complains of for one line of ours, and prints nothing."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.worst = ""

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.worst = self.worst or message.strip()

    return Log()


def _monitor(trt: Any, progress: Callable[[str, int, int], None]) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase: str, _parent: str | None, steps: int) -> None:
            self._steps[phase] = steps
            progress(phase, 0, steps)

        def step_complete(self, phase: str, step: int) -> bool:
            progress(phase, step + 1, self._steps[phase])
            return True

        def phase_finish(self, phase: str) -> None:
            progress(phase, self._steps[phase], self._steps[phase])

    return Monitor()

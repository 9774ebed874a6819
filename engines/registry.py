"""Which engines run here, and how to open one."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamcolor.errors import EngineError, MissingExtraError

from .base import Engine
from .metadata import read_spec
from .models import DEFAULT_MODEL
from .several import FallbackEngine, RoundRobinEngine

#: The name that stands for the first engine of the registry that works here.
AUTO = "auto"


@dataclass(frozen=True)
class _Backend:
    """Where an engine lives: a module of ours with a class ``ModelEngine``, and the packages it needs."""

    module: str
    #: Each a choice of names; the first one's version stands for the engine's.
    packages: tuple[tuple[str, ...], ...]
    extra: str
    on_gpu: bool = False
    #: Whether it may build something first, and wants to say so.
    builds: bool = False

    def missing_package(self) -> str | None:
        return next((choice[0] for choice in self.packages if _installed(choice) is None), None)


#: The packages that hold TensorRT, by CUDA's version, or its sibling for RTX GPUs.
TENSORRT = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-rtx-cu13", "tensorrt-rtx-cu12")

#: By name, the fastest first.
_BACKENDS = {
    "tensorrt": _Backend(".tensorrt.runtime", (TENSORRT, ("pycuda",)), "tensorrt", on_gpu=True, builds=True),
    "onnxruntime-cuda": _Backend(".onnxruntime_cuda", (("onnxruntime-gpu",),), "cuda", on_gpu=True),
    "openvino": _Backend(".openvino", (("openvino",),), "openvino"),
    "onnxruntime": _Backend(".onnxruntime", (("onnxruntime", "onnxruntime-gpu"),), "onnxruntime"),
}


@dataclass(frozen=True)
class EngineInfo:
    """One engine as it stands on this machine."""

    name: str
    #: Version of the package that it needs, None where one is not installed.
    version: str | None
    #: What to install where it is missing.
    extra: str


def _installed(choice: tuple[str, ...]) -> str | None:
    """The version of the first of some packages that is installed."""
    for package in choice:
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
    return None


def engines_here() -> list[EngineInfo]:
    """Every engine, in the order in which ``auto`` tries them."""
    return [
        EngineInfo(name, None if backend.missing_package() else _installed(backend.packages[0]), backend.extra)
        for name, backend in _BACKENDS.items()
    ]


def open_engine(
    name: str = AUTO,
    model: Path | None = None,
    *,
    gpus: Sequence[int] = (0,),
    announce: Callable[[str], None] = lambda _line: None,
) -> Engine:
    """An engine ready to colour.

    Args:
        name: an engine's name, or ``auto`` for the fastest one that works, with the next one where it fails.
        model: an .onnx file; the default model where None.
        gpus: numbers of the GPUs to use, by engines that use any; several get batches in turn.
        announce: told in a line what takes long, or fails while another engine can go on.

    Raises:
        EngineError: no such engine, or the model can't be loaded.
        MissingExtraError: the engine's package is not installed.
    """
    if name != AUTO and name not in _BACKENDS:
        raise EngineError(f"there is no engine {name!r}; choose one of {', '.join([AUTO, *_BACKENDS])}")
    model = model or DEFAULT_MODEL
    if not model.is_file():
        raise EngineError(f"there is no model at {model}; name an .onnx file that streamcolor.training exported")
    if name == AUTO:
        read_spec(model)  # a model that is none is no engine's fault
        return FallbackEngine(_candidates(model, gpus, announce), announce)
    package = _BACKENDS[name].missing_package()
    if package is not None:
        raise MissingExtraError(package, _BACKENDS[name].extra)
    return _open(_BACKENDS[name], model, gpus, announce)


def _candidates(model: Path, gpus: Sequence[int], announce: Callable[[str], None]) -> Iterator[Callable[[], Engine]]:
    for backend in _BACKENDS.values():
        if backend.missing_package() is None:
            yield lambda backend=backend: _open(backend, model, gpus, announce)  # type: ignore[misc]


def _open(backend: _Backend, model: Path, gpus: Sequence[int], announce: Callable[[str], None]) -> Engine:
    make: Any = importlib.import_module(backend.module, __package__).ModelEngine
    if not backend.on_gpu:
        engine: Engine = make(model)
        return engine
    told = {"announce": announce} if backend.builds else {}
    with ExitStack() as stack:
        engines: list[Engine] = [stack.enter_context(make(model, gpu=gpu, **told)) for gpu in gpus]
        stack.pop_all()
    return engines[0] if len(engines) == 1 else RoundRobinEngine(engines)

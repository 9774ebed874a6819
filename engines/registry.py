"""Which engines run here, and how to open one."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from streamcolor.errors import EngineError, MissingExtraError

from .base import Engine
from .models import DEFAULT_MODEL

#: The name that stands for the first engine of the registry that is installed.
AUTO = "auto"


@dataclass(frozen=True)
class _Backend:
    """Where an engine lives: a module of ours with a class ``ModelEngine``, and the package it needs."""

    module: str
    package: str
    extra: str

    def installed_version(self) -> str | None:
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None


#: By name, the fastest first.
_BACKENDS = {
    "openvino": _Backend(".openvino", "openvino", "openvino"),
    "onnxruntime": _Backend(".onnxruntime", "onnxruntime", "onnxruntime"),
}


@dataclass(frozen=True)
class EngineInfo:
    """One engine as it stands on this machine."""

    name: str
    #: Version of the package that it needs, None where that is not installed.
    version: str | None
    #: What to install where it is missing.
    extra: str


def engines_here() -> list[EngineInfo]:
    """Every engine, in the order in which ``auto`` tries them."""
    return [EngineInfo(name, backend.installed_version(), backend.extra) for name, backend in _BACKENDS.items()]


def open_engine(name: str = AUTO, model: Path | None = None) -> Engine:
    """An engine ready to colour.

    Args:
        name: an engine's name, or ``auto`` for the fastest one installed.
        model: an .onnx file; the default model where None.

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
        name = next(info.name for info in engines_here() if info.version is not None)
    backend = _BACKENDS[name]
    if backend.installed_version() is None:
        raise MissingExtraError(backend.package, backend.extra)
    engine: Engine = importlib.import_module(backend.module, __package__).ModelEngine(model)
    return engine

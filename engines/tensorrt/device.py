"""NVIDIA's GPUs on this machine, as pycuda sees them."""

from __future__ import annotations

import importlib
import importlib.metadata
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from streamcolor.errors import EngineError, MissingExtraError

#: TensorRT 10 and later begin with Turing.
_LEAST_CAPABILITY = (7, 5)


@dataclass(frozen=True)
class Gpu:
    """One GPU."""

    number: int
    name: str
    capability: tuple[int, int]
    #: Bytes.
    memory: int
    #: CUDA's version that the driver offers: 13000 for 13.0.
    driver: int


def pycuda_driver() -> Any:
    """The module ``pycuda.driver``, ready to use.

    Raises:
        MissingExtraError: pycuda is not installed.
        EngineError: there is no driver, or it finds no GPU.
    """
    try:
        importlib.metadata.version("pycuda")
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtraError("pycuda", "tensorrt") from None
    try:
        driver = importlib.import_module("pycuda.driver")
    except ImportError as error:
        raise EngineError(f"there is no NVIDIA driver here ({error})") from error
    try:
        driver.init()
        count = driver.Device.count()
    except driver.Error as error:
        raise EngineError(f"the NVIDIA driver can't be used: {error}") from error
    if count == 0:
        raise EngineError("the NVIDIA driver finds no GPU")
    return driver


def find_gpu(number: int) -> Gpu:
    """A GPU that TensorRT can use.

    Raises:
        MissingExtraError: pycuda is not installed.
        EngineError: there is no driver or no such GPU, or they are too old.
    """
    driver = pycuda_driver()
    count = driver.Device.count()
    if number >= count:
        raise EngineError(f"there is no GPU {number}; this machine's are 0 to {count - 1}")
    device = driver.Device(number)
    gpu = Gpu(number, device.name(), device.compute_capability(), device.total_memory(), driver.get_driver_version())
    if gpu.capability < _LEAST_CAPABILITY:
        raise EngineError(
            f"GPU {number}, {gpu.name}, has compute capability {'.'.join(map(str, gpu.capability))}; "
            f"TensorRT needs {'.'.join(map(str, _LEAST_CAPABILITY))}"
        )
    needed = _driver_needed()
    if gpu.driver < needed:
        raise EngineError(
            f"the NVIDIA driver offers CUDA {_version(gpu.driver)}, but the installed TensorRT is made for "
            f"{_version(needed)}; update the driver" + (", or install streamcolor[tensorrt-cu12]" * (needed >= 13000))
        )
    return gpu


def _driver_needed() -> int:
    """CUDA's version for which the installed TensorRT is made; 0 where that can't be told."""
    for major in (12, 13):
        for package in ("tensorrt", "tensorrt-rtx"):
            with suppress(importlib.metadata.PackageNotFoundError):
                importlib.metadata.version(f"{package}-cu{major}")
                return major * 1000
    return 0


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"

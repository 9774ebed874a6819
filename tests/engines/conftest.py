"""A GPU where there is none: the stand-in for the CUDA driver, pycuda on it, and TensorRT's stand-in."""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamcolor.engines.models import DEFAULT_MODEL
from streamcolor.engines.tensorrt.runtime import ModelEngine

_BUILD = Path(__file__).parent / "cuda_standin" / "build.py"
#: Kept between runs: pycuda takes minutes to build.
_FOLDER = Path(__file__).parents[2] / ".cache" / "cuda"


class Gpu:
    """The stand-in's settings and counters; see ``cuda_standin/driver.c``."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def set(self, **settings: int) -> None:
        for name, value in settings.items():
            self._library.standin_set(name.encode(), ctypes.c_long(value))

    def fail(self, function: str, nth: int, code: int) -> None:
        self._library.standin_fail(function.encode(), ctypes.c_long(nth), ctypes.c_long(code))

    @property
    def live(self) -> dict[str, int]:
        names = ("device_blocks", "host_blocks", "streams", "events", "contexts")
        return {name: self._library.standin_live(name.encode()) for name in names}


def _load(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def _driver() -> ctypes.CDLL:
    if _load(_BUILD).toolkit() is None:  # type: ignore[attr-defined]
        pytest.skip("NVIDIA's CUDA toolkit is not installed")
    subprocess.run([sys.executable, str(_BUILD), str(_FOLDER)], check=True)
    return ctypes.CDLL(str(_FOLDER / "libcuda.so.1"), ctypes.RTLD_GLOBAL)  # pycuda finds it loaded


@pytest.fixture
def gpu(_driver: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gpu]:
    """One GPU of a gibibyte, with nothing on it before and after."""
    import standin_tensorrt

    monkeypatch.syspath_prepend(str(_FOLDER))
    monkeypatch.setitem(sys.modules, "tensorrt", standin_tensorrt)
    gpu = Gpu(_driver)
    gpu.set(devices=1, driver=13000, capability=90, memory=1 << 30, delay_us=300)
    yield gpu
    gpu.fail("", 0, 0)
    assert not any(gpu.live.values()), f"left on the GPU: {gpu.live}"


@pytest.fixture(scope="session")
def _plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def engine(gpu: Gpu, _plans: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelEngine]:  # noqa: ARG001
    """The model on that GPU."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(_plans))
    with ModelEngine(DEFAULT_MODEL) as engine:
        yield engine

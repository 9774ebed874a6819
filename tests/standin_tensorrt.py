"""A stand-in for TensorRT on the stand-in for CUDA: its Python names, and ONNX Runtime in the place of kernels.

A plan is a mark and an ONNX file. Networks run in their stream's turn, on the device's memory.
"""

from __future__ import annotations

import ctypes
import enum
from typing import Any

import numpy as np
import onnxruntime
import tensorrt_rtx
from tensorrt_rtx import ILogger, IProgressMonitor, Logger, MemoryPoolType, NetworkDefinitionCreationFlag  # noqa: F401

from streamcolor.engines.base import ModelSpec

__version__ = "11.0.stand-in"
MARK = b"stand-in plan\n"
_SCRATCH = 1 << 20


class ExecutionContextAllocationStrategy(enum.Enum):
    USER_MANAGED = 0


class Builder(tensorrt_rtx.Builder):
    """The real one; what it compiles is thrown away, since no GPU could run it."""

    def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
        plan = super().build_serialized_network(network, config)
        return None if plan is None else MARK + OnnxParser.parsed


class OnnxParser(tensorrt_rtx.OnnxParser):
    parsed = b""

    def parse(self, model: bytes) -> bool:
        OnnxParser.parsed = model
        return bool(super().parse(model))


_sessions: dict[bytes, onnxruntime.InferenceSession] = {}


class Runtime:
    def __init__(self, logger: Any) -> None:
        pass

    def deserialize_cuda_engine(self, plan: bytes) -> _Engine | None:
        if not plan.startswith(MARK):
            return None
        if plan not in _sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            _sessions[plan] = onnxruntime.InferenceSession(plan.removeprefix(MARK), options)
        return _Engine(_sessions[plan])


class _Engine:
    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.session = session
        self.outputs = {tensor.name: tensor for tensor in session.get_outputs()}
        self.names = ["luma", *self.outputs]
        self.num_io_tensors = len(self.names)
        self.spec = ModelSpec.from_metadata(None, session.get_modelmeta().custom_metadata_map)

    def get_tensor_name(self, number: int) -> str:
        return self.names[number]

    def get_tensor_dtype(self, name: str) -> Any:
        return tensorrt_rtx.uint8 if name == "luma" else tensorrt_rtx.float32

    def get_tensor_profile_shape(self, _name: str, _profile: int) -> list[tuple[int, ...]]:
        from streamcolor.engines.tensorrt.builder import profile_of

        return list(profile_of(self.spec))

    def create_execution_context(self, _strategy: Any) -> _Context:
        return _Context(self)


nptype = tensorrt_rtx.nptype
_Function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._shape: tuple[int, ...] = ()
        self._addresses: dict[str, int] = {}
        self._kept: list[Any] = []
        self._memory = 0

    def set_optimization_profile_async(self, _profile: int, _stream: int) -> bool:
        return True

    def set_input_shape(self, _name: str, shape: tuple[int, ...]) -> bool:
        self._shape = tuple(shape)
        return True

    def update_device_memory_size_for_shapes(self) -> int:
        return _SCRATCH * self._shape[0]

    def set_device_memory(self, memory: int, size: int) -> None:
        assert _driver().standin_host_address(memory, size), "scratch is not on the device"

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name == "luma":
            return self._shape
        batch, _, height, width = self._shape
        stride = self._engine.spec.stride if name == "ab" else 16
        return batch, self._engine.outputs[name].shape[1], height // stride, width // stride

    def execute_async_v3(self, stream: int) -> bool:
        shape, addresses = self._shape, dict(self._addresses)

        def run(_argument: Any) -> None:
            luma = _array(addresses["luma"], shape, np.uint8)
            names = list(self._engine.outputs)
            for name, output in zip(names, self._engine.session.run(names, {"luma": luma}), strict=True):
                _array(addresses[name], output.shape, np.float32)[:] = output

        function = _Function(run)
        self._kept = [*self._kept[-16:], function]
        return _driver().standin_enqueue(ctypes.c_void_p(stream), function, None) == 0


def _array(address: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    host = _driver().standin_host_address(address, size)
    assert host, "no device memory there"
    return np.frombuffer((ctypes.c_char * size).from_address(host), dtype).reshape(shape)


def _driver() -> ctypes.CDLL:
    driver = ctypes.CDLL("libcuda.so.1")  # the one that is loaded already
    driver.standin_host_address.restype = ctypes.c_void_p
    driver.standin_host_address.argtypes = [ctypes.c_uint64, ctypes.c_size_t]
    return driver

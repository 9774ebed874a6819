"""Memory and streams through which batches pass the GPU."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tensor:
    """An input or output of the network, at its largest."""

    name: str
    is_input: bool
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape)) * self.dtype.itemsize


class Streams:
    """One stream for each thing that the GPU can do beside the others: copy in, compute, copy out."""

    def __init__(self, cuda: Any) -> None:
        self.copy_in, self.compute, self.copy_out = (cuda.Stream() for _ in range(3))

    def synchronize(self) -> None:
        """Wait for all three."""
        for stream in (self.copy_in, self.compute, self.copy_out):
            stream.synchronize()

    def free(self) -> None:
        """Give them back, whoever still knows of this object."""
        del self.copy_in, self.compute, self.copy_out


class Slot:
    """Room for one batch on its way: page-locked on the host, and on the device.

    Args:
        cuda: ``pycuda.driver``, with a context current on this thread.
        tensors: what passes.

    Raises:
        pycuda.driver.MemoryError: there is no room; what was taken is freed.
    """

    def __init__(self, cuda: Any, tensors: list[Tensor]) -> None:
        self._cuda = cuda
        self._tensors = tensors
        self._host: dict[str, NDArray[Any]] = {}
        self._device: dict[str, Any] = {}
        self._begun, self._copied_in, self._computed, self._done = (cuda.Event() for _ in range(4))
        with ExitStack() as undo:
            undo.callback(self.free)
            for tensor in tensors:
                self._host[tensor.name] = cuda.pagelocked_empty(tensor.size, np.uint8)
                self._device[tensor.name] = cuda.mem_alloc(tensor.size)
            undo.pop_all()

    @property
    def addresses(self) -> Mapping[str, int]:
        """Where each tensor lies on the device."""
        return {name: int(memory) for name, memory in self._device.items()}

    def copy_in(self, values: NDArray[np.uint8], streams: Streams) -> None:
        """Send the input; computing waits for it."""
        (tensor,) = (tensor for tensor in self._tensors if tensor.is_input)
        host = self._host[tensor.name][: values.nbytes]
        host[:] = values.reshape(-1)
        self._begun.record(streams.copy_in)
        self._cuda.memcpy_htod_async(self._device[tensor.name], host, streams.copy_in)
        self._copied_in.record(streams.copy_in)
        streams.compute.wait_for_event(self._copied_in)

    def copy_out(self, shapes: Mapping[str, tuple[int, ...]], streams: Streams) -> None:
        """Fetch the outputs of what was just given to the compute stream."""
        self._shapes = shapes
        self._computed.record(streams.compute)
        streams.copy_out.wait_for_event(self._computed)
        for tensor in self._tensors:
            if not tensor.is_input:
                host = self._host[tensor.name][: self._bytes(tensor)]
                self._cuda.memcpy_dtoh_async(host, self._device[tensor.name], streams.copy_out)
        self._done.record(streams.copy_out)

    def _bytes(self, tensor: Tensor) -> int:
        return int(np.prod(self._shapes[tensor.name])) * tensor.dtype.itemsize

    def wait(self) -> tuple[dict[str, NDArray[Any]], float]:
        """The outputs, the caller's own, and the seconds from the input's leaving to their coming."""
        self._done.synchronize()
        outputs = {
            tensor.name: self._host[tensor.name][: self._bytes(tensor)]
            .view(tensor.dtype)
            .reshape(self._shapes[tensor.name])
            .copy()
            for tensor in self._tensors
            if not tensor.is_input
        }
        return outputs, self._done.time_since(self._begun) / 1000

    def free(self) -> None:
        """Give memory and events back, whoever still knows of this object; nothing may be under way."""
        for host in self._host.values():
            host.base.free()  # type: ignore[union-attr]  # pycuda's own kind of memory
        for memory in self._device.values():
            memory.free()
        self._host.clear()
        self._device.clear()
        del self._begun, self._copied_in, self._computed, self._done

"""The model on an NVIDIA GPU: a TensorRT plan, fed through buffers and streams that pycuda owns."""

from __future__ import annotations

import hashlib
import importlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamcolor.errors import EngineError, MissingExtraError

from ..base import CLOSED, Engine, Inference, LumaBatch, ModelSpec, Ticket
from ..metadata import read_spec
from .buffers import Slot, Streams, Tensor
from .builder import BuildOptions, build_plan, profile_of
from .cache import PlanCache, PlanKey
from .device import Gpu, find_gpu, pycuda_driver

#: Batches on the GPU at once: one is copied in and one out while a third is computed.
_SLOTS = 3


def tensorrt_module() -> Any:
    """The package ``tensorrt``, or where only that is installed its sibling ``tensorrt_rtx``, which has the same names.

    Raises:
        MissingExtraError: neither is installed.
        EngineError: it can't be imported.
    """
    for name in ("tensorrt", "tensorrt_rtx"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        except ImportError as error:  # a library of CUDA's that it needs
            raise EngineError(f"{name} can't be loaded: {error}") from error
    raise MissingExtraError("tensorrt", "tensorrt")


def plan_key(model: Path, spec: ModelSpec, gpu: Gpu, trt: Any, build: BuildOptions) -> PlanKey:
    """What the plan of a model, whose spec is given, is kept under for a GPU."""
    return PlanKey(
        model=f"{spec.name} {spec.version}",
        model_digest=hashlib.sha256(model.read_bytes()).hexdigest(),
        tensorrt=f"{trt.__name__} {trt.__version__}",
        gpu=gpu.name,
        capability=".".join(map(str, gpu.capability)),
        driver=gpu.driver,
        precision=build.precision,
        level=build.level,
        profile=profile_of(spec),
    )


def make_plan(
    model: Path,
    key: PlanKey,
    trt: Any,
    build: BuildOptions,
    cache: PlanCache,
    progress: Callable[[str, int, int], None] | None = None,
) -> bytes:
    """Build a plan on the current device and keep it.

    Raises:
        EngineError: it can't be built or kept.
    """
    begin = time.perf_counter()
    plan, timings = build_plan(model, trt, build, timings=cache.timings(key), progress=progress)
    cache.store(key, plan, time.perf_counter() - begin)
    cache.store_timings(key, timings)
    return plan


@dataclass
class _Work:
    """A ticket's batch, in parts that the slots can take."""

    ticket: Ticket
    parts: list[Inference] = field(default_factory=list)
    #: Parts that are not yet computed.
    missing: int = 0


class ModelEngine(Engine):
    """The model on one GPU.

    All CUDA is done on one thread of the engine's own, which makes the context and frees it.

    Args:
        model: the .onnx file.
        gpu: its number.
        announce: told what takes long, in a line.
        build: how to build the plan where the cache has none.
        trt: the module to use as ``tensorrt``.

    Raises:
        MissingExtraError: tensorrt or pycuda is not installed.
        EngineError: driver, GPU or plan can't be had.
    """

    def __init__(
        self,
        model: Path,
        gpu: int = 0,
        announce: Callable[[str], None] = lambda _line: None,
        build: BuildOptions | None = None,
        trt: Any = None,
    ) -> None:
        self.spec = read_spec(model)
        self._trt = trt or tensorrt_module()
        self._gpu = find_gpu(gpu)
        self._build = build or BuildOptions()
        self.description = f"tensorrt ({self._build.precision}) on {self._gpu.name}"
        self.queue_depth = _SLOTS + 1
        #: Bytes that crossed the bus, both ways.
        self.bytes_moved = 0
        self._announce = announce
        self._requests: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._is_closed = False
        #: No ticket is put among the requests after the last one was refused.
        self._lock = threading.Lock()
        self._failure: EngineError | None = None
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._serve, args=(model, ready), name=f"tensorrt-{gpu}", daemon=True)
        self._thread.start()
        try:
            ready.result()
        except BaseException:
            self.close()
            raise

    def submit(self, luma: LumaBatch) -> Ticket:
        """See :meth:`Engine.submit`."""
        ticket = Ticket(self, luma, Future())
        with self._lock:
            if self._is_closed:
                raise self._failure or EngineError(CLOSED)
            self._requests.put(ticket)
        return ticket

    def close(self) -> None:
        """See :meth:`Engine.close`."""
        with self._lock:
            self._is_closed = True
        self._requests.put(None)
        self._thread.join()

    def _serve(self, model: Path, ready: Future[None]) -> None:
        cuda = pycuda_driver()
        try:
            with _context(cuda, self._gpu.number), self._network(cuda, model) as network:
                ready.set_result(None)
                self._work(network)
        except BaseException as error:
            self._failure = _as_line(error, self.description)
            if not ready.done():
                ready.set_exception(self._failure)
        finally:
            with self._lock:
                self._is_closed = True
            self._refuse_rest()

    @contextmanager
    def _network(self, cuda: Any, model: Path) -> Iterator[_Network]:
        cache = PlanCache()
        key = plan_key(model, self.spec, self._gpu, self._trt, self._build)
        plan = cache.load(key)
        engine = None if plan is None else self._deserialize(plan)
        if engine is None:
            self._announce(self._why_build(cache, key, plan))
            engine = self._deserialize(make_plan(model, key, self._trt, self._build, cache))
        if engine is None:
            raise EngineError(f"{key.tensorrt} can't load the plan that it built for {key.model}")
        network = _Network(cuda, self._trt, engine, self._announce)
        try:
            yield network
        finally:
            network.free()
            del engine

    def _deserialize(self, plan: bytes) -> Any:
        return self._trt.Runtime(self._trt.Logger(self._trt.Logger.INTERNAL_ERROR)).deserialize_cuda_engine(plan)

    def _why_build(self, cache: PlanCache, key: PlanKey, plan: bytes | None) -> str:
        stale = cache.stale(key)
        if plan is not None:
            reason = "the one at hand is damaged"
        elif stale is not None:
            reason = f"the one at hand is another's ({', '.join(stale.key.differences(key))})"
        else:
            reason = "the first time"
        return f"building the TensorRT plan of {key.model} for {key.gpu}, {reason}; that takes minutes, once"

    def _work(self, network: _Network) -> None:
        """Keep the GPU's slots full, and give each ticket its result in turn, until the engine is closed."""
        running: deque[tuple[_Work, Slot]] = deque()
        try:
            while True:
                try:
                    ticket = self._requests.get(block=not running)
                except queue.Empty:
                    self._finish(network, running)
                    continue
                if ticket is None:
                    return
                if ticket.result.set_running_or_notify_cancel():
                    self._launch(network, ticket, running)
        except BaseException as error:
            failure = _as_line(error, self.description)
            for work, _ in running:
                if not work.ticket.result.done():
                    work.ticket.result.set_exception(failure)
            raise failure from None
        finally:
            with suppress(Exception):  # a device that failed can't be waited for
                network.streams.synchronize()
            for work, _ in running:
                if not work.ticket.result.done():
                    work.ticket.result.set_exception(EngineError(CLOSED))

    def _launch(self, network: _Network, ticket: Ticket, running: deque[tuple[_Work, Slot]]) -> None:
        work = _Work(ticket)
        try:
            if not network.has_room_for(ticket.luma):
                while running:
                    self._finish(network, running)
                network.make_room_for(ticket.luma)
            parts = [ticket.luma[at : at + network.batch] for at in range(0, len(ticket.luma), network.batch)]
            work.missing = len(parts)
            for part in parts:
                if not network.free_slots:
                    self._finish(network, running)
                running.append((work, network.launch(part)))
        except BaseException as error:
            if not ticket.result.done():
                ticket.result.set_exception(_as_line(error, self.description))
            raise
        self.bytes_moved += ticket.luma.nbytes

    def _finish(self, network: _Network, running: deque[tuple[_Work, Slot]]) -> None:
        """Wait for the oldest part that is running."""
        work, slot = running[0]
        outputs, seconds = slot.wait()
        running.popleft()
        network.free_slots.append(slot)
        self.bytes_moved += sum(output.nbytes for output in outputs.values())
        work.parts.append(Inference(outputs["ab"], outputs.get("features"), seconds))
        work.missing -= 1
        if not work.missing:
            work.ticket.result.set_result(_joined(work.parts))

    def _refuse_rest(self) -> None:
        with suppress(queue.Empty):
            while True:
                ticket = self._requests.get_nowait()
                if ticket is not None and ticket.result.set_running_or_notify_cancel():
                    ticket.result.set_exception(self._failure or EngineError(CLOSED))


class _Network:
    """A loaded plan with its slots; everything here belongs to the thread that made the context."""

    def __init__(self, cuda: Any, trt: Any, engine: Any, announce: Callable[[str], None]) -> None:
        self._cuda, self._trt, self._engine, self._announce = cuda, trt, engine, announce
        self._context = engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if self._context is None:
            raise EngineError("TensorRT can't make an execution context")
        self.streams = Streams(cuda)
        self._context.set_optimization_profile_async(0, self.streams.compute.handle)
        self.streams.synchronize()
        self._names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        self._outputs = [name for name in self._names if name != "luma"]
        self._smallest, _, self._largest = (tuple(shape) for shape in engine.get_tensor_profile_shape("luma", 0))
        #: Frames that go together at most.
        self.batch = int(self._largest[0])
        self._room: tuple[int, ...] = (0, 0, 0, 0)
        self._scratch: Any = None
        self._slots: list[Slot] = []
        #: Those with nothing under way.
        self.free_slots: list[Slot] = []

    def has_room_for(self, luma: LumaBatch) -> bool:
        """Whether the slots are of a batch's size, or larger in frames alone."""
        return self._room[2:] == luma.shape[2:] and self._room[0] >= min(len(luma), self.batch)

    def make_room_for(self, luma: LumaBatch) -> None:
        """Take memory for batches of this size; where the GPU lacks it, for fewer frames together.

        Raises:
            EngineError: the plan is not made for this size, or a single frame finds no room.
        """
        limits = zip(self._smallest[2:], luma.shape[2:], self._largest[2:], strict=True)
        if not all(low <= side <= high for low, side, high in limits):
            raise EngineError(
                f"a working size of {luma.shape[3]}x{luma.shape[2]} is outside what TensorRT's plan is made for, "
                f"{self._smallest[3]}x{self._smallest[2]} to {self._largest[3]}x{self._largest[2]}"
            )
        wanted = min(len(luma), self.batch)
        while True:
            self._free_memory()
            try:
                self._take_memory((wanted, *luma.shape[1:]))
                return
            except self._cuda.MemoryError as error:
                if wanted == 1:
                    raise EngineError(f"the GPU has no room for a single frame: {error}") from error
                wanted = self.batch = wanted // 2
                self._announce(f"the GPU's memory is short; {wanted} frames go together from here on")

    def _take_memory(self, shape: tuple[int, ...]) -> None:
        self._require(self._context.set_input_shape("luma", shape), f"takes no batch of shape {shape}")
        scratch = self._context.update_device_memory_size_for_shapes()
        self._scratch = self._cuda.mem_alloc(max(1, scratch))
        self._context.set_device_memory(int(self._scratch), scratch)
        tensors = [self._tensor(name) for name in self._names]
        for _ in range(_SLOTS):
            self._slots.append(Slot(self._cuda, tensors))
        self.free_slots = list(self._slots)
        self._room = shape

    def _tensor(self, name: str) -> Tensor:
        dtype = np.dtype(self._trt.nptype(self._engine.get_tensor_dtype(name)))
        return Tensor(name, name == "luma", tuple(self._context.get_tensor_shape(name)), dtype)

    def launch(self, luma: LumaBatch) -> Slot:
        """Begin to compute a batch that there is room for, in a free slot."""
        slot = self.free_slots.pop()
        slot.copy_in(luma, self.streams)
        self._require(self._context.set_input_shape("luma", luma.shape), f"takes no batch of shape {luma.shape}")
        for name, address in slot.addresses.items():
            self._require(self._context.set_tensor_address(name, address), f"takes no address for {name}")
        self._require(self._context.execute_async_v3(self.streams.compute.handle), "could not begin a batch")
        slot.copy_out({name: tuple(self._context.get_tensor_shape(name)) for name in self._outputs}, self.streams)
        return slot

    @staticmethod
    def _require(done: bool, complaint: str) -> None:
        if not done:
            raise EngineError(f"TensorRT {complaint}")

    def _free_memory(self) -> None:
        while self._slots:
            self._slots.pop().free()
        self.free_slots = []
        self._room = (0, 0, 0, 0)
        if self._scratch is not None:
            self._scratch.free()
            self._scratch = None

    def free(self) -> None:
        """Give everything back; nothing may be under way."""
        self._free_memory()
        del self._context, self._engine
        self.streams.free()


@contextmanager
def _context(cuda: Any, gpu: int) -> Iterator[None]:
    """The device's primary context, which TensorRT computes in too, current on this thread."""
    with ExitStack() as stack:
        context = cuda.Device(gpu).retain_primary_context()
        stack.callback(context.detach)
        context.push()
        stack.callback(cuda.Context.pop)
        yield


def _joined(parts: list[Inference]) -> Inference:
    if len(parts) == 1:
        return parts[0]
    features = [part.features for part in parts if part.features is not None]
    return Inference(
        np.concatenate([part.ab for part in parts]),
        np.concatenate(features) if features else None,
        sum(part.seconds for part in parts),
    )


def _as_line(error: BaseException, engine: str) -> EngineError:
    """A new error: the old one's traceback holds on to what is to be freed."""
    return EngineError(str(error) if isinstance(error, EngineError) else f"{engine} failed: {error}")

"""Buffers, streams, slots and failures of the TensorRT engine, by pycuda on a stand-in for the CUDA driver."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import streamcolor
from streamcolor.engines import ModelSpec, open_engine
from streamcolor.engines.models import DEFAULT_MODEL
from streamcolor.engines.tensorrt.buffers import Slot
from streamcolor.engines.tensorrt.runtime import ModelEngine
from streamcolor.engines.trial import trial_batch
from streamcolor.errors import EngineError

from films import Film, decoded

OUT_OF_MEMORY, LAUNCH_FAILED = 2, 719


@pytest.fixture(scope="session")
def reference() -> dict[int, np.ndarray]:
    """Batches' colours by ONNX Runtime in float32, by seed."""
    with open_engine("onnxruntime") as engine:
        return {seed: engine.infer(batch(seed)) for seed in range(8)}


def batch(seed: int, count: int = 3) -> np.ndarray:
    """Pieces of photographs, other ones for each seed."""
    rng = np.random.default_rng(seed)
    picture = trial_batch()[seed % 3, 0]
    rows, columns = (side - 160 for side in picture.shape)
    corners = [(rng.integers(rows + 1), rng.integers(columns + 1)) for _ in range(count)]
    return np.stack([picture[top : top + 160, left : left + 160] for top, left in corners])[:, None]


def same(ab: np.ndarray, expected: np.ndarray) -> bool:
    """Within what float16 costs."""
    difference = np.abs(ab - expected)
    return bool(ab.shape == expected.shape and difference.max() < 0.5 and difference.mean() < 0.05)


def test_colours_are_the_references(engine: ModelEngine, reference: dict[int, np.ndarray]) -> None:
    assert engine.description == "tensorrt (float16) on stand-in GPU 0"
    for seed, expected in reference.items():
        assert same(engine.infer(batch(seed)), expected)


def test_many_batches_under_way_keep_apart(engine: ModelEngine, reference: dict[int, np.ndarray]) -> None:
    tickets = [engine.submit(batch(seed)) for seed in reference]
    for ticket, expected in reversed(list(zip(tickets, reference.values(), strict=True))):
        assert same(engine.collect(ticket).ab, expected)


@pytest.mark.parametrize("stream", ["compute", "copy_out"])
def test_a_missing_wait_between_streams_would_show(
    engine: ModelEngine,
    gpu,
    reference: dict[int, np.ndarray],
    stream: str,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    """The stand-in sees what these tests are for."""
    real = {"compute": Slot.copy_in, "copy_out": Slot.copy_out}[stream]

    def without_wait(slot: Slot, values: object, streams: object) -> None:
        import pycuda.driver as cuda

        real_wait = cuda.Stream.wait_for_event
        cuda.Stream.wait_for_event = lambda _stream, _event: None
        try:
            real(slot, values, streams)  # type: ignore[arg-type]
        finally:
            cuda.Stream.wait_for_event = real_wait

    gpu.set(delay_us=20_000)
    monkeypatch.setattr(Slot, real.__name__, without_wait)
    tickets = [engine.submit(batch(seed)) for seed in reference]
    try:
        results = [engine.collect(ticket).ab for ticket in tickets]
    except EngineError:  # an end without a beginning
        return
    assert not all(same(ab, expected) for ab, expected in zip(results, reference.values(), strict=True))


def test_results_are_the_callers_own(engine: ModelEngine) -> None:
    first = engine.infer(batch(0))
    kept = first.copy()
    for seed in range(1, 5):
        engine.infer(batch(seed))
    np.testing.assert_array_equal(first, kept)


def test_batches_of_any_number_and_size(engine: ModelEngine) -> None:
    with open_engine("onnxruntime") as judge:
        for count, size in ((1, (160, 160)), (37, (160, 192)), (2, (288, 160)), (5, (160, 480)), (16, (160, 160))):
            luma = np.resize(trial_batch(), (count, 1, *size))
            assert same(engine.infer(luma), judge.infer(luma))


def test_a_shape_that_the_plan_is_not_made_for_is_named(engine: ModelEngine) -> None:
    with pytest.raises(EngineError, match="640x160 is outside what TensorRT's plan is made for, 160x160 to 480x320"):
        engine.infer(np.zeros((1, 1, 160, 640), np.uint8))


def test_bytes_that_cross_the_bus_are_counted(engine: ModelEngine) -> None:
    engine.infer(batch(0, count=4))
    assert engine.bytes_moved == 4 * (160 * 160 + 4 * (2 * 40 * 40 + 32 * 10 * 10))


def small_model(path: Path) -> Path:
    """A model of ours of one layer, which is read in no time."""
    weights = numpy_helper.from_array(np.full((2, 1, 4, 4), 0.01, np.float32), "weights")
    nodes = [
        helper.make_node("Cast", ["luma"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["values", "weights"], ["ab"], strides=[4, 4]),
    ]
    luma = helper.make_tensor_value_info("luma", TensorProto.UINT8, ["n", 1, "h", "w"])
    ab = helper.make_tensor_value_info("ab", TensorProto.FLOAT, ["n", 2, "y", "x"])
    model = helper.make_model(
        helper.make_graph([*nodes], "small", [luma], [ab], [weights]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    helper.set_model_props(model, ModelSpec("small", "1", 160, 32, 4, "none", "MIT").to_metadata())
    onnx.save(model, path)
    return path


def test_nothing_is_left_after_a_thousand_engines(gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = small_model(tmp_path / "small.onnx")
    gpu.set(delay_us=0)
    for _ in range(1000):
        with ModelEngine(model) as engine:
            ticket = engine.submit(batch(0, count=1))
        assert ticket.result.done()
        assert not any(gpu.live.values())


def test_too_little_memory_makes_batches_smaller(
    gpu,
    reference: dict[int, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    gpu.set(memory=5 << 20)
    said: list[str] = []
    with ModelEngine(DEFAULT_MODEL, announce=said.append) as engine, open_engine("onnxruntime") as judge:
        luma = np.concatenate([batch(seed) for seed in range(5)])
        assert same(engine.infer(luma), judge.infer(luma))
        assert same(engine.infer(batch(0)), reference[0])
    assert said[-1] == "the GPU's memory is short; 3 frames go together from here on"


def test_no_memory_at_all_is_one_clear_line(engine: ModelEngine, gpu) -> None:  # type: ignore[no-untyped-def]
    gpu.set(memory=1000)
    with pytest.raises(EngineError, match="the GPU has no room for a single frame"):
        engine.infer(batch(0))
    with pytest.raises(EngineError, match="no room"):
        engine.infer(batch(0))


@pytest.mark.parametrize("function", ["cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync", "cuEventSynchronize", "cuEventRecord"])
def test_a_failing_gpu_fails_every_batch_and_is_freed(engine: ModelEngine, gpu, function: str) -> None:  # type: ignore[no-untyped-def]
    engine.infer(batch(0))
    gpu.fail(function, 3, LAUNCH_FAILED)
    with pytest.raises(EngineError, match=r"tensorrt .* failed"):  # noqa: PT012
        for ticket in [engine.submit(batch(seed)) for seed in range(6)]:
            engine.collect(ticket)
    engine.close()
    assert not any(gpu.live.values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"devices": 0}, "the NVIDIA driver"),
        ({"capability": 61}, "compute capability 6.1; TensorRT needs 7.5"),
    ],
)
def test_a_gpu_that_can_not_be_used_is_named(gpu, settings: dict[str, int], message: str) -> None:  # type: ignore[no-untyped-def]
    gpu.set(**settings)
    with pytest.raises(EngineError, match=message):
        ModelEngine(DEFAULT_MODEL)


def test_a_gpu_that_is_not_there_is_named(gpu) -> None:  # type: ignore[no-untyped-def] # noqa: ARG001
    with pytest.raises(EngineError, match=r"there is no GPU 3; this machine's are 0 to 0"):
        ModelEngine(DEFAULT_MODEL, gpu=3)


@pytest.fixture
def tensorrt_for_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``auto`` find the stand-in, and of the others ONNX Runtime alone."""
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "openvino":
            raise importlib.metadata.PackageNotFoundError(name)
        return "11.0" if name in ("tensorrt", "tensorrt-cu13") else real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)


@pytest.mark.usefixtures("tensorrt_for_auto")
def test_auto_takes_tensorrt_and_says_that_it_builds(gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def] # noqa: ARG001
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for expected in (["building the TensorRT plan of streamcolor-lite0 1.2 for stand-in GPU 0, the first time"], []):
        said: list[str] = []
        with open_engine(announce=said.append) as engine:
            assert engine.description.startswith("tensorrt")
        assert [line.partition(";")[0] for line in said] == expected


@pytest.mark.usefixtures("tensorrt_for_auto")
def test_auto_goes_on_without_a_driver_that_is_new_enough(gpu) -> None:  # type: ignore[no-untyped-def]
    gpu.set(driver=12040)
    said: list[str] = []
    with open_engine(announce=said.append) as engine:
        assert engine.description == "onnxruntime (float32)"
    assert said == [
        "the NVIDIA driver offers CUDA 12.4, but the installed TensorRT is made for 13.0; update the driver, or "
        "install streamcolor[tensorrt-cu12]; another engine takes its place"
    ]


@pytest.mark.usefixtures("tensorrt_for_auto")
def test_a_film_outlives_its_gpu(engine: ModelEngine, gpu, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    engine.close()
    source = Film(pts=tuple(range(40)), codec="ffv1").write(tmp_path / "film.mkv")
    gpu.fail("cuMemcpyDtoHAsync", 5, LAUNCH_FAILED)
    report = streamcolor.colorize(source, tmp_path / "out.mkv", codec="ffv1")
    assert any("failed" in note and "another engine takes its place" in note for note in report.notes)
    expected = streamcolor.colorize(source, tmp_path / "judge.mkv", codec="ffv1", engine="onnxruntime")
    assert report.frames == expected.frames == 40
    for ours, theirs in zip(decoded(tmp_path / "out.mkv"), decoded(tmp_path / "judge.mkv"), strict=True):
        difference = ours.to_ndarray(format="yuv444p").astype(int) - theirs.to_ndarray(format="yuv444p")
        assert np.abs(difference).max() <= 2


def test_several_gpus_are_given_batches_in_turn(engine: ModelEngine, gpu, reference, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    engine.close()
    gpu.set(devices=2)
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "11.0" if name == "tensorrt" else real(name))
    with open_engine("tensorrt", gpus=(0, 1)) as both:
        assert both.description == "2 x tensorrt (float16) on stand-in GPU 0"
        assert gpu.live["contexts"] == 2
        tickets = [both.submit(batch(seed)) for seed in reference]
        for ticket, expected in zip(tickets, reference.values(), strict=True):
            assert same(both.collect(ticket).ab, expected)


def test_without_a_driver_the_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamcolor.engines.tensorrt.device import pycuda_driver

    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2026.1" if name == "pycuda" else real(name))
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(EngineError, match="there is no NVIDIA driver here"):
        pycuda_driver()

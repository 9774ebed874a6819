"""Every engine gives the float32 PyTorch reference's colours, on real pictures."""

from __future__ import annotations

import cv2
import numpy as np
import openvino
import pytest
import torch

from streamcolor.color.yuv import working_luma_to_lightness
from streamcolor.engines import ModelSpec
from streamcolor.engines.models import DEFAULT_MODEL
from streamcolor.engines.onnxruntime import ModelEngine as OnnxRuntimeEngine
from streamcolor.engines.openvino import ModelEngine as OpenVinoEngine
from streamcolor.training.restore import load_onnx, networks_of

from films import photographs

HAS_BFLOAT16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def batch(size: tuple[int, int], count: int) -> np.ndarray:
    pictures = [cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), size) for picture in photographs()]
    return np.stack([pictures[number % len(pictures)] for number in range(count)])[:, None]


def reference(luma: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        lightness = torch.from_numpy(working_luma_to_lightness(luma.astype(np.float32)))
        generator = load_onnx(DEFAULT_MODEL, networks_of(DEFAULT_MODEL).generator)
        return 110 * generator(lightness / 50 - 1).ab.numpy()


SIZES = [(224, 160), (288, 160), (160, 288), (160, 640), (256, 192)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 3])
def test_onnxruntime_is_the_reference(size: tuple[int, int], count: int) -> None:
    luma = batch(size, count)
    with OnnxRuntimeEngine(DEFAULT_MODEL) as engine:
        ab = engine.infer(luma)
    assert ab.shape == (count, 2, size[1] // 4, size[0] // 4)
    assert ab.dtype == np.float32
    assert np.abs(ab - reference(luma)).max() < 0.05


@pytest.mark.parametrize("size", SIZES)
def test_openvino_in_float32_is_the_reference(size: tuple[int, int]) -> None:
    luma = batch(size, 3)
    with OpenVinoEngine(DEFAULT_MODEL, precision="f32") as engine:
        assert engine.description == "openvino (float32)"
        assert np.abs(engine.infer(luma) - reference(luma)).max() < 0.05


@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor does not compute in bfloat16")
def test_openvino_computes_in_bfloat16_when_told_to() -> None:
    with OpenVinoEngine(DEFAULT_MODEL, precision="bf16") as engine:
        assert engine.description == "openvino (bfloat16)"
        luma = batch((224, 160), 1)
        assert 0 < np.abs(engine.infer(luma) - reference(luma)).mean() < 3


def test_openvino_by_itself_stays_near_the_reference() -> None:
    """Whichever precision it finds best: mean over pictures of all sizes."""
    with OpenVinoEngine(DEFAULT_MODEL) as engine:
        errors = [np.abs(engine.infer(luma) - reference(luma)).mean() for luma in (batch(size, 3) for size in SIZES)]
    assert np.mean(errors) < 0.3


@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor does not compute in bfloat16")
def test_bfloat16_is_refused_where_it_changes_the_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamcolor.engines.openvino._MAX_BFLOAT16_ERROR", 0.0)
    with OpenVinoEngine(DEFAULT_MODEL) as engine:
        assert engine.description == "openvino (float32)"


@pytest.mark.parametrize("engine_class", [OnnxRuntimeEngine, OpenVinoEngine])
def test_results_are_the_callers_own(engine_class: type[OnnxRuntimeEngine | OpenVinoEngine]) -> None:
    with engine_class(DEFAULT_MODEL) as engine:
        first = engine.infer(batch((224, 160), 1))
        copy = first.copy()
        engine.infer(255 - batch((224, 160), 1))
        np.testing.assert_array_equal(first, copy)


def test_the_shipped_model_is_what_the_design_asks_for() -> None:
    with OnnxRuntimeEngine(DEFAULT_MODEL) as engine:
        spec: ModelSpec = engine.spec
    assert DEFAULT_MODEL.stat().st_size < 8_000_000
    assert spec.short_side % spec.multiple == 0
    assert spec.name
    assert spec.training
    assert spec.licence
    card = DEFAULT_MODEL.with_suffix(".md").read_text()
    assert spec.version in card
    assert spec.licence in card

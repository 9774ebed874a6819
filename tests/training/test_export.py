from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from streamcolor.color.yuv import working_luma_to_lightness
from streamcolor.engines import ModelSpec
from streamcolor.engines.tensorrt.builder import BuildOptions, build_plan, find_tensorrt
from streamcolor.engines.trial import trial_batch
from streamcolor.errors import EngineError
from streamcolor.training import export
from streamcolor.training.config import FullResConfig, NetworksConfig, UNetConfig
from streamcolor.training.export import export_onnx
from streamcolor.training.networks.base import Generator
from streamcolor.training.networks.build import build_generator
from streamcolor.training.restore import load_onnx, networks_of, unfold_batch_norms

SPEC = ModelSpec("test", "1.2", 160, 32, 4, "none", "MIT")
OTHERS = [
    UNetConfig(encoder="plain", plain_widths=(8, 8, 16, 16), decoder=(8, 8, 8, 8), head="bins"),
    FullResConfig(network="fullres", widths=(8, 8, 8)),
]


@pytest.mark.parametrize("shape", [(1, 1, 160, 288), (3, 1, 32, 64), (2, 1, 192, 160)])
def test_export_equals_pytorch(
    exported: tuple[Generator, Path], shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    """Up to the rounding of weights to float16."""
    generator, path = exported
    luma = rng.integers(0, 256, shape, dtype=np.uint8)
    (ab,) = onnxruntime.InferenceSession(path).run(["ab"], {"luma": luma})
    with torch.inference_mode():
        lightness = torch.from_numpy(working_luma_to_lightness(luma.astype(np.float32)))
        expected = 110 * generator(lightness / 50 - 1).ab.numpy()
    assert ab.shape == (shape[0], 2, shape[2] // 4, shape[3] // 4)
    assert np.abs(ab - expected).max() < 0.02 * np.abs(expected).max()


def test_features_are_principal_components_of_photographs(exported: tuple[Generator, Path]) -> None:
    """By a singular value decomposition; distances between places, since a component's sign is open."""
    generator, path = exported
    luma = trial_batch()
    (made,) = onnxruntime.InferenceSession(path).run(["features"], {"luma": luma})
    with torch.inference_mode():
        lightness = torch.from_numpy(working_luma_to_lightness(luma.astype(np.float32)))
        features = generator(lightness / 50 - 1).features.numpy()
    assert made.shape[2:] == (luma.shape[2] // 16, luma.shape[3] // 16)
    vectors, components = (np.moveaxis(planes, 1, -1).reshape(-1, planes.shape[1]) for planes in (features, made))
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[: components.shape[1]].T
    some = np.random.default_rng(0).choice(len(vectors), 40)
    distances = [np.linalg.norm(cells[some, None] - cells[some], axis=-1) for cells in (components, expected)]
    np.testing.assert_allclose(distances[0], distances[1], atol=0.02 * distances[1].max())
    np.testing.assert_allclose(components.mean(axis=0), 0, atol=0.02 * distances[1].max())


@pytest.mark.parametrize("config", OTHERS, ids=["bins", "fullres"])
def test_other_networks_export_and_come_back(config: UNetConfig | FullResConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    networks = NetworksConfig(generator=config)
    generator = build_generator(config)
    generator(torch.rand(4, 1, 64, 64))
    spec = dataclasses.replace(SPEC, stride=generator.stride, multiple=generator.multiple)
    path = tmp_path / "model.onnx"
    assert export_onnx(generator.eval(), networks, spec, path) < 0.1
    assert networks_of(path) == networks
    lightness = 2 * torch.rand(2, 1, 64, 96) - 1
    restored = load_onnx(path, config)
    with torch.inference_mode():
        torch.testing.assert_close(restored(lightness).ab, generator(lightness).ab, rtol=0, atol=1e-3)


def test_an_export_can_be_trained_on(exported: tuple[Generator, Path]) -> None:
    """Batch norms that are unfolded give the same colours, and normalize a batch like the sample's."""
    generator, path = exported
    lightness = 2 * torch.rand(16, 1, 64, 96) - 1
    restored = load_onnx(path, networks_of(path).generator)
    unfold_batch_norms(restored, lightness)
    with torch.inference_mode():
        expected = generator(lightness).ab
        bound = 0.02 * expected.abs().max().item()
        torch.testing.assert_close(restored(lightness).ab, expected, rtol=0, atol=bound)
        torch.testing.assert_close(restored.train()(lightness).ab, expected, rtol=0, atol=bound)


def test_an_export_that_differs_is_not_put_in_place(
    exported: tuple[Generator, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"a good model")
    monkeypatch.setattr(export, "_LARGEST_MEAN_DIFFERENCE", 0.0)
    with pytest.raises(EngineError, match="differs from PyTorch"):
        export_onnx(exported[0], NetworksConfig(), SPEC, path)
    assert path.read_bytes() == b"a good model"
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_weights_too_large_for_float16_are_refused(tmp_path: Path) -> None:
    generator = build_generator(OTHERS[1]).eval()
    with torch.no_grad():
        next(generator.parameters()).fill_(1e5)
    spec = dataclasses.replace(SPEC, stride=1, multiple=4)
    with pytest.raises(EngineError, match="too large for float16"):
        export_onnx(generator, NetworksConfig(generator=OTHERS[1]), spec, tmp_path / "model.onnx", half=True)


def test_export_carries_its_spec_and_nothing_of_the_machine(exported: tuple[Generator, Path]) -> None:
    path = exported[1]
    metadata = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    assert ModelSpec.from_metadata(path, metadata) == SPEC
    assert b"/training/" not in path.read_bytes()
    assert path.stat().st_size < 8_000_000


@pytest.mark.parametrize("config", [UNetConfig(encoder="lite0"), *OTHERS], ids=["regression", "bins", "fullres"])
@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
def test_every_export_compiles_for_tensorrt(config: UNetConfig | FullResConfig, half: bool, tmp_path: Path) -> None:
    """By the sibling of TensorRT that needs no GPU to compile."""
    compiler = find_tensorrt()
    if compiler is None:
        pytest.skip("neither tensorrt nor tensorrt_rtx is installed")
    generator = build_generator(config).eval()
    spec = dataclasses.replace(SPEC, stride=generator.stride, multiple=generator.multiple)
    path = tmp_path / "model.onnx"
    assert export_onnx(generator, NetworksConfig(generator=config), spec, path, half=half) < 0.1
    assert {parameter.dtype for parameter in generator.parameters()} == {torch.float32}  # the caller's stays
    kinds = {tensor.data_type for tensor in onnx.load(path).graph.initializer if tensor.name.endswith("weight")}
    assert onnx.TensorProto.FLOAT16 in kinds or not half
    for precision in ("float32", "float16"):
        plan, _ = build_plan(path, compiler, BuildOptions(precision=precision))
        assert len(plan) > 10_000


def test_tensorrt_names_a_graph_that_it_cannot_read(tmp_path: Path) -> None:
    compiler = find_tensorrt()
    if compiler is None:
        pytest.skip("neither tensorrt nor tensorrt_rtx is installed")
    node = onnx.helper.make_node("StringNormalizer", ["luma"], ["ab"])
    info = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.STRING, [1]) for name in ("luma", "ab")]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "strings", info[:1], info[1:]), opset_imports=[onnx.helper.make_opsetid("", 18)]
    )
    model.ir_version = 10
    onnx.helper.set_model_props(model, SPEC.to_metadata())
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(EngineError, match="can't"):
        build_plan(tmp_path / "model.onnx", compiler, BuildOptions(precision="float32"))


def test_files_that_are_no_exports_are_named(tmp_path: Path, exported: tuple[Generator, Path]) -> None:
    (tmp_path / "no.onnx").write_bytes(b"hello, this is no model")
    with pytest.raises(EngineError, match="can't be read"):
        networks_of(tmp_path / "no.onnx")
    with pytest.raises(EngineError, match="missing or differs"):
        load_onnx(exported[1], UNetConfig(decoder=(8, 8, 8, 8)))

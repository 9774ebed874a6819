from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from streamcolor.engines import engines_here, open_engine
from streamcolor.errors import EngineError, MissingExtraError


def test_auto_takes_the_first_engine_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_engine("auto") as engine:
        assert engine.description.startswith("openvino")
    forget("openvino", monkeypatch)
    assert [info.name for info in engines_here() if info.version is not None] == ["onnxruntime"]
    with open_engine("auto") as engine:
        assert engine.description == "onnxruntime (float32)"


def test_a_missing_package_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    forget("openvino", monkeypatch)
    with pytest.raises(MissingExtraError, match=r"pip install 'streamcolor\[openvino\]'"):
        open_engine("openvino")


def forget(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a package look as if it were not installed."""
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == package:
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_somebody_elses_onnx_file_is_refused(tmp_path: Path, name: str) -> None:
    tensors = [helper.make_tensor_value_info(tensor, TensorProto.FLOAT, [1]) for tensor in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = tmp_path / "other.onnx"
    onnx.save(model, path)
    with pytest.raises(EngineError, match="not a streamcolor model"):
        open_engine(name, path)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_truncated_model_is_refused(tmp_path: Path, name: str) -> None:
    from streamcolor.engines.models import DEFAULT_MODEL

    path = tmp_path / "cut.onnx"
    path.write_bytes(DEFAULT_MODEL.read_bytes()[:100_000])
    with pytest.raises(EngineError, match=r"cut.onnx"):
        open_engine(name, path)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_an_engine_works_until_it_is_closed(name: str) -> None:
    engine = open_engine(name)
    luma = np.zeros((1, 1, 160, 160), np.uint8)
    assert engine.infer(luma).shape == (1, 2, 40, 40)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(luma)

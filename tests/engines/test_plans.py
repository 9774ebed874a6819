"""Plans: compiled by a real compiler of NVIDIA's, kept safely."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from streamcolor.engines.metadata import read_spec
from streamcolor.engines.models import DEFAULT_MODEL
from streamcolor.engines.tensorrt.builder import BuildOptions, build_plan, profile_of
from streamcolor.engines.tensorrt.cache import PlanCache, PlanKey
from streamcolor.engines.tensorrt.half import to_float16
from streamcolor.engines.tensorrt.runtime import ModelEngine
from streamcolor.engines.trial import trial_batch
from streamcolor.errors import EngineError

trt = pytest.importorskip("tensorrt_rtx")

KEY = PlanKey(
    "model 1.0", "ab" * 32, "tensorrt 11.0", "a GPU", "9.0", 13000, "float16", 3,
    ((1, 1, 160, 160), (8, 1, 160, 288), (16, 1, 320, 480)),
)  # fmt: skip


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_the_shipped_model_compiles_and_tells_how_far_it_is(precision: str) -> None:
    phases: dict[str, tuple[int, int]] = {}
    plan, timings = build_plan(
        DEFAULT_MODEL,
        trt,
        BuildOptions(precision=precision, workspace=512),  # type: ignore[arg-type]
        progress=lambda phase, done, steps: phases.update({phase: (done, steps)}),
    )
    assert len(plan) > 1_000_000
    assert timings
    assert phases
    assert all(done == steps for done, steps in phases.values())


def test_one_profile_holds_batches_and_working_sizes() -> None:
    assert profile_of(read_spec(DEFAULT_MODEL)) == ((1, 1, 160, 160), (8, 1, 160, 288), (16, 1, 320, 480))


def test_float16_changes_no_colour_that_an_eye_sees() -> None:
    luma = {"luma": trial_batch()}
    whole, half = (onnxruntime.InferenceSession(model) for model in (DEFAULT_MODEL, to_float16(DEFAULT_MODEL)))
    difference = np.abs(half.run(["ab"], luma)[0] - whole.run(["ab"], luma)[0])
    assert 0 < difference.max() < 0.5
    assert difference.mean() < 0.05
    assert half.get_modelmeta().custom_metadata_map == whole.get_modelmeta().custom_metadata_map


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = PlanCache(tmp_path / "plans")
    assert cache.load(KEY) is None
    cache.store(KEY, b"a plan", 3.5)
    assert PlanCache(tmp_path / "plans").load(KEY) == b"a plan"
    (entry,) = cache
    assert (entry.key, entry.size, entry.seconds) == (KEY, 6, 3.5)
    assert cache.clear() == 1
    assert not list((tmp_path / "plans").iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"model_digest": "cd" * 32},
        {"tensorrt": "tensorrt 10.9"},
        {"gpu": "another"},
        {"driver": 12080},
        {"capability": "8.9"},
        {"precision": "float32"},
        {"level": 5},
    ],
)
def test_another_of_anything_is_another_plan(tmp_path: Path, change: dict[str, object]) -> None:
    cache = PlanCache(tmp_path / "plans")
    cache.store(KEY, b"a plan", 0)
    other = dataclasses.replace(KEY, **change)  # type: ignore[arg-type]
    assert cache.load(other) is None
    assert KEY.differences(other) == list(change)


def test_a_plan_that_was_changed_is_not_loaded(tmp_path: Path) -> None:
    cache = PlanCache(tmp_path)
    cache.store(KEY, b"a plan", 0)
    (path,) = tmp_path.glob("*.plan")
    path.write_bytes(b"a trap")
    assert cache.load(KEY) is None


def test_plans_are_their_owners_alone(tmp_path: Path) -> None:
    cache = PlanCache(tmp_path / "plans")
    cache.store(KEY, b"a plan", 0)
    assert (tmp_path / "plans").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "plans").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    next((tmp_path / "plans").glob("*.plan")).chmod(0o666)
    assert cache.load(KEY) is None
    (tmp_path / "plans").chmod(0o777)
    with pytest.raises(EngineError, match="others may write to it"):
        PlanCache(tmp_path / "plans")


def test_a_link_to_elsewhere_is_not_loaded(tmp_path: Path) -> None:
    cache = PlanCache(tmp_path / "plans")
    cache.store(KEY, b"a plan", 0)
    (path,) = (tmp_path / "plans").glob("*.plan")
    (tmp_path / "elsewhere").write_bytes(b"a plan")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.load(KEY) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": 1}', '{"key": {"profile": [[1]]}, "size": 2}'])
def test_a_broken_sidecar_is_passed_over(tmp_path: Path, content: str) -> None:
    cache = PlanCache(tmp_path)
    cache.store(KEY, b"a plan", 0)
    next(tmp_path.glob("*.json")).write_text(content)
    assert list(cache) == []
    assert cache.load(KEY) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [("digest", "the one at hand is another's (tensorrt)"), ("plan", "the one at hand is damaged")],
)
def test_a_plan_that_does_not_fit_is_rebuilt_and_said(
    gpu: object,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    reason: str,
) -> None:
    import standin_tensorrt

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ModelEngine(DEFAULT_MODEL).close()
    if change == "digest":
        monkeypatch.setattr(standin_tensorrt, "__version__", "11.1")
    else:  # bytes that TensorRT refuses, though the digest is right
        (entry,) = PlanCache()
        PlanCache().store(entry.key, b"no plan", 0)
    said: list[str] = []
    for _ in range(2):
        with ModelEngine(DEFAULT_MODEL, announce=said.append) as engine:
            assert engine.infer(trial_batch()).shape[1] == 2
    assert len(said) == 1
    assert reason in said[0]

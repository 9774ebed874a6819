"""Check and measure an engine on this machine, in one JSON.

    python tests/gpu/measure.py --engine tensorrt --json RESULT.json

Colours against ONNX Runtime's float32, the engine alone, whole jobs beside decoding and encoding alone, and the same
generator elsewhere. Anything that is not there (torch, onnxruntime-gpu) is left out, and named.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import efficiency

from streamcolor.engine_cli import measure as measure_engine
from streamcolor.engines import open_engine
from streamcolor.engines.models import DEFAULT_MODEL
from streamcolor.engines.tensorrt.cache import PlanCache
from streamcolor.engines.trial import trial_batch
from streamcolor.errors import StreamcolorError

SIZES = {"480p": (854, 480), "1080p": (1920, 1080), "2160p": (3840, 2160)}
#: Bounds of the largest and the mean difference, in ab units.
LARGEST, MEAN = 0.5, 0.05


def agreement(name: str) -> dict[str, float]:
    """How far an engine's colours are from the reference's, on photographs in batches of many sizes.

    Raises:
        SystemExit: further than they may be.
    """
    differences = []
    with open_engine(name, announce=print) as engine, open_engine("onnxruntime") as reference:
        for count, size in ((1, (160, 160)), (16, (160, 288)), (37, (160, 224)), (5, (288, 160)), (2, (160, 480))):
            luma = np.resize(trial_batch(), (count, 1, *size))
            differences.append(np.abs(engine.infer(luma) - reference.infer(luma)).ravel())
    everything = np.concatenate(differences)
    found = {"largest_difference": float(everything.max()), "mean_difference": float(everything.mean())}
    if found["largest_difference"] >= LARGEST or found["mean_difference"] >= MEAN:
        sys.exit(f"{name} differs from the reference: {found}")
    return found


def torch_alone(compiled: bool) -> dict[str, float]:
    """PyTorch's frames a second with the same generator, in float16 where there is a GPU."""
    import torch

    from streamcolor.training.restore import load_onnx, networks_of

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float16 if device == "cuda" else torch.float32
    generator = load_onnx(DEFAULT_MODEL, networks_of(DEFAULT_MODEL).generator).eval().to(device, dtype)
    run = torch.compile(generator) if compiled else generator
    lightness = torch.zeros(16, 1, 160, 288, device=device, dtype=dtype)

    def batch() -> None:
        run(lightness).ab.float().cpu()

    with torch.inference_mode():
        batch()
        begin, count = time.perf_counter(), 0
        while time.perf_counter() - begin < 5:
            batch()
            count += 1
    return {"frames a second": 16 * count / (time.perf_counter() - begin)}


def attempt(what: Callable[[], Any]) -> Any:
    """A figure, or why there is none."""
    try:
        return what()
    except (ImportError, StreamcolorError, RuntimeError) as error:
        return f"left out: {error}"


def gpu_memory() -> str:
    """What the GPU's memory holds, with a batch's buffers taken."""
    import pycuda.driver as cuda

    context = cuda.Device(0).retain_primary_context()
    context.push()
    try:
        unused, total = cuda.mem_get_info()
    finally:
        context.pop()
        context.detach()
    return f"{(total - unused) / 2**20:.0f} of {total / 2**20:.0f} MiB"


@click.command()
@click.option("--engine", "name", default="tensorrt", show_default=True)
@click.option("--seconds", default=20, show_default=True, help="Length of each film.")
@click.option("--size", "sizes", multiple=True, type=click.Choice(list(SIZES)), default=list(SIZES))
@click.option("--json", "target", type=click.Path(path_type=Path), required=True)
def main(name: str, seconds: int, sizes: tuple[str, ...], target: Path) -> None:
    """Check, measure and write."""
    begin = time.perf_counter()
    found: dict[str, Any] = {"agreement": agreement(name)}
    found["seconds_of_first_open_and_check"] = time.perf_counter() - begin
    found["plans"] = [{"model": plan.key.model, "seconds": plan.seconds, "bytes": plan.size} for plan in PlanCache()]
    with open_engine(name, announce=print) as engine:
        found["engine"] = measure_engine(engine, 16, 5)
        found["gpu_memory"] = attempt(gpu_memory)
    efficiency.SIZES.update(SIZES)
    found["jobs"] = [efficiency.measure(size, name, efficiency.RATE * seconds) for size in sizes]
    for job in found["jobs"]:
        job["share_of_decode_encode"] = job["job_fps"] / job["decode_encode_fps"]
    found["onnxruntime-cuda"] = attempt(lambda: measure_engine(open_engine("onnxruntime-cuda"), 16, 5))
    found["torch"] = attempt(lambda: torch_alone(compiled=False))
    found["torch.compile"] = attempt(lambda: torch_alone(compiled=True))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found, indent=1) + "\n")
    print(target)


if __name__ == "__main__":
    main()

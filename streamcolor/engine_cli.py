"""The commands that prepare and measure engines."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from .color.planes import working_size
from .console import EPILOG, ERR, OUT, complain, debug_option, errors_as_lines, json_option
from .doctor import processor
from .engines import AUTO, Engine, Ticket, open_engine
from .engines.metadata import read_spec
from .engines.models import DEFAULT_MODEL
from .engines.tensorrt.builder import BuildOptions, Precision
from .engines.tensorrt.cache import PlanCache
from .engines.tensorrt.device import find_gpu
from .engines.tensorrt.runtime import make_plan, plan_key, tensorrt_module
from .media.timing import format_time

_model = click.option(
    "--model",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=DEFAULT_MODEL,
    help="Path of a model's .onnx file instead of the one that ships.",
)
_gpu = click.option("--gpu", type=click.IntRange(min=0), default=0, show_default=True, help="Number of the GPU.")
#: Size of the film that an engine is measured with.
_FILM = (854, 480)


@click.group("engine", epilog=EPILOG)
def _engine() -> None:
    """Build, list and clear TensorRT's plans; measure engines."""


@_engine.command("build")
@_model
@_gpu
@click.option("--precision", type=click.Choice(["float16", "float32"]), default="float16", show_default=True)
@click.option("--level", type=click.IntRange(0, 5), default=3, show_default=True, help="How long to look for speed.")
@click.option("--workspace", type=click.IntRange(min=1), help="MiB of scratch for one kernel. Default: all there is.")
@debug_option
def _build(model: Path, gpu: int, precision: Precision, level: int, workspace: int | None, debug: bool) -> None:
    """Build the plan of a model for a GPU of this machine, in the place of one that is there."""
    with errors_as_lines(debug):
        trt, build, cache = tensorrt_module(), BuildOptions(precision, level, workspace), PlanCache()
        key = plan_key(model, read_spec(model), find_gpu(gpu), trt, build)
        begin = time.perf_counter()
        with _bar() as progress:
            plan = make_plan(model, key, trt, build, cache, progress)
        seconds = format_time(time.perf_counter() - begin)
        OUT.print(f"{key.model} for {key.gpu}: {len(plan) / 1e6:.1f} MB in {seconds}, kept in {cache.folder}")


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    with ProgressBar(TextColumn("{task.description}"), BarColumn(), console=ERR, transient=True) as bar:
        tasks = {}

        def show(phase: str, done: int, steps: int) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=steps)
            bar.update(tasks[phase], completed=done)

        yield show


@_engine.command("list")
@json_option
@debug_option
def _list(as_json: bool, debug: bool) -> None:
    """Show the plans that are kept."""
    with errors_as_lines(debug):
        cache = PlanCache()
        if as_json:
            plans = [vars(plan) | {"key": vars(plan.key)} for plan in cache]
            print(json.dumps({"folder": str(cache.folder), "plans": plans}))
            return
        table = Table("model", "GPU", "TensorRT", "driver", "precision", "level", "MB", "built in")
        for plan in cache:
            key = plan.key
            row = (
                key.model,
                f"{key.gpu} ({key.capability})",
                key.tensorrt,
                str(key.driver),
                key.precision,
                str(key.level),
            )
            table.add_row(*row, f"{plan.size / 1e6:.1f}", format_time(plan.seconds))
        OUT.print(table)
        OUT.print(str(cache.folder))


@_engine.command("clear")
@debug_option
def _clear(debug: bool) -> None:
    """Remove every plan that is kept."""
    with errors_as_lines(debug):
        cache = PlanCache()
        OUT.print(f"{cache.clear()} plans removed from {cache.folder}")


@_engine.command("bench")
@click.option("--engine", "name", default=AUTO, show_default=True, help="The engine to measure.")
@_model
@_gpu
@click.option("--batch-size", type=click.IntRange(1, 64), default=16, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True)
@json_option
@debug_option
def _bench(name: str, model: Path, gpu: int, batch_size: int, seconds: float, as_json: bool, debug: bool) -> None:
    """Measure an engine alone, on a 480p film's working size, with its queue kept full."""
    with errors_as_lines(debug), open_engine(name, model, gpus=(gpu,), announce=complain) as engine:
        figures = measure(engine, batch_size, seconds)
        if as_json:
            print(json.dumps(figures))
            return
        table = Table(show_header=False)
        for label, value in figures.items():
            table.add_row(label, f"{value:.1f}" if isinstance(value, float) else str(value))
        OUT.print(table)


def measure(engine: Engine, batch_size: int, seconds: float) -> dict[str, str | int | float]:
    """An engine's frames a second and what crosses to it and back, over about this many seconds."""
    spec = engine.spec
    width, height = working_size(*_FILM, short_side=spec.short_side, multiple=spec.multiple)
    luma = np.random.default_rng(0).integers(0, 256, (batch_size, 1, height, width), dtype=np.uint8)
    first = engine.collect(engine.submit(luma))  # buffers are taken with it
    pending: deque[Ticket] = deque()
    batches, busy = 0, 0.0
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds or pending:
        if time.perf_counter() - begin < seconds and len(pending) < engine.queue_depth:
            pending.append(engine.submit(luma))
            continue
        busy += engine.collect(pending.popleft()).seconds
        batches += 1
    elapsed = time.perf_counter() - begin
    return {
        "engine": engine.description,
        "model": f"{spec.name} {spec.version}",
        "processor": processor(),
        "working size": f"{width}x{height}",
        "frames a batch": batch_size,
        "frames a second": batches * batch_size / elapsed,
        "milliseconds a batch, from its leaving to its coming": 1000 * busy / batches,
        # More than 1 where batches pass side by side.
        "batches under way in the mean": busy / elapsed,
        "bytes in a frame": luma.nbytes // batch_size,
        "bytes out a frame": sum(part.nbytes for part in (first.ab, first.features) if part is not None) // batch_size,
    }


commands = {"engine": _engine}

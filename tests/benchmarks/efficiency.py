"""How much of the machine's speed a whole job reaches.

    python tests/benchmarks/efficiency.py [--json FILE] [--engine NAME]

On generated H.264 film, in one run, all on the same cores: (a) decoding and encoding alone, with the job's own
settings; (b) the engine alone; (c) the whole job. Work that shares the cores can go no faster than
1 / (1/a + 1/b); efficiency is c as a share of that. The median of the rounds counts.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import av
import click
import cv2
import numpy as np
from skimage import data

from streamcolor import ColorOptions, FilmOptions, colorize
from streamcolor.color.planes import working_size
from streamcolor.doctor import processor
from streamcolor.engines import Ticket, open_engine
from streamcolor.job import plan_job
from streamcolor.media.containers import container_of
from streamcolor.media.reader import FilmReader
from streamcolor.media.sources import local_source
from streamcolor.media.targets import FileTarget
from streamcolor.media.writer import FilmWriter
from streamcolor.prefetch import prefetch

SIZES = {"480p": (854, 480), "1080p": (1920, 1080)}
RATE = 24
ROUNDS = 3


def make_film(path: Path, size: tuple[int, int], frames: int) -> None:
    """A slow pan over photographs in colour, with film grain."""
    rng = np.random.default_rng(0)
    width, height = size
    grain = rng.normal(0, 4, (height + 64, width + 64, 1)).astype(np.float32)
    pictures = [cv2.resize(picture, (width + frames, height + frames)) for picture in (data.astronaut(), data.coffee())]
    with av.open(str(path), "w") as film:
        video = film.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            picture = pictures[number * len(pictures) // frames]
            top, left = rng.integers(0, 64, 2)
            frame = (
                picture[number : number + height, number : number + width]
                + grain[top : top + height, left : left + width]
            )
            film.mux(video.encode(av.VideoFrame.from_ndarray(np.clip(frame, 0, 255).astype(np.uint8), format="rgb24")))
        film.mux(video.encode(None))


def decode_and_encode(source: Path, output: Path) -> int:
    """The job without its colours."""
    options = FilmOptions(overwrite=True)
    frames = 0
    with FilmReader(local_source(source)) as reader:
        plan = plan_job(reader, container_of(output), options)
        with FilmWriter(FileTarget(output, overwrite=True), plan, reader) as writer:
            for frame in prefetch(reader, 8):
                writer.write_frame(frame)
                frames += 1
            writer.finish()
    return frames


def engine_alone(name: str, size: tuple[int, int], frames: int) -> Callable[[], int]:
    """A run of the engine over ``frames`` working pictures."""
    engine = open_engine(name)
    spec, batch_size = engine.spec, ColorOptions().batch_size
    width, height = working_size(*size, short_side=spec.short_side, multiple=spec.multiple)
    luma = np.random.default_rng(0).integers(0, 256, (batch_size, 1, height, width), dtype=np.uint8)
    batches = [luma] * (frames // batch_size)

    def run() -> int:
        pending: deque[Ticket] = deque()
        for batch in batches:
            pending.append(engine.submit(batch))
            if len(pending) >= engine.queue_depth:
                engine.collect(pending.popleft())
        for ticket in pending:
            engine.collect(ticket)
        return len(batches) * batch_size

    run()
    return run


def rate(run: Callable[[], int]) -> float:
    """Frames a second."""
    begin = time.perf_counter()
    frames = run()
    return frames / (time.perf_counter() - begin)


def measure(name: str, engine: str, frames: int) -> dict[str, object]:
    """One size's figures."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "film.mkv"), Path(folder, "out.mkv")
        make_film(source, SIZES[name], frames)
        reports = []

        def whole_job() -> int:
            reports.append(colorize(source, output, engine=engine, overwrite=True))
            return reports[-1].frames

        alone = engine_alone(engine, SIZES[name], frames)
        runs = {"a": lambda: decode_and_encode(source, output), "b": alone, "c": whole_job}
        rates: dict[str, list[float]] = {part: [] for part in runs}
        for _ in range(ROUNDS):
            for part, run in runs.items():
                rates[part].append(rate(run))
    a, b, c = (statistics.median(rates[part]) for part in runs)
    per_frame = {stage: 1000 * seconds / frames for stage, seconds in reports[-1].stage_seconds.items()}
    return {
        "film": name,
        "processor": processor(),
        "engine": reports[-1].engine,
        "decode_encode_fps": a,
        "engine_fps": b,
        "job_fps": c,
        "efficiency": c / (1 / (1 / a + 1 / b)),
        "efficiency_by_round": [z * (1 / x + 1 / y) for x, y, z in zip(*rates.values(), strict=True)],
        "stage_ms_per_frame": per_frame,
    }


@click.command()
@click.option("--engine", default="auto", show_default=True)
@click.option("--seconds", default=20, show_default=True, help="Length of the film; starting the engine counts.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the figures there as well.")
def main(engine: str, seconds: int, target: Path | None) -> None:
    """Measure both sizes and print a table."""
    found = []
    for name in SIZES:
        found.append(measure(name, engine, RATE * seconds))
        row = found[-1]
        print(
            f"{name}: decode+encode {row['decode_encode_fps']:.1f}, {row['engine']} {row['engine_fps']:.1f}, "
            f"job {row['job_fps']:.1f} frames/s; efficiency {row['efficiency']:.3f} "
            f"(rounds: {', '.join(f'{value:.2f}' for value in row['efficiency_by_round'])}); "  # type: ignore[attr-defined]
            + ", ".join(f"{stage} {ms:.1f}" for stage, ms in row["stage_ms_per_frame"].items())  # type: ignore[attr-defined]
            + " ms/frame",
            flush=True,
        )
    print(f"on {processor()}")
    if target:
        target.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""How still colours hold, and how near they stay to true ones: as the engine gives them, and stabilized.

    python tests/benchmarks/temporal.py CLIP... [--frames N] [--engine NAME]

Each clip is turned gray and coloured; one whose name begins with ``perframe`` is taken to be coloured frame by frame
already. Warping errors, to the frame before and to five before, are in ab units and by Farneback's motion, which the
stabilizer does not use; where the clip has colour, its own are beside them, and the mean distance from it.
Milliseconds a frame are shots and stabilizer together on one core.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import av
import click
import cv2
import numpy as np

from streamcolor.color.planes import working_size
from streamcolor.doctor import processor
from streamcolor.engines import Engine, open_engine
from streamcolor.temporal.film import StillColours
from streamcolor.temporal.measure import WarpingErrors, colour_error, mean_chroma
from streamcolor.temporal.shots import ShotDetector

STRENGTHS = (0.8, 0.9, 0.97)
#: Mean chroma below which a clip counts as gray.
GRAY = 1.0


def load(path: Path, engine: Engine, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Working luma and true chroma of a clip's first frames."""
    lumas, chromas = [], []
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            picture = frame.to_ndarray(format="rgb24")
            spec = engine.spec
            width, height = working_size(frame.width, frame.height, short_side=spec.short_side, multiple=spec.multiple)
            gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            lumas.append(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA))
            small = (width // spec.stride, height // spec.stride)
            reduced = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            chromas.append(np.moveaxis(cv2.cvtColor(reduced, cv2.COLOR_RGB2LAB)[..., 1:], -1, 0).copy())
            if len(lumas) == count:
                break
    return lumas, chromas


def row(lumas: list[np.ndarray], made: list[np.ndarray], true: list[np.ndarray] | None) -> str:
    """Figures of one way of colouring."""
    near, far, shots = WarpingErrors(1), WarpingErrors(5), ShotDetector()
    found: tuple[list[float], list[float]] = ([], [])
    for luma, ab in zip(lumas, made, strict=True):
        is_new_shot = shots.push(luma)
        for errors, values in zip((near, far), found, strict=True):
            error = errors.push(luma, ab, is_new_shot=is_new_shot)
            if error is not None:
                values.append(error)
    distance = np.mean([colour_error(ab, other) for ab, other in zip(made, true, strict=True)]) if true else np.nan
    chroma = np.mean([mean_chroma(ab) for ab in made])
    return f"{np.mean(found[0]):.2f} | {np.mean(found[1]):.2f} | {distance:.2f} | {chroma:.1f}"


def ways(clip: Path, engine: Engine, frames: int) -> Iterator[str]:
    """Rows of the table for one clip."""
    lumas, true = load(clip, engine, frames)
    has_colour = np.mean([mean_chroma(ab) for ab in true]) > GRAY
    is_made = clip.name.startswith("perframe")
    made = true if is_made else [engine.infer(luma[None, None])[0] for luma in lumas]
    judge = true if has_colour and not is_made else None
    if judge is not None:
        yield f"| {clip.name} | its own | {row(lumas, true, judge)} | |"
    yield f"| {clip.name} | frame by frame | {row(lumas, made, judge)} | |"
    for strength in STRENGTHS:
        still = StillColours(strength)
        begin = time.perf_counter()
        held = [still.push(luma, ab) for luma, ab in zip(lumas, made, strict=True)]
        milliseconds = 1000 * (time.perf_counter() - begin) / len(lumas)
        yield f"| {clip.name} | stabilized, {strength} | {row(lumas, held, judge)} | {milliseconds:.1f} |"


@click.command()
@click.argument("clips", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--frames", default=150, show_default=True)
@click.option("--engine", "name", default="onnxruntime", show_default=True)
def main(clips: tuple[Path, ...], frames: int, name: str) -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    print("| clip | colours | warping error | five frames | distance from true | chroma | ms a frame |")
    print("|---|---|---|---|---|---|---|")
    with open_engine(name) as engine:
        for clip in clips:
            for line in ways(clip, engine, frames):
                print(line, flush=True)
    print(f"\n{processor()}")


if __name__ == "__main__":
    main()

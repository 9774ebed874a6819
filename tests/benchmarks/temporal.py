"""How still colours hold, and how near they stay to true ones: frame by frame, stabilized, and with the shots' memory.

    python tests/benchmarks/temporal.py CLIP... [--frames N] [--engine NAME]

Each clip is turned gray and coloured; one whose name begins with ``perframe`` is taken to be coloured frame by frame
already. All but frames a second is in ab units:

- warping error, to the frame before and to five before, by Farneback's motion, which the stabilizer does not use;
- drift, how far things' colours get from those at their shot's beginning, at most and in the mean;
- return: the clip's first 45 frames, then as many of the next clip named, then the first again in two thirds of the
  light and with other grain: how far colours are from those of the first time;
- distance from the clip's own colours, where it has some, and mean chroma.

Frames a second are engine, shots, stabilizer and memory one after another; milliseconds a frame all but the engine, on
one core.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import click
import cv2
import numpy as np

from streamcolor.color.planes import working_size
from streamcolor.doctor import processor
from streamcolor.engines import Engine, open_engine
from streamcolor.options import ColorOptions
from streamcolor.temporal.film import StillColours
from streamcolor.temporal.measure import Drift, WarpingErrors, colour_error, mean_chroma
from streamcolor.temporal.shots import ShotDetector

#: Mean chroma below which a clip counts as gray.
GRAY = 1.0
#: Frames of a shot that returns.
RETURNING = 45
#: Of the light in which it was seen first, and the deviation of its other grain in codes.
DARKER, GRAIN = 0.65, 2.0

Made = list[tuple[np.ndarray, np.ndarray]]


@dataclass
class Clip:
    """A clip's first frames."""

    name: str
    lumas: list[np.ndarray]
    #: Its own colours.
    true: list[np.ndarray]
    #: What is held still: colours and features of each frame.
    made: Made
    #: Its beginning in other light: luma, and colours and features.
    darker: tuple[list[np.ndarray], Made]
    #: Seconds a frame that the engine took.
    engine: float

    @property
    def judge(self) -> list[np.ndarray] | None:
        """Colours to compare with; None where there are none."""
        has_colour = np.mean([mean_chroma(ab) for ab in self.true]) > GRAY
        return self.true if has_colour and not self.is_made else None

    @property
    def is_made(self) -> bool:
        return self.name.startswith("perframe")


def load(path: Path, engine: Engine, count: int) -> Clip:
    """A clip's first frames, coloured."""
    lumas, true = [], []
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            picture = frame.to_ndarray(format="rgb24")
            spec = engine.spec
            width, height = working_size(frame.width, frame.height, short_side=spec.short_side, multiple=spec.multiple)
            gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            lumas.append(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA))
            small = (width // spec.stride, height // spec.stride)
            reduced = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            true.append(np.moveaxis(cv2.cvtColor(reduced, cv2.COLOR_RGB2LAB)[..., 1:], -1, 0).copy())
            if len(lumas) == count:
                break
    begin = time.perf_counter()
    made = coloured(engine, lumas)
    seconds = (time.perf_counter() - begin) / len(lumas)
    rng = np.random.default_rng(0)
    darker = [
        np.clip(DARKER * luma + rng.normal(0, GRAIN, luma.shape), 0, 255).astype(np.uint8) for luma in lumas[:RETURNING]
    ]
    clip = Clip(path.name, lumas, true, made, (darker, coloured(engine, darker)), seconds)
    if clip.is_made:
        clip.made = [(ab, features) for ab, (_, features) in zip(true, made, strict=True)]
    return clip


def coloured(engine: Engine, lumas: list[np.ndarray]) -> Made:
    """Colours and features of each frame."""
    made: Made = []
    for luma in lumas:
        inference = engine.collect(engine.submit(luma[None, None]))
        assert inference.features is not None
        made.append((inference.ab[0], inference.features[0]))
    return made


def held(lumas: list[np.ndarray], made: Made, strength: float, *, remembers: bool) -> list[np.ndarray]:
    """Colours over a film."""
    still = StillColours(strength)
    return [
        still.push(luma, ab, features if remembers else None) for luma, (ab, features) in zip(lumas, made, strict=True)
    ]


def row(clip: Clip, chromas: list[np.ndarray]) -> str:
    """Figures of one way of colouring a clip."""
    near, far, shots, drift = WarpingErrors(1), WarpingErrors(5), ShotDetector(), Drift()
    found: tuple[list[float], list[float], list[float]] = ([], [], [])
    for luma, ab in zip(clip.lumas, chromas, strict=True):
        is_new_shot = shots.push(luma)
        for measure, values in zip((near, far, drift), found, strict=True):
            value = measure.push(luma, ab, is_new_shot=is_new_shot)
            if value is not None:
                values.append(value)
    distance = ""
    if clip.judge:
        distance = f"{np.mean([colour_error(ab, true) for ab, true in zip(chromas, clip.judge, strict=True)]):.2f}"
    chroma = np.mean([mean_chroma(ab) for ab in chromas])
    errors, farther, drifts = found
    return (
        f"{np.mean(errors):.2f} | {np.mean(farther):.2f} | {max(drifts):.1f}, {np.mean(drifts):.1f} | "
        f"{distance} | {chroma:.1f}"
    )


def returning(clip: Clip, other: Clip, strength: float, *, remembers: bool) -> float:
    """How far a shot's colours are from those of its first time when it returns."""
    first, between = clip.lumas[:RETURNING], other.lumas[:RETURNING]
    darker, made_darker = clip.darker
    made = [*clip.made[:RETURNING], *other.made[:RETURNING], *made_darker]
    chromas = held([*first, *between, *darker], made, strength, remembers=remembers)
    pairs = zip(chromas[: len(first)], chromas[-len(first) :], strict=True)
    return float(np.mean([colour_error(before, after) for before, after in pairs]))


def ways(clip: Clip, other: Clip | None) -> Iterator[str]:
    """Rows of the table for one clip."""
    if clip.judge:
        yield f"| {clip.name} | its own | {row(clip, clip.judge)} | | | |"
    strength = ColorOptions().stabilize
    for name, firmness, remembers in (
        ("frame by frame", 0.0, False),
        ("stabilized", strength, False),
        ("stabilized, memory", strength, True),
    ):
        begin = time.perf_counter()
        chromas = held(clip.lumas, clip.made, firmness, remembers=remembers)
        seconds = (time.perf_counter() - begin) / len(chromas)
        again = "" if other is None or clip.is_made else f"{returning(clip, other, firmness, remembers=remembers):.1f}"
        speed = f"{1 / (clip.engine + seconds):.0f} | {1000 * seconds:.1f}"
        yield f"| {clip.name} | {name} | {row(clip, chromas)} | {again} | {speed} |"


@click.command()
@click.argument("clips", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--frames", default=360, show_default=True)
@click.option("--engine", "name", default="onnxruntime", show_default=True)
def main(clips: tuple[Path, ...], frames: int, name: str) -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    print(
        "| clip | colours | warping error | five frames | drift: most, mean | distance from true | chroma | return "
        "| frames/s | ms a frame |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    with open_engine(name) as engine:
        loaded = [load(clip, engine, frames) for clip in clips]
        for number, clip in enumerate(loaded):
            other = loaded[(number + 1) % len(loaded)] if len(loaded) > 1 else None
            for line in ways(clip, other):
                print(line, flush=True)
        print(f"\n{processor()}, {engine.description}")


if __name__ == "__main__":
    main()

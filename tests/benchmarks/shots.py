"""How well shots are told apart: films of a folder are cut, dissolved and faded together, flashed and scratched.

Each film is first taken apart at the cuts that the detector finds in it, which are printed: look whether they are
right, since the rest is built on them.

    python tests/benchmarks/shots.py FOLDER
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path

import av
import cv2
import numpy as np

from streamcolor.doctor import processor
from streamcolor.media.reader import FilmReader
from streamcolor.media.sources import local_source
from streamcolor.temporal.shots import ShotDetector

sys.path.insert(0, str(Path(__file__).parents[1]))
from scenes import dissolve, fade, scratched

SIZE = (256, 160)
MOST_FRAMES = 300


def read(path: Path) -> np.ndarray:
    frames = []
    with FilmReader(local_source(path)) as reader:
        for item in reader:
            if isinstance(item, av.VideoFrame) and len(frames) < MOST_FRAMES:
                frames.append(cv2.resize(item.to_ndarray(format="gray"), SIZE, interpolation=cv2.INTER_AREA))
    return np.stack(frames)


def shots(frames: Iterable[np.ndarray]) -> list[int]:
    detector = ShotDetector()
    return [number for number, frame in enumerate(frames) if detector.push(frame)]


def part(shot: np.ndarray, begin: int, count: int) -> np.ndarray:
    """Some frames of a shot, its last one again and again where it is too short."""
    return shot[np.minimum(np.arange(begin, begin + count), len(shot) - 1)]


def main(folder: Path) -> None:
    """Measure, and print lines."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    pieces: list[np.ndarray] = []
    print(processor())
    for path in sorted(folder.iterdir()):
        film = read(path)
        begin = time.perf_counter()
        cuts = shots(film)
        cost = 1000 * (time.perf_counter() - begin) / len(film)
        print(f"{path.name}: {len(film)} frames, shots begin at {cuts}; {cost:.2f} ms a frame")
        if not path.stem.startswith("perframe"):
            pieces += [shot for shot in np.split(film, cuts[1:]) if len(shot) >= 20]

    found = wrong = missed = 0
    for _ in range(12):
        film, cuts, last = [], set(), -1
        for _ in range(15):
            last = int(rng.choice([number for number in range(len(pieces)) if number != last]))
            length = int(rng.integers(1, 30))
            cuts.add(len(film))
            film += [*part(pieces[last], int(rng.integers(0, max(1, len(pieces[last]) - length))), length)]
        begins = set(shots(film))
        found, wrong, missed = found + len(begins & cuts), wrong + len(begins - cuts), missed + len(cuts - begins)
    print(
        f"hard cuts: {found} found, {missed} missed, {wrong} wrong; F1 {2 * found / (2 * found + missed + wrong):.3f}"
    )

    pairs = [(a, b) for a in pieces for b in pieces if a is not b]
    pairs = [pairs[number] for number in rng.permutation(len(pairs))[:24]]
    for length in (6, 12, 25, 50):
        results = {"dissolves": [0, 0], "fades through black": [0, 0]}
        for a, b in pairs:
            mixed = dissolve(part(a, 30, length), part(b, 0, length))
            begins = shots([*part(a, 0, 30), *mixed, *part(b, length, 30)])[1:]
            _count(results["dissolves"], begins, 30, 30 + length + 12)
            dark, light = fade(part(a, 30, length)), fade(part(b, 0, length)[::-1])[::-1]
            begins = shots([*part(a, 0, 30), *dark, *light, *part(b, length, 30)])[1:]
            _count(results["fades through black"], begins, 30, 30 + 2 * length)
        for name, (hits, extra) in results.items():
            print(f"{name} of {length} frames: {hits} of {len(pairs)} found, {extra} wrong")

    flashed = 0
    flashes = [(1.3, 20), (1.6, 40), (2, 60), (3, 80), (0, 255), (1, 90), (0.3, 0)]
    for piece in pieces:
        for gain, offset in flashes:
            film = part(piece, 0, 36).copy()
            film[20:22] = np.clip(float(gain) * film[20:22] + offset, 0, 255)
            flashed += len(shots(film)) > 1
    print(f"flashes taken for cuts: {flashed} of {len(flashes) * len(pieces)}")
    dirty = sum(len(shots(scratched(part(piece, 0, 36), seed))) > 1 for piece in pieces for seed in range(3))
    print(f"scratched shots with a wrong cut: {dirty} of {3 * len(pieces)}")


def _count(result: list[int], begins: list[int], earliest: int, latest: int) -> None:
    hits = sum(earliest <= begin <= latest for begin in begins)
    result[0] += hits > 0
    result[1] += len(begins) - (hits > 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What a set of stills looks like: figures and pictures to judge it by."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamcolor.color.figures import colourfulness as colourfulness_of

from .. import metrics
from .lab import join_lab, split_lab, write_picture
from .shards import Still
from .stills import evenly

#: Stills that the figures are taken of, and that the contact sheet shows; evenly chosen.
_MEASURED = 500
_SHOWN = 100
_COLUMNS = 10
_CELL = (160, 120)
_HISTOGRAM_SCALE = 16


@dataclass(frozen=True)
class Statistics:
    """Means over a set's stills."""

    stills: int
    #: Mean distance from gray, in ab units.
    chroma: float
    #: Mean a and b, in ab units: of a set without a cast, near 0 and a little above.
    cast: tuple[float, float]
    #: Hasler and Süsstrunk's.
    colourfulness: float
    #: Share of the stills with skin in them, by its tone.
    skin: dict[str, float]
    #: Share of the pixels in each 10 x 10 ab square from -110 to 110, a by b.
    histogram: list[list[float]]


def describe(stills: Sequence[Still], folder: Path) -> Statistics:
    """Write ``statistics.json``, ``contact-sheet.png`` and ``colours.png``, the histogram's picture, into a folder."""
    chosen = evenly(stills, _MEASURED)
    histogram = np.zeros((22, 22), np.int64)
    chroma, means, colourfulness = [], [], []
    tones: Counter[str] = Counter()
    for still in chosen:
        picture = still.read()
        lightness, ab = split_lab(picture)
        planes = np.ascontiguousarray(ab.transpose(2, 0, 1))
        histogram += metrics.histogram(planes)
        chroma.append(metrics.mean_chroma(planes))
        means.append(planes.mean(axis=(1, 2)))
        colourfulness.append(colourfulness_of(picture))
        mask = metrics.skin(picture)
        if mask is not None:
            tones[metrics.skin_tone(lightness[mask], ab[..., 1][mask])] += 1
    a, b = np.mean(means, axis=0)
    found = Statistics(
        stills=len(stills),
        chroma=float(np.mean(chroma)),
        cast=(float(a), float(b)),
        colourfulness=float(np.mean(colourfulness)),
        skin={tone: tones[tone] / len(chosen) for tone in metrics.TONES},
        histogram=(histogram / histogram.sum()).round(6).tolist(),
    )
    (folder / "statistics.json").write_text(json.dumps(dataclasses.asdict(found), indent=1) + "\n", "utf-8")
    write_picture(folder / "contact-sheet.png", _contact_sheet(evenly(stills, _SHOWN)))
    write_picture(folder / "colours.png", _histogram_picture(histogram))
    return found


def _contact_sheet(stills: Sequence[Still]) -> NDArray[np.uint8]:
    rows = -(-len(stills) // _COLUMNS)
    width, height = _CELL
    sheet = np.zeros((rows * height, _COLUMNS * width, 3), np.uint8)
    for number, still in enumerate(stills):
        picture = still.read()
        scale = min(width / picture.shape[1], height / picture.shape[0])
        size = (max(1, int(picture.shape[1] * scale)), max(1, int(picture.shape[0] * scale)))
        row, column = divmod(number, _COLUMNS)
        top, left = row * height, column * width
        sheet[top : top + size[1], left : left + size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return sheet


def _histogram_picture(histogram: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Each ab square in its own colour, the lighter the more pixels it has, on a logarithmic scale; a right, b up."""
    shares = histogram.T[::-1] / histogram.sum()
    strength = np.clip(np.log10(np.maximum(shares, 1e-6) / 1e-6) / 5, 0, 1)
    lightness = (75 * strength).repeat(_HISTOGRAM_SCALE, 0).repeat(_HISTOGRAM_SCALE, 1).astype(np.float32)
    centers = np.arange(-105, 106, 10, dtype=np.float32)
    ab = np.stack(np.meshgrid(centers, centers[::-1])) * (strength > 0)
    return join_lab(lightness, ab.repeat(_HISTOGRAM_SCALE, 1).repeat(_HISTOGRAM_SCALE, 2).astype(np.float32))

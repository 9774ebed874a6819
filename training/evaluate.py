"""Judge models, or other tools' pictures, on stills that they never saw."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from streamcolor.color.figures import colourfulness
from streamcolor.color.yuv import lightness_to_working_luma
from streamcolor.engines import Engine
from streamcolor.errors import DatasetError

from . import metrics
from .data.lab import join_lab, split_lab
from .data.shards import Still
from .data.stills import mean_over_output, whole_still
from .networks.unet import UNet
from .scaling import AB_SCALE

#: The source whose stills are portraits, which are judged apart.
PORTRAITS = "faces"
#: Chroma is judged at the default network's output size, whatever a model gives.
_STRIDE = UNet.stride
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


class Colourist(Protocol):
    """One column of the comparison."""

    name: str

    def colour(self, still: Still, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """Chroma ``float32 (2, h / 4, w / 4)`` in ab units of a still with L* ``(h, w)``."""


class ModelColourist:
    """A model on an engine."""

    def __init__(self, name: str, engine: Engine) -> None:
        self.name = name
        self._engine = engine

    def colour(self, still: Still, lightness: NDArray[np.float32]) -> NDArray[np.float32]:  # noqa: ARG002
        """The model's colours, reduced where it gives more."""
        ab = self._engine.infer(lightness_to_working_luma(lightness)[None, None])[0]
        return mean_over_output(ab.transpose(1, 2, 0), _STRIDE // self._engine.spec.stride)


class FolderColourist:
    """Another tool's pictures: one a still, with the still's name and any picture suffix.

    Raises:
        DatasetError: the folder lacks stills.
    """

    def __init__(self, folder: Path, stills: Sequence[Still]) -> None:
        self.name = folder.name
        by_stem = {path.stem: path for path in folder.iterdir() if path.suffix.lower() in _PICTURE_SUFFIXES}
        missing = [still.file for still in stills if Path(still.file).stem not in by_stem]
        if missing:
            raise DatasetError(
                f"{folder} lacks {len(missing)} of {len(stills)} stills, such as {missing[0]}; write them gray with "
                "'streamcolor dataset gray', and colour those"
            )
        self._pictures = by_stem

    def colour(self, still: Still, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """The picture's colours.

        Raises:
            DatasetError: it is not a readable picture.
        """
        path = self._pictures[Path(still.file).stem]
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if picture is None:
            raise DatasetError(f"{path} is not a readable picture")
        height, width = lightness.shape
        resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        return mean_over_output(split_lab(resized)[1], _STRIDE)


@dataclass(frozen=True)
class Skin:
    """Skin of one tone."""

    stills: int
    #: Mean CIEDE2000 from the true colours.
    difference: float
    #: Mean of made less true a and b, in ab units.
    bias: tuple[float, float]


@dataclass(frozen=True)
class Scores:
    """Means over stills; gains, errors and shares over those that are no portraits, where there are others."""

    stills: int
    #: dB of squared ab error under gray's.
    gain_over_gray: float
    #: Root mean squared error, ab units.
    ab_error: float
    #: Mean squared error of ab / 110: the figure that the project began with.
    colour_mse: float
    #: Against the picture with the true chroma at a quarter of the size, which is what models give.
    psnr: float
    ssim: float
    #: CIEDE2000.
    colour_difference: float
    #: Made over true, Hasler and Süsstrunk.
    colourfulness: float
    #: Made over true mean chroma.
    chroma_share: float
    #: Distance between mean colours, ab units.
    cast: float
    #: Share of pixels in other ab squares, over all stills.
    histogram_distance: float
    #: Mean binary cross-entropy of a discriminator that takes made colours for true; None without one.
    discriminator_bce: float | None
    #: CIEDE2000 on portraits by class, where there are portraits.
    portraits: dict[str, float]
    #: Skin by tone: of portraits where there are some, else of all stills with skin.
    skin: dict[str, Skin]

    @property
    def portrait_difference(self) -> float:
        """Mean over the portraits' classes, CIEDE2000; NaN without portraits."""
        return float(np.mean(list(self.portraits.values()))) if self.portraits else float("nan")

    @property
    def portrait_spread(self) -> float:
        """From the best to the worst class of portraits, CIEDE2000; NaN without portraits."""
        return _spread(list(self.portraits.values()))

    @property
    def skin_spread(self) -> float:
        """From the best to the worst tone of skin, CIEDE2000; NaN without skin."""
        return _spread([skin.difference for skin in self.skin.values()])

    def to_json(self) -> dict[str, Any]:
        """As plain data, with null where there is no number."""
        values: dict[str, Any] = asdict(self)
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }


def _spread(values: list[float]) -> float:
    return max(values) - min(values) if values else float("nan")


#: A discriminator's binary cross-entropy, given L* ``(h, w)`` and made chroma ``(2, h / 4, w / 4)`` in ab units.
Judge = Callable[[NDArray[np.float32], NDArray[np.float32]], float]


@dataclass
class _Tally:
    """What is gathered over the stills of one column."""

    figures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    portrait_figures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    portraits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    skin: dict[bool, dict[str, list[tuple[float, float, float]]]] = field(
        default_factory=lambda: {True: defaultdict(list), False: defaultdict(list)}
    )
    made_histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros((22, 22), np.int64))
    true_histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros((22, 22), np.int64))

    def add(
        self,
        still: Still,
        lightness: NDArray[np.float32],
        true: NDArray[np.float32],
        made: NDArray[np.float32],
        true_picture: NDArray[np.uint8],
        made_picture: NDArray[np.uint8],
    ) -> None:
        """Take up one still: its chroma, and its pictures in that chroma."""
        coarse = np.asarray(cv2.resize(lightness, true.shape[:0:-1], interpolation=cv2.INTER_AREA), np.float32)
        is_portrait = still.source == PORTRAITS
        figures = self.portrait_figures if is_portrait else self.figures
        difference = metrics.colour_difference(coarse, made, true)
        error = metrics.ab_error(made, true)
        for name, value in {
            "gain_over_gray": metrics.gain_over_gray(made, true),
            "ab_error": error,
            "colour_mse": (error / AB_SCALE) ** 2,
            "psnr": metrics.psnr(made_picture, true_picture),
            "ssim": metrics.ssim(made_picture, true_picture),
            "colour_difference": difference,
            "made_colourfulness": colourfulness(made_picture),
            "true_colourfulness": colourfulness(true_picture),
            "made_chroma": metrics.mean_chroma(made),
            "true_chroma": metrics.mean_chroma(true),
            "cast": metrics.cast(made, true),
        }.items():
            figures[name].append(value)
        if is_portrait:
            self.portraits[still.label].append(difference)
        self.made_histogram += metrics.histogram(made)
        self.true_histogram += metrics.histogram(true)
        self._add_skin(is_portrait, coarse, true, made)

    def _add_skin(
        self, is_portrait: bool, lightness: NDArray[np.float32], true: NDArray[np.float32], made: NDArray[np.float32]
    ) -> None:
        mask = metrics.skin(join_lab(lightness, true))
        if mask is None:
            return
        lightness, true, made = lightness[mask][None], true[:, mask][:, None], made[:, mask][:, None]
        tone = metrics.skin_tone(lightness, true[1])
        bias = (made - true).mean(axis=(1, 2))
        difference = metrics.colour_difference(lightness, made, true)
        self.skin[is_portrait][tone].append((difference, float(bias[0]), float(bias[1])))

    def scores(self, bces: list[float]) -> Scores:
        figures = {name: float(np.mean(values)) for name, values in (self.figures or self.portrait_figures).items()}
        skin = self.skin[True] or self.skin[False]
        return Scores(
            stills=sum(len(group.get("cast", [])) for group in (self.figures, self.portrait_figures)),
            colourfulness=figures.pop("made_colourfulness") / figures.pop("true_colourfulness"),
            chroma_share=figures.pop("made_chroma") / figures.pop("true_chroma"),
            histogram_distance=metrics.histogram_distance(self.made_histogram, self.true_histogram),
            discriminator_bce=float(np.mean(bces)) if bces else None,
            portraits={label: float(np.mean(values)) for label, values in sorted(self.portraits.items())},
            skin={tone: _mean_skin(skin[tone]) for tone in metrics.TONES if tone in skin},
            **figures,
        )


def _mean_skin(stills: list[tuple[float, float, float]]) -> Skin:
    difference, a, b = np.mean(stills, axis=0)
    return Skin(len(stills), float(difference), (float(a), float(b)))


def evaluate(
    colourists: Sequence[Colourist],
    stills: Sequence[Still],
    short_side: int,
    *,
    judge: Judge | None = None,
    shown: Callable[[Still, list[NDArray[np.uint8]]], None] | None = None,
) -> list[Scores]:
    """Scores of each colourist on the same stills, whole and unaged, as the pipeline would see them.

    Args:
        short_side: working size in pixels.
        judge: a discriminator's binary cross-entropy.
        shown: gets each still with its pictures, sRGB ``uint8 (h, w, 3)``: gray, one a colourist, true.

    Raises:
        DatasetError: there are no stills.
    """
    if not stills:
        raise DatasetError("there is nothing to judge by: the set has no stills on this side of its split")
    tallies = [_Tally() for _ in colourists]
    bces: list[list[float]] = [[] for _ in colourists]
    for still in stills:
        lightness, true = whole_still(still, short_side, UNet.multiple, _STRIDE)
        all_made = [colourist.colour(still, lightness) for colourist in colourists]
        true_picture, *pictures = (join_lab(lightness, ab) for ab in (true, *all_made))
        for tally, bce, made, picture in zip(tallies, bces, all_made, pictures, strict=True):
            tally.add(still, lightness, true, made, true_picture, picture)
            if judge:
                bce.append(judge(lightness, made))
        if shown:
            shown(still, [join_lab(lightness, 0 * true), *pictures, true_picture])
    return [tally.scores(bce) for tally, bce in zip(tallies, bces, strict=True)]


def table_rows(scores: Sequence[Scores]) -> Iterator[tuple[str, list[str]]]:
    """Each figure's name with its unit, and its value for every column."""
    figures: list[tuple[str, Callable[[Scores], str]]] = [
        ("stills", lambda s: f"{s.stills}"),
        ("gain over gray, dB", lambda s: f"{s.gain_over_gray:.2f}"),
        ("ab error, RMS", lambda s: f"{s.ab_error:.2f}"),
        ("colour MSE, of ab / 110", lambda s: f"{s.colour_mse:.5f}"),
        ("PSNR in RGB, dB", lambda s: f"{s.psnr:.2f}"),
        ("SSIM in RGB", lambda s: f"{s.ssim:.4f}"),
        ("CIEDE2000", lambda s: f"{s.colour_difference:.2f}"),
        ("colourfulness, of the true", lambda s: f"{s.colourfulness:.2f}"),
        ("chroma, of the true", lambda s: f"{s.chroma_share:.2f}"),
        ("cast, ab units", lambda s: f"{s.cast:.2f}"),
        ("histogram distance", lambda s: f"{s.histogram_distance:.3f}"),
    ]
    if scores[0].discriminator_bce is not None:
        figures.append(("discriminator's BCE", lambda s: f"{s.discriminator_bce:.3f}"))
    if scores[0].portraits:
        figures.append(("portraits, CIEDE2000", lambda s: f"{s.portrait_difference:.2f}"))
        figures.append(("portraits, spread of classes", lambda s: f"{s.portrait_spread:.2f}"))
    for name, figure in figures:
        yield name, [figure(score) for score in scores]
    for tone in metrics.TONES:
        found = [score.skin.get(tone) for score in scores]
        if any(found):
            cells = [
                "-" if s is None else f"{s.difference:.2f} ({s.bias[0]:+.1f}, {s.bias[1]:+.1f}; {s.stills} stills)"
                for s in found
            ]
            yield f"{tone} skin, CIEDE2000 (bias of a, b)", cells
    if scores[0].skin:
        yield "skin, spread of tones", [f"{score.skin_spread:.2f}" for score in scores]

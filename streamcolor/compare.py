"""Two films of the same pictures, side by side and in figures: two runs, two models, or another tool's film."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np

from .color.figures import colourfulness
from .color.lab import Array
from .errors import InputError, OutputError
from .media.containers import container_of
from .media.reader import FilmReader
from .media.sources import local_source
from .media.stills import Picture, picture_of
from .media.targets import FileTarget
from .temporal.measure import Luma, WarpingErrors, colour_error, mean_chroma
from .temporal.shots import ShotDetector

Arrangement = Literal["side-by-side", "split", "wipe"]

#: Short side at which figures are taken, and pixels from one chroma sample to the next: the shipped model's.
_SHORT_SIDE = 160
_STRIDE = 4
#: Frames over which the warping error is taken beside one.
_FAR = 5
#: Seconds that a wipe takes to cross the picture.
_WIPE_SECONDS = 4
#: Frames that a still picture shows, each the first of a shot.
_MOST_ROWS = 8
_RATE = Fraction(25)


@dataclass
class FilmFigures:
    """One film's figures, over all frames or a shot; chroma in ab units."""

    #: Mean distance from gray, by frame.
    chroma: list[float] = field(default_factory=list)
    #: By D. Hasler and S. Süsstrunk, by frame.
    colourfulness: list[float] = field(default_factory=list)
    #: Against the frame before, and five before; fewer than frames, since shots begin without.
    warping: list[float] = field(default_factory=list)
    warping_far: list[float] = field(default_factory=list)

    def add(self, other: FilmFigures) -> None:
        """Take in another stretch of the same film."""
        for name, values in vars(other).items():
            getattr(self, name).extend(values)


@dataclass
class Stretch:
    """Both films' figures over the same frames: a shot, or all."""

    #: Number of the first frame.
    begin: int
    first: FilmFigures = field(default_factory=FilmFigures)
    second: FilmFigures = field(default_factory=FilmFigures)
    #: Mean distance between the two films' colours in ab units, and lumas in 8-bit codes, by frame.
    colour_distance: list[float] = field(default_factory=list)
    luma_distance: list[float] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """How many."""
        return len(self.luma_distance)


@dataclass
class Comparison:
    """What :func:`compare` found."""

    shots: list[Stretch]
    #: Frames by which one film is longer, which were not compared: positive where it is the first.
    surplus: int

    @property
    def whole(self) -> Stretch:
        """All shots together."""
        whole = Stretch(0)
        for shot in self.shots:
            whole.first.add(shot.first)
            whole.second.add(shot.second)
            whole.colour_distance += shot.colour_distance
            whole.luma_distance += shot.luma_distance
        return whole


class _Film:
    """One of the two, frame by frame."""

    def __init__(self) -> None:
        self._near, self._far = WarpingErrors(1), WarpingErrors(_FAR)

    def measure(self, picture: Picture, luma: Luma, ab: Array, figures: FilmFigures, *, is_new_shot: bool) -> None:
        figures.chroma.append(mean_chroma(ab))
        figures.colourfulness.append(colourfulness(picture))
        for errors, found in ((self._near, figures.warping), (self._far, figures.warping_far)):
            error = errors.push(luma, ab, is_new_shot=is_new_shot)
            if error is not None:
                found.append(error)


def compare(
    first: Path,
    second: Path,
    output: Path | None = None,
    *,
    arrangement: Arrangement = "side-by-side",
    overwrite: bool = False,
) -> Comparison:
    """Compare two films frame by frame, in their order, as far as both go.

    Args:
        first: a film; its luma tells the shots.
        second: another one of the same pictures; shown at the first one's size.
        output: a film that shows both, or a ``.png`` of the first frames of shots; nothing where None.
        arrangement: one beside the other; the first one's left half and the second one's right half; or a border
            between the two that moves across the picture.
        overwrite: replace ``output`` if it exists.

    Raises:
        InputError: a film can't be read.
        OutputError: the output can't be written.
    """
    with ExitStack() as stack:
        readers = [stack.enter_context(FilmReader(local_source(path))) for path in (first, second)]
        rate = readers[0].info.video.rate or _RATE
        sheet: list[Picture] = []
        film = None
        if output is not None and output.suffix.lower() != ".png":
            film = stack.enter_context(_ShownFilm(FileTarget(output, overwrite=overwrite), rate))
        elif output is not None and output.exists() and not overwrite:
            raise OutputError(f"{output} exists; add --overwrite to replace it")
        pictures = [_pictures(reader) for reader in readers]
        films, shots, detector = (_Film(), _Film()), list[Stretch](), ShotDetector()
        surplus = 0
        for number, (one, other) in enumerate(zip_longest(*pictures)):
            if one is None or other is None:
                surplus += 1 if other is None else -1
                continue
            if other.shape != one.shape:
                other = cv2.resize(other, one.shape[1::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)
            lumas, chromas = zip(*(_small(picture) for picture in (one, other)), strict=True)
            is_new_shot = detector.push(lumas[0])
            if is_new_shot or not shots:
                shots.append(Stretch(number))
            shot = shots[-1]
            for measured, picture, luma, ab, figures in zip(
                films, (one, other), lumas, chromas, (shot.first, shot.second), strict=True
            ):
                measured.measure(picture, luma, ab, figures, is_new_shot=is_new_shot)
            shot.colour_distance.append(colour_error(chromas[0], chromas[1]))
            shot.luma_distance.append(float(np.abs(_gray(one).astype(int) - _gray(other)).mean()))
            if film is not None:
                film.write(_arranged(one, other, arrangement, float(number / rate)))
            elif output is not None and shot.frames == 1 and len(sheet) < _MOST_ROWS:
                sheet.append(_arranged(one, other, arrangement, 0))
        if not shots:
            raise InputError(f"{first} and {second} have no frame to compare")
        if film is not None:
            film.finish()
        elif output is not None:
            _write_sheet(sheet, output)
    return Comparison(shots, surplus)


def _pictures(reader: FilmReader) -> Iterator[Picture]:
    for item in reader:
        if isinstance(item, av.VideoFrame):
            yield picture_of(item, reader.info.video.pixel_aspect)


def _gray(picture: Picture) -> Luma:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _small(picture: Picture) -> tuple[Luma, Array]:
    """Luma and chroma at the size at which figures are taken."""
    height, width = picture.shape[:2]
    scale = _SHORT_SIDE / min(height, width)
    rows, columns = (max(1, round(side * scale / _STRIDE)) for side in (height, width))
    reduced = cv2.resize(picture, (columns * _STRIDE, rows * _STRIDE), interpolation=cv2.INTER_AREA)
    smaller = cv2.resize(reduced, (columns, rows), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(smaller.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return _gray(np.asarray(reduced, np.uint8)), np.ascontiguousarray(np.moveaxis(lab[..., 1:], -1, 0), np.float32)


def _arranged(first: Picture, second: Picture, arrangement: Arrangement, seconds: float) -> Picture:
    if arrangement == "side-by-side":
        return np.concatenate([first, second], axis=1)
    width = first.shape[1]
    border = width // 2 if arrangement == "split" else round(width * (seconds / _WIPE_SECONDS % 1))
    joined = second.copy()
    joined[:, :border] = first[:, :border]
    joined[:, max(0, border - 1) : border + 1] = 255
    return joined


class _ShownFilm:
    """The film that shows both; a context manager that leaves nothing where it is not finished."""

    def __init__(self, target: FileTarget, rate: Fraction) -> None:
        self._target = target
        self._container = container_of(target.path)
        self._file = target.open(self._container, Fraction(1))
        self._rate = rate
        self._stream: av.VideoStream | None = None

    def write(self, picture: Picture) -> None:
        """Add a picture; one without a whole number of chroma samples loses a line."""
        rows, columns = (side // 2 * 2 for side in picture.shape[:2])
        if self._stream is None:
            options = {"crf": "16", "preset": "veryfast"} if self._container.codec == "libx264" else {}
            stream = self._file.add_stream(self._container.codec, rate=self._rate, options=options)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = columns, rows, "yuv420p"
            self._stream = stream
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:rows, :columns]), format="rgb24")
        self._file.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Make the film stay."""
        assert self._stream is not None, "there is a frame at least"
        self._file.mux(self._stream.encode(None))
        self._file.close()
        self._target.keep()

    def __enter__(self) -> _ShownFilm:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()
        self._target.discard()


def _write_sheet(rows: list[Picture], output: Path) -> None:
    encoded, data = cv2.imencode(".png", cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))
    try:
        if not encoded:
            raise OSError(0, "the picture is too large")
        output.write_bytes(data.tobytes())
    except OSError as error:
        raise OutputError(f"{output} can't be written: {error.strerror}") from error

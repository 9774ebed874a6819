"""Frames in, coloured frames out; no files."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import av
import numpy as np
from numpy.typing import NDArray

from .color.lab import Array
from .color.planes import expand_chroma, reduce_luma, working_size
from .engines import open_engine
from .errors import InputError
from .media.pixels import (
    Layout,
    as_planar,
    bits_of,
    color_tags,
    frame_of_luma,
    layout_in_colour,
    plane,
    with_room_for_chroma,
)
from .options import ColorOptions
from .prefetch import parallel_map, prefetch
from .progress import StageTimes

_T = TypeVar("_T")

#: Batches that wait between two stages.
_DEPTH = 2
#: Items that are no pictures travel with the next batch, but no more of them than this.
_MAX_PASSENGERS = 256


@dataclass(frozen=True)
class _Picture:
    """A picture on its way."""

    frame: av.VideoFrame
    #: At working size, ``uint8 (h, w)``.
    luma: NDArray[np.uint8]
    #: Whether it came, and is to leave, as an array.
    is_array: bool


@dataclass
class _Batch:
    """Pictures of one working size, with what came in between them."""

    items: list[Any] = field(default_factory=list)
    #: Chroma of the pictures in their order, ``float32 (N, 2, h, w)``.
    chroma: Array | None = None

    @property
    def pictures(self) -> list[_Picture]:
        return [item for item in self.items if isinstance(item, _Picture)]


class Colorizer:
    """Colours the frames of one film; a context manager that holds an engine.

    Args:
        options: how to colour.
        layout: pixel format of the coloured frames; where None, the source's, in 4:2:0 where that is gray.
        pixel_aspect: width of a sample over its height, so that the model sees shapes as they are shown.

    Raises:
        EngineError: the engine or the model can't be had.
    """

    def __init__(
        self,
        options: ColorOptions | None = None,
        *,
        layout: Layout | None = None,
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        self._options = options or ColorOptions()
        self._layout = layout
        self._pixel_aspect = pixel_aspect
        model = None if self._options.model is None else Path(self._options.model)
        self.engine = open_engine(self._options.engine, model)
        #: How long each stage was busy.
        self.times = StageTimes()

    def colorize_frames(self, frames: Iterable[_T]) -> Generator[_T]:
        """Coloured frames, in order, each as soon as its batch is done.

        Frames are ``av.VideoFrame``, and come out as new ones with the same luma, time and tags; or luma as
        ``uint8 (h, w)`` arrays, full range, and come out as RGB ``uint8 (h, w, 3)``, both with the sRGB transfer.
        Whatever else is among them, such as packets of sound, passes through in its place.

        ``frames`` is read, and the engine runs, on threads of their own, some batches ahead; closing this generator
        ends them.

        Raises:
            InputError: an array of another shape or type, or a pixel format or tags that can't be coloured.
        """
        batches = prefetch(self._batches(frames), _DEPTH)
        coloured = prefetch(parallel_map(self._infer, batches, self.engine.parallel_calls), _DEPTH)
        with closing(coloured):
            for batch in coloured:
                chroma = iter(() if batch.chroma is None else batch.chroma)
                for item in batch.items:
                    done = self._render(item, next(chroma)) if isinstance(item, _Picture) else item
                    yield cast(_T, done)

    def _batches(self, frames: Iterable[Any]) -> Iterator[_Batch]:
        batch = _Batch()
        for item in self._timed(frames):
            if isinstance(item, av.VideoFrame | np.ndarray):
                with self.times.measure("reduce"):
                    item = self._reduce(item)
                pictures = batch.pictures
                if pictures and pictures[0].luma.shape != item.luma.shape:
                    yield batch
                    batch = _Batch()
            batch.items.append(item)
            count = len(batch.pictures)
            if count == self._options.batch_size or len(batch.items) - count == _MAX_PASSENGERS:
                yield batch
                batch = _Batch()
        if batch.items:
            yield batch

    def _timed(self, frames: Iterable[Any]) -> Iterator[Any]:
        """The frames, with the time that they take to come."""
        iterator = iter(frames)
        end = object()
        while True:
            with self.times.measure("decode"):
                item = next(iterator, end)
            if item is end:
                return
            yield item

    def _reduce(self, source: av.VideoFrame | NDArray[np.uint8]) -> _Picture:
        is_array = isinstance(source, np.ndarray)
        if isinstance(source, np.ndarray):
            if source.ndim != 2 or source.dtype != np.uint8:
                raise InputError(f"luma must be a uint8 array (height, width), not {source.dtype} {source.shape}")
            frame = frame_of_luma(source)
        else:
            frame = as_planar(source)
        spec = self.engine.spec
        size = working_size(
            frame.width,
            frame.height,
            short_side=spec.short_side,
            multiple=spec.multiple,
            pixel_aspect=self._pixel_aspect,
        )
        coding = color_tags(frame).coding(bits_of(frame))
        return _Picture(frame, reduce_luma(plane(frame, 0), size, coding), is_array)

    def _infer(self, batch: _Batch) -> _Batch:
        pictures = batch.pictures
        if pictures:
            luma = np.stack([picture.luma for picture in pictures])[:, None]
            with self.times.measure("engine"):
                batch.chroma = self.engine.infer(luma)
        return batch

    def _render(self, picture: _Picture, ab: Array) -> av.VideoFrame | NDArray[np.uint8]:
        with self.times.measure("render"):
            frame = picture.frame
            layout = self._layout or layout_in_colour(frame.format.name, full_chroma=picture.is_array)
            coloured = with_room_for_chroma(frame, layout)
            planes = plane(coloured, 1), plane(coloured, 2)
            coding = color_tags(frame).coding(layout.bits)
            expand_chroma(picture.luma, ab * np.float32(self._options.saturation), planes, coding)
            return np.asarray(coloured.to_ndarray(format="rgb24"), np.uint8) if picture.is_array else coloured

    def close(self) -> None:
        """Free the engine."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""Frames in, coloured frames out; no files."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
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
from .color.planes import Plane, expand_chroma, reduce_luma, working_size
from .engines import Ticket, open_engine
from .errors import InputError
from .media.leadin import LeadIn
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
from .prefetch import prefetch
from .progress import Delays, StageTimes
from .temporal.film import StillColours
from .temporal.repeats import Repeats
from .temporal.shots import ShotDetector

_T = TypeVar("_T")

#: Batches that wait between two stages.
_DEPTH = 2
#: Frames that may wait where each is passed on by itself.
_LIVE_DEPTH = 16
#: Seconds that a live frame may wait for its own colours.
_PATIENCE = 0.1
#: Items that are no pictures travel with the next batch, but no more of them than this.
_MAX_PASSENGERS = 256


@dataclass(frozen=True)
class _Picture:
    """A picture on its way."""

    frame: av.VideoFrame
    #: At working size, ``uint8 (h, w)``: the frame's, or each of its fields', which show different times.
    lumas: tuple[NDArray[np.uint8], ...]
    #: Whether it came, and is to leave, as an array.
    is_array: bool
    #: Whether it is not passed on.
    leads_in: bool
    #: When it came, by :func:`time.monotonic`.
    arrived: float


@dataclass
class _Batch:
    """Pictures of one working size, with what came in between them."""

    items: list[Any] = field(default_factory=list)
    #: Which of the pictures' lumas hardly differ from the one before.
    repeats: list[bool] = field(default_factory=list)
    #: Chroma of the pictures' lumas in their order, ``float32 (N, 2, h, w)``.
    chroma: Array | None = None

    @property
    def pictures(self) -> list[_Picture]:
        return [item for item in self.items if isinstance(item, _Picture)]

    @property
    def lumas(self) -> list[NDArray[np.uint8]]:
        return [luma for picture in self.pictures for luma in picture.lumas]


class _Schedule:
    """When each picture of a live film should have gone by, if it is shown as it comes."""

    def __init__(self) -> None:
        self._begin: float | None = None

    def is_late(self, picture: _Picture) -> bool:
        """Whether a picture waited too long, and not just because its film comes faster than it is shown."""
        now, shown = time.monotonic(), picture.frame.time or 0.0
        if self._begin is None:
            self._begin = picture.arrived - shown
        return now > picture.arrived + _PATIENCE and now > self._begin + shown + _PATIENCE


def _fields(frame: av.VideoFrame, samples: Plane) -> tuple[Plane, ...]:
    """The fields of an interlaced frame's plane, the plane itself of others.

    With chroma sited as MPEG-2 and H.264 site it, rows of chroma belong to the fields in turn.
    """
    if frame.interlaced_frame and len(samples) > 1:
        return samples[0::2], samples[1::2]
    return (samples,)


class Colorizer:
    """Colours the frames of one film; a context manager that holds an engine.

    Args:
        options: how to colour.
        layout: pixel format of the coloured frames; where None, the source's, in 4:2:0 where that is gray.
        pixel_aspect: width of a sample over its height, so that the model sees shapes as they are shown.
        announce: told in a line what takes long, or when another engine must take over.

    Raises:
        EngineError: the engine or the model can't be had.
    """

    def __init__(
        self,
        options: ColorOptions | None = None,
        *,
        layout: Layout | None = None,
        pixel_aspect: Fraction = Fraction(1),
        announce: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._options = options or ColorOptions()
        self._layout = layout
        self._pixel_aspect = pixel_aspect
        model = None if self._options.model is None else Path(self._options.model)
        self.engine = open_engine(self._options.engine, model, gpus=self._options.gpus, announce=announce)
        #: How long each stage was busy.
        self.times = StageTimes()
        #: How long frames took from coming to having been taken.
        self.delays = Delays()
        #: Frames that took over the colours of the one before.
        self.colours_reused = 0
        #: Frames, or fields, that hardly differ from the one before and did not go through the network.
        self.repeats = 0
        self._find_repeats = Repeats()
        self._last_made: tuple[Array, Array | None] | None = None
        #: Shots so far, and what holds their colours still.
        self.still = StillColours(self._options.stabilize)
        self._last_chroma: Array | None = None
        self._schedule = _Schedule()

    def colorize_frames(self, frames: Iterable[_T | LeadIn]) -> Generator[_T]:
        """Coloured frames, in order, each as soon as its batch is done.

        Frames are ``av.VideoFrame``, and come out as new ones with the same luma, time and tags; or luma as
        ``uint8 (h, w)`` arrays, full range, and come out as RGB ``uint8 (h, w, 3)``, both with the sRGB transfer.
        Whatever else is among them, such as packets of sound, passes through in its place. A :class:`LeadIn` is looked
        at, so that the colours after it are those of a film that begins there, and does not come out.

        ``frames`` is read, and the engine runs, on threads of their own, some batches ahead; closing this generator
        ends them. Where ``frames`` has a method ``interrupt``, it is called first, to end a wait for more.

        Raises:
            InputError: an array of another shape or type, or a pixel format or tags that can't be coloured.
        """
        interrupt = getattr(frames, "interrupt", None)
        if self._options.low_latency:
            batches = prefetch(self._batches(frames), _LIVE_DEPTH)
            coloured = prefetch(self._infer_in_time(batches), 1, interrupt=interrupt)
        else:
            batches = prefetch(self._batches(frames), _DEPTH)
            coloured = prefetch(self._infer(batches), _DEPTH, interrupt=interrupt)
        with closing(coloured):
            for batch in coloured:
                chroma = iter(() if batch.chroma is None else batch.chroma)
                for item in batch.items:
                    if not isinstance(item, _Picture):
                        yield item
                        continue
                    planes = [next(chroma) for _ in item.lumas]
                    if not item.leads_in:
                        yield cast(_T, self._render(item, planes))
                        self.delays.add(time.monotonic() - item.arrived)

    def find_shots(self, frames: Iterable[av.VideoFrame]) -> Iterator[tuple[av.VideoFrame, bool]]:
        """Frames, each with whether a shot begins with it, as :meth:`colorize_frames` finds them; nothing is coloured.

        Raises:
            InputError: as there.
        """
        shots = ShotDetector()
        for frame in frames:
            begins = [shots.push(luma) for luma in self._reduce(frame).lumas]
            yield frame, any(begins)

    def _batches(self, frames: Iterable[Any]) -> Iterator[_Batch]:
        batch = _Batch()
        batch_size = 1 if self._options.low_latency else self._options.batch_size
        for item in self._timed(frames):
            if isinstance(item, av.VideoFrame | np.ndarray | LeadIn):
                with self.times.measure("reduce"):
                    item = self._reduce(item)
                pictures = batch.pictures
                if pictures and pictures[0].lumas[0].shape != item.lumas[0].shape:
                    yield batch
                    batch = _Batch()
            batch.items.append(item)
            count = len(batch.pictures)
            if count == batch_size or len(batch.items) - count == _MAX_PASSENGERS:
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

    def _reduce(self, source: av.VideoFrame | NDArray[np.uint8] | LeadIn) -> _Picture:
        leads_in = isinstance(source, LeadIn)
        if isinstance(source, LeadIn):
            source = source.frame
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
        lumas = tuple(reduce_luma(field, size, coding) for field in _fields(frame, plane(frame, 0)))
        return _Picture(frame, lumas, is_array, leads_in, time.monotonic())

    def _infer(self, batches: Generator[_Batch]) -> Generator[_Batch]:
        """Batches with their chroma, in order; the engine's queue is kept full."""
        pending: deque[tuple[_Batch, Ticket | None]] = deque()
        with closing(batches):
            try:
                for batch in batches:
                    pending.append((batch, self._submit(batch)))
                    if len(pending) >= self.engine.queue_depth:
                        yield self._collect(*pending.popleft())
                while pending:
                    yield self._collect(*pending.popleft())
            finally:
                for _, ticket in pending:
                    if ticket is not None:
                        ticket.result.cancel()

    def _submit(self, batch: _Batch) -> Ticket | None:
        """Give the engine what it must see of a batch; None where that is nothing."""
        if self._options.stabilize:
            batch.repeats = [self._find_repeats.push(luma) for luma in batch.lumas]
            lumas = [luma for luma, repeats in zip(batch.lumas, batch.repeats, strict=True) if not repeats]
        else:  # each frame is left to itself
            lumas = batch.lumas
            batch.repeats = [False] * len(lumas)
        return self.engine.submit(np.stack(lumas)[:, None]) if lumas else None

    def _collect(self, batch: _Batch, ticket: Ticket | None) -> _Batch:
        made = iter(() if ticket is None else self._made(ticket))
        with self.times.measure("stabilize"):
            chroma = []
            for luma, repeats in zip(batch.lumas, batch.repeats, strict=True):
                if not repeats:
                    self._last_made = next(made)
                self.repeats += repeats
                assert self._last_made is not None, "what repeats nothing is no repeat"
                chroma.append(self.still.push(luma, *self._last_made))
            batch.chroma = np.stack(chroma) if chroma else None
        return batch

    def _made(self, ticket: Ticket) -> list[tuple[Array, Array | None]]:
        """Colours and features of each luma."""
        inference = self.engine.collect(ticket)
        self.times.add("engine", inference.seconds)
        features = [None] * len(inference.ab) if inference.features is None else inference.features
        return list(zip(inference.ab, features, strict=True))

    def _infer_in_time(self, batches: Generator[_Batch]) -> Generator[_Batch]:
        """As :meth:`_infer`, but a picture that is late takes over the chroma of the one before."""
        with closing(batches):
            for batch in batches:
                for picture in batch.pictures:  # there is one at most
                    last = self._last_chroma
                    if last is not None and len(last) == len(picture.lumas) and self._schedule.is_late(picture):
                        batch.chroma = last
                        self.colours_reused += 1
                    else:
                        self._last_chroma = self._collect(batch, self._submit(batch)).chroma
                yield batch

    def _render(self, picture: _Picture, chroma: list[Array]) -> av.VideoFrame | NDArray[np.uint8]:
        with self.times.measure("render"):
            frame = picture.frame
            layout = self._layout or layout_in_colour(frame.format.name, full_chroma=picture.is_array)
            coloured = with_room_for_chroma(frame, layout)
            planes = zip(*(_fields(frame, plane(coloured, number)) for number in (1, 2)), strict=True)
            coding = color_tags(frame).coding(layout.bits)
            for luma, ab, field in zip(picture.lumas, chroma, planes, strict=True):
                expand_chroma(luma, ab * np.float32(self._options.saturation), field, coding)
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

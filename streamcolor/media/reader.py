"""A film's decoded pictures and the packets to copy, in the order in which the film holds them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import av
import av.container
import av.error

from ..errors import InputError
from .leadin import LeadIn
from .probe import FilmInfo, describe, film_stream, is_cover
from .sources import Source, local_source
from .timing import Timeline, to_ticks

#: Seeks land after the place asked for in some containers; then one asks for these many seconds earlier.
_SEEK_BACK = (0, 2, 10, 60)
#: Packets of other streams among which a first frame is looked for.
_MOST_AHEAD = 100_000
#: FFmpeg's own limit.
_MOST_STREAMS = 1000
#: Seconds by which the streams of a film may lag behind each other.
_INTERLEAVING = 10

_Item: TypeAlias = "av.VideoFrame | av.Packet[Any]"


class FilmReader:
    """An open film; a context manager, and an iterable to go through once.

    Iterating gives decoded ``av.VideoFrame`` of the film's video stream and ``av.Packet`` of its other streams.
    Their times are the source's; where ``start`` is not 0, less ``start``; where times run back, see
    :class:`~.timing.Timeline`.

    Args:
        source: what to open; its first frame is read at once.
        start: leave out what begins less than this many seconds after the first frame.
        duration: leave out what begins this long after ``start``.
        low_latency: decode without frames in reserve.

    Raises:
        InputError: the source can't be read as a film.
    """

    def __init__(
        self,
        source: Source,
        *,
        start: Fraction = Fraction(0),
        duration: Fraction | None = None,
        low_latency: bool = False,
    ) -> None:
        self.source = source
        self._threads = "SLICE" if low_latency else "AUTO"
        #: What was read to know the film, and everything after it.
        self._first: deque[_Item] = deque()
        self._size: tuple[int, int] | None = None
        #: Pictures of the film by the index of their stream, such as its poster.
        self.covers: dict[int, bytes] = {}
        #: Why the film could not be read to its end; None where it could.
        self.broken_off: str | None = None
        #: Frames whose times ran back a little and were moved up to the frame before.
        self.times_mended = 0
        self._open()
        try:
            self.info: FilmInfo = self._read_first_frame()
        except BaseException:
            self.close()
            raise
        self._shift = start
        self._begin = self.info.video.start + start if start else None
        self._end = None if duration is None else self.info.video.start + start + duration
        #: Seconds after the film's first frame from which frames before ``start`` are given as :class:`LeadIn`.
        self.lead_in = start
        self._frames = 0

    def _open(self) -> None:
        self._container, self._pipe = self.source.open()
        try:
            if len(self._container.streams) >= _MOST_STREAMS:
                raise InputError(
                    f"{self.source.name} has {_MOST_STREAMS} streams or more, of which FFmpeg reads no more; "
                    "take what you need of it first, for example with mkvmerge"
                )
            self._video = film_stream(self.source, self._container)
        except InputError:
            self._container.close()
            raise
        self._video.thread_type = self._threads
        self._rewind()
        self._failures = 0
        self._damaged = False

    def _rewind(self) -> None:
        """Begin to iterate from where the container stands."""
        self._rest = self._items()
        self._timeline = Timeline()
        self._last_end = (self._video.start_time or 0) * (self._video.time_base or Fraction(1))
        self._last_time: Fraction | None = None
        self._last_pts: int | None = None
        self._last_dts: int | None = None
        self._pts_faults = self._dts_faults = 0

    def _read_first_frame(self) -> FilmInfo:
        """What the film holds; what must be read for that is kept for iterating."""
        self._time_base = self._video.time_base or Fraction(1, 90_000)
        rate = self._video.average_rate or self._video.guessed_rate
        self._frame_length = 1 / (rate or Fraction(25))
        for item in self._rest:
            self._first.append(item)
            if isinstance(item, av.VideoFrame) or len(self._first) == _MOST_AHEAD:
                break
        first = self._first[-1] if self._first else None
        frame = first if isinstance(first, av.VideoFrame) else None
        return describe(self.source, self._container, self._video, frame)

    @property
    def video_stream(self) -> av.VideoStream:
        """The stream that is coloured."""
        return self._video

    @property
    def streams(self) -> tuple[av.stream.Stream, ...]:
        """All streams, in the film's order."""
        return tuple(self._container.streams)

    @property
    def metadata(self) -> dict[str, str]:
        """The container's own tags, such as its title."""
        return self._container.metadata

    @property
    def chapters(self) -> list[av.container.core.Chapter]:
        """The chapters between ``start`` and the end, in the times of what iterating gives."""
        chapters = []
        for chapter in self._container.chapters():
            time_base = chapter["time_base"] or Fraction(1, av.time_base)
            begin, end = (self._clipped(chapter[edge] * time_base) for edge in ("start", "end"))
            if begin < end or (begin == end and chapter["start"] == chapter["end"]):
                chapter["start"], chapter["end"] = to_ticks(begin, time_base), to_ticks(end, time_base)
                chapters.append(chapter)
        return chapters

    def _clipped(self, time: Fraction) -> Fraction:
        if self._begin is not None:
            time = max(time, self._begin)
        if self._end is not None:
            time = min(time, self._end)
        return time - self._shift

    @property
    def earliest(self) -> Fraction:
        """The earliest time up to the first frame, in seconds, less ``start``."""
        return min((begin_of(item) for item in self._first), default=Fraction(0)) if not self._shift else Fraction(0)

    @property
    def joins(self) -> int:
        """Places, so far, at which the film's times jumped back and were made to go on."""
        return self._timeline.joins

    @property
    def expected_frames(self) -> int | None:
        """Frames between ``start`` and the end, by what the container announces; None where it tells nothing."""
        video = self.info.video
        if video.frames is None or (self._begin is None and self._end is None):
            return video.frames
        if not video.rate:
            return None
        seconds = video.frames / video.rate - self._shift
        if self._end is not None:
            seconds = min(seconds, self._end - video.start - self._shift)
        return max(0, round(seconds * video.rate))

    @property
    def frames_lost(self) -> int:
        """After the last frame: how many the film should have given, but was too damaged to.

        A count where the container knows its frames, else by its duration and rate; 0 for a film without damage.
        """
        video = self.info.video
        damaged = self._damaged or self._failures > 0
        expected = None
        if self._end is None:
            expected = self.expected_frames
            missing_end = video.end - self._last_end if video.end is not None else Fraction(0)
            damaged = damaged or bool(video.rate and missing_end * video.rate >= 2)
        if not damaged:
            return 0
        return max(self._failures, (expected or 0) - self._frames)

    def __iter__(self) -> Iterator[_Item | LeadIn]:
        earliest = self.info.video.start + self.lead_in
        if self._begin is not None:
            self._seek(earliest)
        unfinished = {stream.index for stream in self.streams}
        for item in self._all_items():
            time = begin_of(item)
            if self._end is not None and time >= self._end:
                unfinished.discard(self._video.index if isinstance(item, av.VideoFrame) else item.stream.index)
                # Subtitles are sparse: the others may end before the next one comes.
                if not unfinished or time >= self._end + _INTERLEAVING:
                    return
            elif self._begin is None or time >= self._begin:
                self._frames += isinstance(item, av.VideoFrame)
                yield self._shifted(item)
            elif isinstance(item, av.VideoFrame) and time >= earliest:
                yield LeadIn(item)

    def _seek(self, time: Fraction) -> None:
        """Go to a place from which the frame at ``time`` can be decoded; the beginning, where seeking does not help."""
        if not self.source.is_seekable:
            return
        self._first.clear()
        first = self.info.video.start
        for back in _SEEK_BACK:
            target = to_ticks(max(first, time - back), self._time_base)
            try:
                self._container.seek(target, stream=self._video)
                self._rewind()
                found = next((item for item in self._rest if isinstance(item, av.VideoFrame)), None)
                self._container.seek(target, stream=self._video)
            except av.error.FFmpegError:  # raw streams have no index
                break
            self._rewind()
            if found is not None and begin_of(found) <= time:
                return
        self.close()
        self._open()

    def _all_items(self) -> Iterator[_Item]:
        while self._first:
            yield self._first.popleft()
        yield from self._rest

    def _items(self) -> Iterator[_Item]:
        """Everything that the film gives, with its own times."""
        for packet in self._packets():
            if packet.stream is self._video:
                yield from self._decoded(packet)
            elif is_cover(packet.stream):
                self.covers.setdefault(packet.stream.index, bytes(packet))
            else:
                yield packet
        yield from self._decoded(None)

    def _packets(self) -> Iterator[av.Packet[Any]]:
        """Packets up to the end of the film, or to where it can't be read on."""
        try:
            for packet in self._container.demux():
                if packet.size:
                    self._damaged = self._damaged or (packet.is_corrupt and packet.stream is self._video)
                    self._join(packet)
                    yield packet
        except av.error.FFmpegError as error:
            self._damaged = True
            self.broken_off = error.strerror

    def _join(self, packet: av.Packet[Any]) -> None:
        ticks = packet.pts if packet.dts is None else packet.dts
        if ticks is None:
            return
        time_base = _time_base(packet)
        is_steady = packet.stream.type in ("video", "audio")
        length = (packet.duration or 0) * time_base
        offset = self._timeline.offset(packet.stream.index, ticks * time_base, length, is_steady=is_steady)
        if offset:
            _move(packet, offset)

    def _decoded(self, packet: av.Packet[Any] | None) -> Iterator[av.VideoFrame]:
        """Frames that a packet completes; with None, those that the decoder still holds."""
        try:
            frames = self._video.codec_context.decode(packet)
        except av.error.FFmpegError:
            self._failures += 1
            return
        for frame in frames:
            self._require_same_size(frame)
            frame.pts = self._best_time(frame)
            frame.time_base = self._time_base
            if self._last_time is not None and frame.pts * self._time_base < self._last_time:
                frame.pts = to_ticks(self._last_time, self._time_base)
                self.times_mended += 1
            self._last_time = frame.pts * self._time_base
            self._last_end = self._last_time + (frame.duration * self._time_base or self._frame_length)
            self._damaged = self._damaged or frame.is_corrupt
            yield frame

    def _best_time(self, frame: av.VideoFrame) -> int:
        """PTS of a frame, in ticks; by the time of decoding where a container knows no other, as AVI, or a wrong one.

        As FFmpeg's ``best_effort_timestamp``, which PyAV does not give.
        """
        pts, dts = frame.pts, frame.dts
        if pts is not None and self._last_pts is not None and pts < self._last_pts:
            self._pts_faults += 1
        if dts is not None and self._last_dts is not None and dts < self._last_dts:
            self._dts_faults += 1
        self._last_pts = self._last_pts if pts is None else pts
        self._last_dts = self._last_dts if dts is None else dts
        is_misleading = self._pts_faults > self._dts_faults or self._container.format.name == "avi"
        best = dts if is_misleading or pts is None else pts
        if best is None:  # raw streams carry no times, and what a decoder holds to the end has none of decoding
            best = to_ticks(self._last_end, self._time_base)
        return best

    def _require_same_size(self, frame: av.VideoFrame) -> None:
        size = frame.width, frame.height
        self._size = self._size or size
        if size != self._size:
            raise InputError(
                f"{self.source.name}, at {float(frame.time or 0):.3f} s: the picture changes from "
                f"{'x'.join(map(str, self._size))} to {'x'.join(map(str, size))}; "
                "cut the film there and colour the parts"
            )

    def _shifted(self, item: _Item) -> _Item:
        if self._shift:
            _move(item, -self._shift)
        return item

    def interrupt(self) -> None:
        """End, from another thread, a wait for more of a pipe."""
        if self._pipe is not None:
            self._pipe.close()

    def close(self) -> None:
        """Close the film."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def begin_of(item: _Item) -> Fraction:
    """When a frame or packet begins, in seconds of its film's own times; 0 where it does not say."""
    ticks = item.dts if item.pts is None else item.pts
    return Fraction(0) if ticks is None else ticks * _time_base(item)


def _move(item: _Item, offset: Fraction) -> None:
    ticks = to_ticks(offset, _time_base(item))
    item.pts = None if item.pts is None else item.pts + ticks
    item.dts = None if item.dts is None else item.dts + ticks


def _time_base(item: _Item) -> Fraction:
    assert item.time_base is not None, "the reader sets every frame's, the demuxer every packet's"
    return item.time_base


def probe(path: str | os.PathLike[str]) -> FilmInfo:
    """What a local film holds.

    Raises:
        InputError: it can't be read as a film.
    """
    with FilmReader(local_source(Path(path))) as reader:
        return reader.info

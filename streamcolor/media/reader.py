"""A film's decoded pictures and the packets to copy, in the order in which the file holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error

from ..errors import InputError
from .probe import FilmInfo, describe, film_stream, open_film
from .timing import to_ticks

#: Seeks land after the place asked for in some containers; then one asks for these many seconds earlier.
_SEEK_BACK = (0, 2, 10, 60)
#: Seconds by which the streams of a file may lag behind each other.
_INTERLEAVING = 10


class FilmReader:
    """An open film; a context manager, and an iterable to go through once.

    Iterating gives decoded ``av.VideoFrame`` of the film's video stream and ``av.Packet`` of the streams to copy.
    Their times are the source's; where ``start`` is not 0, less ``start``.

    Args:
        path: a local file.
        start: leave out what begins less than this many seconds after the first frame.
        duration: leave out what begins this long after ``start``.

    Raises:
        InputError: the file can't be read as a film.
    """

    def __init__(self, path: Path, *, start: Fraction = Fraction(0), duration: Fraction | None = None) -> None:
        self.info: FilmInfo = self._open(path)
        self._shift = start
        self._begin = self.info.video.start + start if start else None
        self._end = None if duration is None else self.info.video.start + start + duration
        self._frames = 0
        self._failures = 0
        self._damaged = False
        self._last_end = self.info.video.start
        self._last_time: Fraction | None = None

    def _open(self, path: Path) -> FilmInfo:
        with ExitStack() as opening:
            self._container = opening.enter_context(open_film(path))
            info = describe(path, self._container)
            self._opened = opening.pop_all()
        self._video = film_stream(self._container)
        self._video.thread_type = "AUTO"
        return info

    @property
    def copied_streams(self) -> list[av.stream.Stream]:
        """The streams whose packets are to be copied."""
        return [self._container.streams[stream.index] for stream in self.info.streams if stream.is_copied]

    @property
    def metadata(self) -> dict[str, str]:
        """The container's own tags, such as its title."""
        return self._container.metadata

    @property
    def video_stream(self) -> av.VideoStream:
        """The stream that is coloured."""
        return self._video

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
        """After the last frame: how many the file should have given, but was too damaged to.

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

    def __iter__(self) -> Iterator[av.VideoFrame | av.Packet[Any]]:
        if self._begin is not None:
            self._seek(self._begin)
        wanted = [self._video, *self.copied_streams]
        unfinished = {stream.index for stream in wanted}
        for item in self._items(wanted):
            time = _begin(item)
            if self._end is not None and time >= self._end:
                unfinished.discard(self._video.index if isinstance(item, av.VideoFrame) else item.stream.index)
                if not unfinished or time >= self._end + _INTERLEAVING:
                    return
            elif self._begin is None or time >= self._begin:
                self._frames += isinstance(item, av.VideoFrame)
                yield self._shifted(item)

    def _seek(self, time: Fraction) -> None:
        """Go to a place from which the frame at ``time`` can be decoded; the beginning, where seeking does not help."""
        first = self.info.video.start
        for back in _SEEK_BACK:
            target = to_ticks(max(first, time - back), self.info.video.time_base)
            try:
                self._container.seek(target, stream=self._video)
                decoded = (frame for packet in self._packets([self._video]) for frame in self._decoded(packet))
                found = next(decoded, None)
                self._container.seek(target, stream=self._video)
            except av.error.FFmpegError:  # raw streams have no index
                break
            self._last_end, self._last_time = first, None
            if found is not None and _begin(found) <= time:
                return
        self.close()
        self._open(self.info.path)

    def _items(self, streams: list[av.stream.Stream]) -> Iterator[av.VideoFrame | av.Packet[Any]]:
        """Everything that the file gives, with its own times."""
        for packet in self._packets(streams):
            if packet.stream is self._video:
                yield from self._decoded(packet)
            else:
                yield packet
        yield from self._decoded(None)

    def _packets(self, streams: list[av.stream.Stream]) -> Iterator[av.Packet[Any]]:
        """Packets up to the end of the file, or to where it can't be read on."""
        try:
            for packet in self._container.demux(streams):
                if packet.size:
                    self._damaged = self._damaged or (packet.is_corrupt and packet.stream is self._video)
                    yield packet
        except av.error.FFmpegError:
            self._damaged = True

    def _decoded(self, packet: av.Packet[Any] | None) -> Iterator[av.VideoFrame]:
        """Frames that a packet completes; with None, those that the decoder still holds."""
        try:
            frames = self._video.codec_context.decode(packet)
        except av.error.FFmpegError:
            self._failures += 1
            return
        time_base = self.info.video.time_base
        for frame in frames:
            self._require_same_size(frame)
            if frame.pts is None:  # raw streams and some AVI files carry no times
                frame.pts = to_ticks(self._last_end, time_base)
            frame.time_base = time_base
            self._require_forward(frame.pts * time_base)
            length = frame.duration * time_base or 1 / (self.info.video.rate or Fraction(25))
            self._last_end = frame.pts * time_base + length
            self._damaged = self._damaged or frame.is_corrupt
            yield frame

    def _require_forward(self, time: Fraction) -> None:
        if self._last_time is not None and time < self._last_time:
            raise InputError(
                f"{self.info.path}: the times jump back from {float(self._last_time):.3f} s to {float(time):.3f} s, as "
                "in films that were joined end to end; colour the parts"
            )
        self._last_time = time

    def _require_same_size(self, frame: av.VideoFrame) -> None:
        video = self.info.video
        if (frame.width, frame.height) != (video.width, video.height):
            raise InputError(
                f"{self.info.path}, at {float(frame.time or 0):.3f} s: the picture changes from "
                f"{video.width}x{video.height} to {frame.width}x{frame.height}; cut the film there and colour the parts"
            )

    def _shifted(self, item: av.VideoFrame | av.Packet[Any]) -> av.VideoFrame | av.Packet[Any]:
        if self._shift:
            shift = to_ticks(self._shift, _time_base(item))
            item.pts = None if item.pts is None else item.pts - shift
            item.dts = None if item.dts is None else item.dts - shift
        return item

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _begin(item: av.VideoFrame | av.Packet[Any]) -> Fraction:
    ticks = item.dts if item.pts is None else item.pts
    return Fraction(0) if ticks is None else ticks * _time_base(item)


def _time_base(item: av.VideoFrame | av.Packet[Any]) -> Fraction:
    assert item.time_base is not None, "the reader sets every frame's, the demuxer every packet's"
    return item.time_base

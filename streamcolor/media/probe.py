"""What a film holds, without decoding it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error

from ..errors import InputError, OptionError
from .pixels import ColorTags, color_tags
from .timing import parse_time

_COPIED_KINDS = ("audio",)


@dataclass(frozen=True)
class StreamInfo:
    """One stream, for people and for the plan of what becomes of it."""

    index: int
    #: "video", "audio", "subtitle", "attachment" or "data".
    kind: str
    codec: str
    language: str | None
    title: str | None
    #: Size, sample rate and the like, in one line.
    details: str
    #: Whether its packets go into the coloured film as they are.
    is_copied: bool


@dataclass(frozen=True)
class VideoInfo:
    """The stream that is coloured."""

    index: int
    width: int
    height: int
    pixel_format: str
    tags: ColorTags
    #: Width of a sample over its height.
    pixel_aspect: Fraction
    #: Mean frames a second; None where the container does not say.
    rate: Fraction | None
    time_base: Fraction
    #: Time of the first frame, in seconds.
    start: Fraction
    #: Time at which the last frame ends, in seconds; None where the stream itself does not say.
    end: Fraction | None
    #: Frames that the container announces or, from its duration, lets expect; None where it tells neither.
    frames: int | None


@dataclass(frozen=True)
class FilmInfo:
    """A film file."""

    path: Path
    #: FFmpeg's names of the container, such as "matroska,webm".
    container: str
    #: In seconds; None where the container does not say.
    duration: Fraction | None
    video: VideoInfo
    streams: tuple[StreamInfo, ...]


@contextmanager
def open_film(path: Path) -> Iterator[av.container.InputContainer]:
    """An open container of a local file that has at least one video stream.

    Raises:
        InputError: no such file, not readable, not a media file, or no video in it.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a film in it")
    if not path.exists():
        raise InputError(f"{path} does not exist")
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{path} is empty")
        container = av.open(str(path.absolute()), metadata_errors="replace")
    except PermissionError as error:
        raise InputError(f"{path} can't be read: permission denied") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path} is not a film that FFmpeg can read: {_reason(error)}") from error
    with container:
        if _film_stream(container) is None:
            raise InputError(f"{path} has no video stream, only {_kinds(container)}")
        yield container


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _kinds(container: av.container.InputContainer) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "no streams"


def _film_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The first video stream that is no cover picture and whose codec is known."""
    for stream in container.streams.video:
        is_picture = stream.disposition & (av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails)
        if not is_picture and stream.codec_context is not None:
            return stream
    return None


def film_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The video stream that is coloured."""
    stream = _film_stream(container)
    assert stream is not None, "open_film lets no container without one pass"
    return stream


def probe(path: Path) -> FilmInfo:
    """What a film holds.

    Raises:
        InputError: it can't be read as a film.
    """
    with open_film(path) as container:
        return describe(path, container)


def describe(path: Path, container: av.container.InputContainer) -> FilmInfo:
    """What an open film holds.

    Raises:
        InputError: the video's size or pixel format can't be told.
    """
    duration = None if container.duration is None else Fraction(container.duration, av.time_base)
    return FilmInfo(
        path=path,
        container=container.format.name,
        duration=duration,
        video=_describe_video(path, film_stream(container), duration),
        streams=tuple(_describe_stream(stream) for stream in container.streams),
    )


def _describe_video(path: Path, stream: av.VideoStream, duration: Fraction | None) -> VideoInfo:
    decoder = stream.codec_context
    if decoder.format is None or not decoder.width or not decoder.height:
        raise InputError(f"{path}, stream {stream.index}: no frame of its {decoder.name} video could be decoded")
    rate = stream.average_rate or stream.guessed_rate
    time_base = stream.time_base
    assert time_base is not None
    start = (stream.start_time or 0) * time_base
    end = _declared_end(stream, start)
    length = end - start if end is not None else duration
    frames = stream.frames or (round(length * rate) if length is not None and rate else None)
    return VideoInfo(
        index=stream.index,
        width=decoder.width,
        height=decoder.height,
        pixel_format=decoder.format.name,
        tags=color_tags(decoder),
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        rate=rate,
        time_base=time_base,
        start=start,
        end=end,
        frames=frames,
    )


def _declared_end(stream: av.VideoStream, start: Fraction) -> Fraction | None:
    """Where a stream says that it ends: in its header, or in the tag that Matroska's muxers write."""
    if stream.duration:
        assert stream.time_base is not None
        return start + stream.duration * stream.time_base
    try:
        return parse_time(stream.metadata["DURATION"])
    except (KeyError, OptionError):
        return None


def _describe_stream(stream: av.stream.Stream) -> StreamInfo:
    decoder = stream.codec_context
    details = ""
    if decoder is None:
        pass  # PyAV knows no more of a stream whose codec it does not know
    elif isinstance(stream, av.VideoStream):
        details = f"{stream.width}x{stream.height}"
        if stream.format is not None:
            details += f" {stream.format.name}"
        if stream.average_rate:
            details += f", {float(stream.average_rate):.5g} frames/s"
    elif isinstance(stream, av.AudioStream):
        details = f"{stream.rate} Hz, {stream.layout.name}"
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=decoder.codec.canonical_name if decoder is not None else "unknown",
        language=stream.language,
        title=stream.metadata.get("title"),
        details=details,
        is_copied=stream.type in _COPIED_KINDS and decoder is not None,
    )

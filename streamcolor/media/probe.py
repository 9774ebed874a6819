"""What a film holds, without decoding it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import av
import av.container
from av.buffer import Buffer
from av.stream import Disposition

from ..errors import InputError, OptionError
from .matroska import Cropping, read_cropping
from .pixels import ColorTags, color_tags
from .sources import Source
from .timing import parse_time

#: Numbers of FFmpeg's AVFieldOrder: 2 and 4 begin with the top field, 3 and 5 with the bottom one.
_INTERLACED = (2, 3, 4, 5)
_UNKNOWN = 0


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
    #: Whether it is a picture of the film, such as its poster, and not part of it.
    is_cover: bool


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
    #: How the picture is turned or mirrored to be shown, in 16.16 fixed point as ISO/IEC 14496-12 (6.2.2) has it;
    #: None where it is shown as it is.
    display_matrix: tuple[int, ...] | None
    #: FFmpeg's AVFieldOrder.
    field_order: int

    @property
    def is_interlaced(self) -> bool:
        """Whether frames hold two fields of different times."""
        return self.field_order in _INTERLACED

    @property
    def top_field_first(self) -> bool:
        """Which field is shown first, where the film is interlaced."""
        return self.field_order in (2, 4)


@dataclass(frozen=True)
class FilmInfo:
    """A film."""

    #: Path, "standard input" or address.
    name: str
    #: FFmpeg's names of the container, such as "matroska,webm".
    container: str
    #: In seconds; None where the container does not say.
    duration: Fraction | None
    video: VideoInfo
    streams: tuple[StreamInfo, ...]
    #: Chapters that the container names.
    chapters: int
    #: What the container says is not to be shown of the picture.
    cropping: Cropping


def _kinds(container: av.container.InputContainer) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "no streams"


def film_stream(source: Source, container: av.container.InputContainer) -> av.VideoStream:
    """The video stream that is coloured: the first that is no cover picture and whose codec is known.

    Raises:
        InputError: there is none.
    """
    for stream in container.streams.video:
        if not is_cover(stream) and stream.codec_context is not None:
            return stream
    raise InputError(f"{source.name} has no video stream, only {_kinds(container)}")


def is_cover(stream: av.stream.Stream) -> bool:
    """Whether a stream is a picture of the film, and not part of it."""
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def describe(
    source: Source, container: av.container.InputContainer, stream: av.VideoStream, first: av.VideoFrame | None
) -> FilmInfo:
    """What an open film holds, by its headers and the ``first`` frame of the stream that is coloured.

    Raises:
        InputError: the video's size or pixel format can't be told.
    """
    duration = None if container.duration is None else Fraction(container.duration, av.time_base)
    return FilmInfo(
        name=source.name,
        container=container.format.name,
        duration=duration,
        video=_describe_video(source, stream, first, duration),
        streams=tuple(_describe_stream(stream) for stream in container.streams),
        chapters=len(container.chapters()),
        cropping=read_cropping(source.path) if source.path is not None and source.is_seekable else Cropping(),
    )


def _describe_video(
    source: Source, stream: av.VideoStream, first: av.VideoFrame | None, duration: Fraction | None
) -> VideoInfo:
    decoder = stream.codec_context
    if decoder.format is None or not decoder.width or not decoder.height:
        raise InputError(f"{source.name}, stream {stream.index}: no frame of its {decoder.name} video could be decoded")
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
        display_matrix=None if first is None else _display_matrix(first),
        field_order=_field_order(decoder, first),
    )


def _field_order(decoder: av.VideoCodecContext, first: av.VideoFrame | None) -> int:
    """The decoder's, or where only the frames know of fields, what is usual: DV begins with the bottom one."""
    if decoder.field_order == _UNKNOWN and first is not None and first.interlaced_frame:
        return _INTERLACED[1] if decoder.codec.canonical_name == "dvvideo" else _INTERLACED[0]
    return decoder.field_order


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    data = frame.side_data.get("DISPLAYMATRIX")
    return struct.unpack("=9i", bytes(data)) if isinstance(data, Buffer) else None


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
        is_cover=is_cover(stream),
    )

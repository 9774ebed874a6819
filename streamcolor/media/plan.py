"""What becomes of each thing that a film holds, settled before any work starts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import av.stream

from .containers import TEXT_SUBTITLES, Container, others_that_hold
from .encoding import Encoding
from .reader import FilmReader

#: FFmpeg's names of the containers whose streams of data MPEG-TS and MP4 hold: their own.
_FAMILIES = {"mpegts": "mpegts", "mp4": "mov,mp4", "mov": "mov,mp4"}
#: Containers whose pictures have no times.
_WITHOUT_TIMES = ("yuv4mpegpipe", "rawvideo")


class Fate(StrEnum):
    """What becomes of a stream."""

    COLOURED = "coloured"
    #: Its packets are the same, bit for bit.
    COPIED = "copied"
    #: What it says is kept, in another form.
    CONVERTED = "converted"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class StreamPlan:
    """What becomes of one stream."""

    index: int
    fate: Fate
    #: Into what it is coloured or converted, or why it is left out.
    remark: str = ""

    def __str__(self) -> str:
        return f"{self.fate}{', ' if self.remark else ''}{self.remark}"


@dataclass(frozen=True)
class Plan:
    """What becomes of a film."""

    container: Container
    encoding: Encoding
    #: By the index of the stream.
    streams: tuple[StreamPlan, ...]
    #: What the output will lack or change, each in a line for people.
    losses: tuple[str, ...]


def plan_film(reader: FilmReader, container: Container, encoding: Encoding, *, seekable: bool) -> Plan:
    """What becomes of an open film in a container.

    Args:
        reader: the film.
        container: what it is written into.
        encoding: how its pictures are encoded.
        seekable: whether the output is a file, and no pipe.
    """
    streams = tuple(_plan_stream(stream, reader, container, encoding, seekable) for stream in reader.streams)
    losses = [
        f"{info.kind} stream {info.index} ({info.codec}) is {plan}"
        for info, plan in zip(reader.info.streams, streams, strict=True)
        if plan.fate is Fate.LEFT_OUT or (plan.fate is Fate.CONVERTED and info.kind == "subtitle")
    ]
    return Plan(container, encoding, streams, (*losses, *_film_losses(reader, container)))


def _plan_stream(
    stream: av.stream.Stream, reader: FilmReader, container: Container, encoding: Encoding, seekable: bool
) -> StreamPlan:
    info = reader.info.streams[stream.index]
    if stream.index == reader.info.video.index:
        return StreamPlan(stream.index, Fate.COLOURED, f"to {encoding}")
    if info.is_cover:
        return _plan_cover(stream, reader, container, seekable)
    if stream.type == "attachment":
        if container.holds_attachments:
            return StreamPlan(stream.index, Fate.COPIED)
        return StreamPlan(stream.index, Fate.LEFT_OUT, f"{container} holds no attached files, .mkv does")
    if stream.type == "data":
        return _plan_data(stream, reader, container)
    if container.holds_sound and container.holds(stream):
        return StreamPlan(stream.index, Fate.COPIED)
    if info.codec in TEXT_SUBTITLES and container.text_codec is not None:
        return StreamPlan(stream.index, Fate.CONVERTED, f"to {container.text_codec}; some styling may be lost")
    return StreamPlan(stream.index, Fate.LEFT_OUT, _why_not(stream, container))


def _why_not(stream: av.stream.Stream, container: Container) -> str:
    if stream.codec_context is None:
        return "its codec is not known"
    others = " and ".join(str(other) for other in others_that_hold(stream))
    return f"{container} does not hold it" + (f", {others} would" if others else "")


def _plan_cover(stream: av.stream.Stream, reader: FilmReader, container: Container, seekable: bool) -> StreamPlan:
    if stream.index not in reader.covers:
        return StreamPlan(stream.index, Fate.LEFT_OUT, "its picture can't be read")
    if container.holds_covers and (seekable or container.holds_attachments) and container.holds(stream):
        return StreamPlan(stream.index, Fate.COPIED)
    return StreamPlan(stream.index, Fate.LEFT_OUT, f"{container} holds no cover picture, .mkv does")


def _plan_data(stream: av.stream.Stream, reader: FilmReader, container: Container) -> StreamPlan:
    from_family = reader.info.container.startswith(_FAMILIES.get(container.muxer, "none"))
    if "timecode" in stream.metadata and container.holds_tags:
        return StreamPlan(stream.index, Fate.CONVERTED, "to the picture's timecode tag")
    if reader.info.chapters and reader.info.container.startswith(_FAMILIES["mov"]) and container.holds_chapters:
        return StreamPlan(stream.index, Fate.CONVERTED, "to chapters")
    if container.holds_data and from_family and container.holds(stream):
        return StreamPlan(stream.index, Fate.COPIED)
    return StreamPlan(stream.index, Fate.LEFT_OUT, f"{container} does not hold such data")


def _film_losses(reader: FilmReader, container: Container) -> list[str]:
    info = reader.info
    losses = []
    if info.chapters and not container.holds_chapters:
        losses.append(f"{info.chapters} chapters are left out: {container} holds none, .mkv and .mp4 do")
    if info.video.display_matrix is not None and not container.holds_display_matrix:
        losses.append(f"the picture will not be turned upright: {container} can't say so, .mkv and .mp4 can")
    if "title" in reader.metadata and not container.holds_tags:
        losses.append(f"the title and other tags are left out: {container} holds none, .mkv and .mp4 do")
    if not container.holds_times and info.container not in _WITHOUT_TIMES:
        losses.append(f"times are left out: {container} holds none, and is shown at a constant rate")
    return losses

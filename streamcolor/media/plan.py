"""What becomes of each thing that a film holds, settled before any work starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import av
from av.stream import Discard, Stream

from .containers import TEXT_SUBTITLES, Container, others_that_hold
from .encoding import Encoding
from .matroska import Cropping, can_edit
from .pixels import nearest_planar_layout
from .probe import VideoInfo
from .reader import FilmReader
from .sound import is_short
from .tags import lasting_tags

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
        join = " " if self.remark.startswith("to ") else ": "
        return self.fate + (join + self.remark if self.remark else "")


@dataclass(frozen=True)
class Plan:
    """What becomes of a film."""

    container: Container
    encoding: Encoding
    #: By the index of the stream.
    streams: tuple[StreamPlan, ...]
    #: What the output will lack or change, each in a line for people.
    losses: tuple[str, ...]
    #: What is put otherwise without anything's being lost.
    changes: tuple[str, ...]
    #: Size at which the picture is shown, where MKVToolNix is to write that into the complete output.
    shown_size: tuple[int, int] | None
    #: What of the picture is not shown; written with it.
    cropping: Cropping


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
        if plan.fate is Fate.LEFT_OUT or (plan.fate is Fate.CONVERTED and info.kind != "data")
    ]
    losses += _film_losses(reader, container, encoding)
    video, cropping = reader.info.video, reader.info.cropping
    shown = None
    if cropping or (video.pixel_aspect != 1 and not container.holds_shape and not encoding.marks_shape):
        shown = _shown_size(video, cropping)
    # What FFmpeg makes of subtitles in WebM, mkvmerge takes for none of WebM's.
    subtitled = container.muxer == "webm" and any(
        info.kind == "subtitle" and plan.fate is not Fate.LEFT_OUT
        for info, plan in zip(reader.info.streams, streams, strict=True)
    )
    if shown is not None and not (container.is_matroska and seekable and can_edit() and not subtitled):
        what = "the picture's cropping" if cropping else f"the shape of pixels, {video.pixel_aspect},"
        losses.append(f"{what} is left out: {container} can't say it here; an .mkv file can, with MKVToolNix installed")
        shown = None
    return Plan(container, encoding, streams, tuple(losses), _changes(reader, container), shown, cropping)


def _changes(reader: FilmReader, container: Container) -> tuple[str, ...]:
    same = container.is_matroska and reader.info.container.startswith("matroska")  # it has a way of its own
    if reader.earliest >= 0 or container.holds_negative_times or not container.holds_times or same:
        return ()
    shift = float(-reader.earliest)
    return (f"everything is shown {shift:.3f} s later, together: {container} holds no times before 0, .mp4 does",)


def _shown_size(video: VideoInfo, cropping: Cropping) -> tuple[int, int]:
    width = (video.width - cropping.left - cropping.right) * video.pixel_aspect
    return round(width), video.height - cropping.top - cropping.bottom


def _plan_stream(
    stream: Stream, reader: FilmReader, container: Container, encoding: Encoding, seekable: bool
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
    if isinstance(stream, av.AudioStream) and stream.codec_context is not None and container.sound_codec is not None:
        if not stream.codec_context.channels or not stream.codec_context.rate:
            return StreamPlan(stream.index, Fate.LEFT_OUT, "it is announced, but no sound of it is found")
        depth = "without loss" if is_short(stream.codec_context) else "at 24 bits a sample"
        remark = f"to {container.sound_codec}, {depth}: {_why_not(stream, container)}"
        return StreamPlan(stream.index, Fate.CONVERTED, remark)
    return StreamPlan(stream.index, Fate.LEFT_OUT, _why_not(stream, container))


def _why_not(stream: Stream, container: Container) -> str:
    if stream.codec_context is None:
        return "its codec is not known"
    others = " and ".join(str(other) for other in others_that_hold(stream))
    return f"{container} does not hold it" + (f", {others} would" if others else "")


def _plan_cover(stream: Stream, reader: FilmReader, container: Container, seekable: bool) -> StreamPlan:
    if stream.index not in reader.covers:
        return StreamPlan(stream.index, Fate.LEFT_OUT, "its picture can't be read")
    if container.holds_attachments or (container.holds_covers and seekable and container.holds(stream)):
        return StreamPlan(stream.index, Fate.COPIED)
    return StreamPlan(stream.index, Fate.LEFT_OUT, f"{container} holds no cover picture, .mkv does")


def _plan_data(stream: Stream, reader: FilmReader, container: Container) -> StreamPlan:
    from_family = reader.info.container.startswith(_FAMILIES.get(container.muxer, "none"))
    timecode = reader.video_stream.metadata.get("timecode")
    if (
        timecode
        and stream.metadata.get("timecode") == timecode
        and (container.stream_tags is None or "timecode" in container.stream_tags)
    ):
        return StreamPlan(stream.index, Fate.CONVERTED, "to the picture's timecode tag")
    if container.holds_data and from_family and container.holds(stream):
        return StreamPlan(stream.index, Fate.COPIED)
    if _is_chapter_track(stream, reader) and container.holds_chapters:
        return StreamPlan(stream.index, Fate.CONVERTED, "to chapters")
    return StreamPlan(stream.index, Fate.LEFT_OUT, f"{container} does not hold such data")


def _is_chapter_track(stream: Stream, reader: FilmReader) -> bool:
    """Whether a stream of data is the text of a MOV's or MP4's chapters; FFmpeg has read it then, and skips it."""
    return reader.info.container.startswith(_FAMILIES["mov"]) and stream.discard == Discard.all


def _film_losses(reader: FilmReader, container: Container, encoding: Encoding) -> list[str]:
    info = reader.info
    losses = []
    if any(component.is_alpha for component in av.VideoFormat(info.video.pixel_format, 16, 16).components):
        losses.append("transparency is left out: coloured films have none")
    bits = nearest_planar_layout(info.video.pixel_format).bits
    if encoding.layout.bits < bits:
        losses.append(f"{bits} bits a sample become {encoding.layout.bits}: {encoding.codec} takes no more here")
    if info.video.is_interlaced and not encoding.marks_fields:
        losses.append(
            f"the mark that frames are interlaced is left out: {encoding.codec} has none, libx264 and ffv1 do"
        )
    if info.chapters and not container.holds_chapters:
        losses.append(f"{info.chapters} chapters are left out: {container} holds none, .mkv and .mp4 do")
    if info.video.display_matrix is not None and not container.holds_display_matrix:
        losses.append(f"the picture will not be turned upright: {container} can't say so, .mkv and .mp4 can")
    losses += _tag_losses("the film's", reader.metadata, container.tags, container)
    for stream in reader.streams:
        losses += _tag_losses(f"stream {stream.index}'s", stream.metadata, container.stream_tags, container)
    if not container.holds_times and info.container not in _WITHOUT_TIMES:
        losses.append(f"times are left out: {container} holds none, and is shown at a constant rate")
    return losses


def _tag_losses(
    whose: str, metadata: Mapping[str, str], held: frozenset[str] | None, container: Container
) -> list[str]:
    lost = [name for name in lasting_tags(metadata) if held is not None and name.lower() not in held]
    return [f"{whose} tags {', '.join(lost)} are left out: {container} has no place for them, .mkv has"] if lost else []

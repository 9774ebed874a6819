"""The containers that can be written, and what each one holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import av.container
import av.error

from ..errors import OutputError

#: Where a source's container is not written, its film goes into this one, which holds nearly every codec.
FALLBACK_SUFFIX = ".mkv"

#: Codecs of text subtitles, which can be turned into each other; styling may be lost.
TEXT_SUBTITLES = frozenset({"subrip", "ass", "mov_text", "webvtt", "text"})


@dataclass(frozen=True)
class Container:
    """A container format to write."""

    #: FFmpeg's name of the muxer.
    muxer: str
    #: Encoder that is used when none is asked for.
    codec: str
    #: File suffixes; the first one names the container to people.
    suffixes: tuple[str, ...]
    #: Codecs that it holds, where its muxer takes more than players read back; None where the muxer says it right.
    codecs: frozenset[str] | None = None
    #: Codecs that its muxer takes though nobody can read them back.
    unreadable: frozenset[str] = frozenset()
    #: Codec into which it takes text subtitles of other codecs.
    text_codec: str | None = None
    #: Lossless codec into which it takes sound that it does not hold as it is.
    sound_codec: str | None = None
    #: How it names languages that have two codes in ISO 639-2.
    languages: Mapping[str, str] = field(default_factory=dict)
    #: Whether it holds more than pictures.
    holds_sound: bool = True
    holds_chapters: bool = True
    #: Whether fonts and other files can be attached.
    holds_attachments: bool = False
    #: Whether it holds a poster: as an attached file, or as a stream of its own that only seekable files can have.
    holds_covers: bool = False
    #: Whether it takes streams of data that its own kind of file has.
    holds_data: bool = False
    #: Whether it holds a time for each frame.
    holds_times: bool = True
    #: Whether times may lie before 0, as sound's often do that an encoder primed.
    holds_negative_times: bool = False
    #: Names of the tags that it holds, such as the title; None where it holds any.
    tags: frozenset[str] | None = None
    #: Names of the tags that it holds for each stream; None where it holds any.
    stream_tags: frozenset[str] | None = None
    #: Whether PyAV writes into it how wide a pixel is.
    holds_shape: bool = True
    #: Whether it is Matroska, in which MKVToolNix can write that.
    is_matroska: bool = False
    #: Whether it says how a picture is to be turned.
    holds_display_matrix: bool = False
    #: Muxer's options, and those that are added when its output can't be sought in.
    options: dict[str, str] = field(default_factory=dict)
    stream_options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.suffixes[0]

    def holds_codec(self, name: str) -> bool:
        """Whether the stream of an encoder, by FFmpeg's name, can go into it."""
        if name == self.codec:
            return True
        canonical = av.codec.Codec(name, "w").canonical_name
        if self.codecs is not None:
            return canonical in self.codecs
        with av.open(os.devnull, "w", format=self.muxer) as trial:
            return canonical in trial.supported_codecs or name in trial.supported_codecs

    def holds(self, stream: av.stream.Stream) -> bool:
        """Whether a stream can go into it as it is; found out by writing the header of a file with this stream."""
        context = stream.codec_context
        if context is not None and context.codec.canonical_name in self.unreadable:
            return False
        if self.codecs is not None and (context is None or context.codec.canonical_name not in self.codecs):
            return self.holds_data and stream.type == "data"
        try:
            with av.open(os.devnull, "w", format=self.muxer) as trial:
                trial.add_stream_from_template(stream, opaque=True)
                trial.start_encoding()
        except (av.error.FFmpegError, ValueError):
            return False
        return True


# Found by writing every tag that FFmpeg's documentation names, and reading them back.
_MOV_TAGS = frozenset(
    {"title", "artist", "album", "date", "comment", "genre", "copyright", "location", "make", "model", "creation_time"}
    | {"timecode"}
)
_MP4_TAGS = _MOV_TAGS - {"location", "make", "model"} | {
    *("album_artist", "composer", "grouping", "lyrics", "description", "synopsis", "show", "episode_id", "network"),
    *("keywords", "episode_sort", "season_number", "media_type", "hd_video", "gapless_playback", "compilation"),
    *("track", "disc"),
}
# QuickTime numbers languages; FFmpeg knows the numbers by these codes.
_MOV_LANGUAGES = {
    "deu": "ger",
    "nld": "dut",
    "ell": "gre",
    "isl": "ice",
    "zho": "chi",
    "fas": "per",
    "sqi": "alb",
    "fre": "fra",
    "rum": "ron",
    "cze": "ces",
    "slo": "slk",
    "mkd": "mac",
    "hye": "arm",
    "kat": "geo",
}
_TRACK_TAGS = frozenset({"language", "title", "handler_name", "timecode", "creation_time"})

_VIDEO_ONLY: dict[str, Any] = {
    "holds_sound": False,
    "holds_chapters": False,
    "holds_times": False,
    "tags": frozenset(),
    "stream_tags": frozenset(),
}

_MPEG_TS_CODECS = frozenset(
    {"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"}
    | {"aac", "ac3", "eac3", "dts", "truehd", "mp1", "mp2", "mp3", "opus"}
    | {"dvb_subtitle", "dvb_teletext"}
)

_CONTAINERS = (
    Container(
        "matroska",
        "libx264",
        (".mkv",),
        is_matroska=True,
        holds_shape=False,
        text_codec="subrip",
        sound_codec="flac",
        holds_attachments=True,
        holds_covers=True,
        holds_display_matrix=True,
    ),
    Container(
        "mp4",
        "libx264",
        (".mp4", ".m4v"),
        text_codec="mov_text",
        sound_codec="flac",
        holds_negative_times=True,
        tags=_MP4_TAGS,
        stream_tags=_TRACK_TAGS,
        holds_covers=True,
        holds_data=True,
        holds_display_matrix=True,
        stream_options={"movflags": "frag_keyframe+delay_moov+default_base_moof"},
    ),
    Container(
        "mov",
        "libx264",
        (".mov",),
        text_codec="mov_text",
        sound_codec="alac",
        holds_negative_times=True,
        tags=_MOV_TAGS,
        languages=_MOV_LANGUAGES,
        stream_tags=_TRACK_TAGS,
        holds_data=True,
        holds_display_matrix=True,
        stream_options={"movflags": "frag_keyframe+delay_moov+default_base_moof"},
    ),
    Container(
        "webm",
        "libvpx-vp9",
        (".webm",),
        is_matroska=True,
        holds_shape=False,
        text_codec="webvtt",
        holds_display_matrix=True,
    ),
    Container(
        "mpegts",
        "libx264",
        (".ts", ".m2ts"),
        codecs=_MPEG_TS_CODECS,
        holds_chapters=False,
        holds_data=True,
        tags=frozenset({"service_name", "service_provider"}),
        stream_tags=frozenset({"language"}),
    ),
    Container(
        "nut",
        "libx264",
        (".nut",),
        # Their decoders need to know the length of a block, which NUT does not note.
        holds_shape=False,
        unreadable=frozenset({"wmav1", "wmav2", "wmapro"}),
        sound_codec="flac",
    ),
    # More than 8 bits are an extension of YUV4MPEG2, which its readers know.
    Container("yuv4mpegpipe", "rawvideo", (".y4m",), options={"strict": "experimental"}, **_VIDEO_ONLY),
    Container("rawvideo", "rawvideo", (".yuv",), holds_shape=False, **_VIDEO_ONLY),
)


def container_named(name: str) -> Container:
    """The container of FFmpeg's name or a suffix: "matroska", "mkv", "mpegts", "ts" and so on.

    Raises:
        OutputError: there is no such container.
    """
    for container in _CONTAINERS:
        if name.lower() == container.muxer or f".{name.lower().removeprefix('.')}" in container.suffixes:
            return container
    known = ", ".join(container.muxer for container in _CONTAINERS)
    raise OutputError(f"there is no output format {name!r}; use one of {known}")


def container_of(path: Path) -> Container:
    """The container that a file's suffix names.

    Raises:
        OutputError: no container is written under this suffix.
    """
    for container in _CONTAINERS:
        if path.suffix.lower() in container.suffixes:
            return container
    known = ", ".join(suffix for container in _CONTAINERS for suffix in container.suffixes)
    raise OutputError(f"{path}: can't tell the container by the suffix {path.suffix!r}; use one of {known}")


def others_that_hold(stream: av.stream.Stream) -> list[Container]:
    """The containers into which a stream can go as it is."""
    return [container for container in _CONTAINERS if container.holds_sound and container.holds(stream)]


def default_output(source: Path) -> Path:
    """``NAME.color.EXT`` beside the source, in its own container where that can be written, else in Matroska."""
    known = {suffix for container in _CONTAINERS if container.holds_sound for suffix in container.suffixes}
    suffix = source.suffix if source.suffix.lower() in known else FALLBACK_SUFFIX
    return source.with_name(f"{source.stem}.color{suffix}")

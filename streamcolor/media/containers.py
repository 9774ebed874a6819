"""The containers that can be written, and what each one's players expect."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av

from ..errors import OutputError

#: Where a source's container is not written, its film goes into this one, which holds every codec.
FALLBACK_SUFFIX = ".mkv"


@dataclass(frozen=True)
class Container:
    """A container format to write."""

    #: FFmpeg's name of the muxer.
    muxer: str
    #: Encoder that is used when none is asked for.
    codec: str
    #: Audio codecs that it holds, where FFmpeg's muxer does not list them.
    audio_codecs: frozenset[str] | None = None
    #: Whether packets may be decoded before time 0, as B-frames at a film's beginning need; the muxer would else
    #: shift the whole film.
    holds_negative_times: bool = True

    def holds(self, codec: str) -> bool:
        """Whether an audio codec, by FFmpeg's name, can go into it."""
        return codec in (self.audio_codecs or _muxer_codecs(self.muxer))


@lru_cache
def _muxer_codecs(muxer: str) -> frozenset[str]:
    with av.open(os.devnull, "w", format=muxer) as nothing:
        return frozenset(nothing.supported_codecs)


_MATROSKA = Container("matroska", "libx264")
_MP4 = Container("mp4", "libx264")
_MPEG_TS = Container(
    "mpegts",
    "libx264",
    frozenset({"aac", "ac3", "eac3", "dts", "truehd", "mp1", "mp2", "mp3", "opus"}),
    holds_negative_times=False,
)
#: By file suffix.
_CONTAINERS = {
    ".mkv": _MATROSKA,
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container("mov", "libx264"),
    ".webm": Container("webm", "libvpx-vp9"),
    ".ts": _MPEG_TS,
    ".m2ts": _MPEG_TS,
    ".nut": Container("nut", "libx264", holds_negative_times=False),
}


def container_of(path: Path) -> Container:
    """The container that a file's suffix names.

    Raises:
        OutputError: no container is written under this suffix.
    """
    try:
        return _CONTAINERS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(_CONTAINERS)
        raise OutputError(
            f"{path}: can't tell the container by the suffix {path.suffix!r}; use one of {known}"
        ) from None


def default_output(source: Path) -> Path:
    """``NAME.color.EXT`` beside the source, in its own container where that can be written, else in Matroska."""
    suffix = source.suffix if source.suffix.lower() in _CONTAINERS else FALLBACK_SUFFIX
    return source.with_name(f"{source.stem}.color{suffix}")

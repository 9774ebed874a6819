"""What PyAV neither reads nor writes of Matroska: the size at which a picture is shown, and its cropping.

Reading follows RFC 8794 (EBML) and RFC 9559 (Matroska); writing is left to mkvmerge of MKVToolNix.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError

_TOOL = "mkvmerge"
# IDs of elements (RFC 9559, section 5).
_SEGMENT, _TRACKS, _TRACK, _TYPE, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0x83, 0xE0
_CROPS = {0x54CC: "left", 0x54BB: "top", 0x54DD: "right", 0x54AA: "bottom"}
_VIDEO_TRACK = 1
#: Bytes beyond which a list of tracks is not one.
_MOST_BYTES = 1 << 24


@dataclass(frozen=True)
class Cropping:
    """Samples at a picture's edges that are not to be shown."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return any(astuple(self))


def read_cropping(path: Path) -> Cropping:
    """The cropping of a Matroska file's first video track; none for what is no such file."""
    try:
        with path.open("rb") as file:
            for size in _find(file, path.stat().st_size, _SEGMENT):
                for tracks in _find(file, size, _TRACKS):
                    return _cropping(file.read(min(tracks, _MOST_BYTES)))
    except (OSError, ValueError, IndexError):  # damage is FFmpeg's to complain of
        pass
    return Cropping()


def _find(file: BinaryIO, size: int, wanted: int) -> Iterator[int]:
    """Go to the content of the element ``wanted`` among the next ``size`` bytes, and give its size; once at most."""
    end = file.tell() + size
    while file.tell() < end:
        head = file.read(12)
        element, length, begin = _head(head, 0)
        file.seek(begin - len(head), 1)
        if element == wanted:
            yield min(length, end - file.tell())
            return
        file.seek(length, 1)


def _head(content: bytes, position: int) -> tuple[int, int, int]:
    """ID and size of the element at a position, and where its content begins (RFC 8794, sections 4 to 6)."""
    id_length = 9 - content[position].bit_length()
    element = int.from_bytes(content[position : position + id_length], "big")
    position += id_length
    size_length = 9 - content[position].bit_length()
    size = int.from_bytes(content[position : position + size_length], "big") & ((1 << 7 * size_length) - 1)
    return element, size, position + size_length


def _children(content: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(content):
        element, size, begin = _head(content, position)
        yield element, content[begin : begin + size]
        position = begin + size


def _cropping(tracks: bytes) -> Cropping:
    for element, track in _children(tracks):
        fields = dict(_children(track)) if element == _TRACK else {}
        if int.from_bytes(fields.get(_TYPE, b""), "big") == _VIDEO_TRACK:
            video = dict(_children(fields.get(_VIDEO, b"")))
            return Cropping(**{name: int.from_bytes(video.get(number, b""), "big") for number, name in _CROPS.items()})
    return Cropping()


def can_edit() -> bool:
    """Whether MKVToolNix is installed."""
    return shutil.which(_TOOL) is not None


def set_shown(path: Path, size: tuple[int, int], cropping: Cropping) -> None:
    """Write a Matroska file anew with how its first track, a video track, is shown.

    mkvpropedit would be quicker, but moves the list of tracks to the file's end.

    Args:
        path: the file.
        size: width and height to which what is not cropped is scaled.
        cropping: what is not shown.

    Raises:
        OutputError: mkvmerge fails.
    """
    edited = path.with_name(f"{path.stem}.edited{path.suffix}")
    track = _video_track(path)
    settings = ["--display-dimensions", f"{track}:{size[0]}x{size[1]}"]
    settings += ["--cropping", f"{track}:{','.join(map(str, astuple(cropping)))}"] if cropping else []
    settings += ["--webm"] if path.suffix.lower() == ".webm" else []
    try:
        _mkvmerge("--quiet", "--disable-track-statistics-tags", "-o", edited.absolute(), *settings, path.absolute())
        edited.replace(path)
    finally:
        edited.unlink(missing_ok=True)


def _video_track(path: Path) -> int:
    tracks = json.loads(_mkvmerge("-J", path.absolute()))["tracks"]
    return next(int(track["id"]) for track in tracks if track["type"] == "video")


def _mkvmerge(*arguments: object) -> str:
    done = subprocess.run(
        [_TOOL, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},  # or it can't name files with other letters
    )
    if done.returncode > 1:  # 1 is a warning
        raise OutputError(f"{_TOOL} can't write how the picture is shown: {done.stdout.strip()}")
    return done.stdout

"""What other tools make of a film: ffmpeg, ffprobe, mkvmerge and MediaInfo, from the system's packages.

None of them shares code with what streamcolor runs on: they bring their own FFmpeg, or their own parsers.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

TOOLS = ("ffmpeg", "ffprobe", "mkvmerge", "mediainfo", "mpv", "x264")


def missing_tools() -> list[str]:
    """Which of them are not installed."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def _run(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stderr}"
    return done.stdout


def ffmpeg(*arguments: object) -> str:
    """Run ffmpeg, overwriting; what it prints."""
    return _run("ffmpeg", "-nostdin", "-v", "error", "-y", *arguments)


def mkvmerge(*arguments: object) -> str:
    """Run mkvmerge; what it prints."""
    return _run("mkvmerge", *arguments)


def ffprobe(path: Path, *arguments: object) -> dict[str, Any]:
    """What ffprobe says, as JSON."""
    found: dict[str, Any] = json.loads(_run("ffprobe", "-v", "error", *arguments, "-of", "json", path))
    return found


def streams(path: Path, kind: str) -> list[dict[str, Any]]:
    """Streams of a kind: video, audio, subtitle, data; covers are none of them."""
    found: list[dict[str, Any]] = ffprobe(path, "-show_streams")["streams"]
    return [
        stream
        for stream in found
        if stream.get("codec_type") == kind and not stream.get("disposition", {}).get("attached_pic")
    ]


def covers(path: Path) -> list[str]:
    """Digests of the cover pictures."""
    found: list[dict[str, Any]] = ffprobe(path, "-show_streams")["streams"]
    return [
        packet_digest(path, f"0:{stream['index']}")
        for stream in found
        if stream.get("disposition", {}).get("attached_pic")
    ]


def packet_digest(path: Path, which: str, *arguments: str) -> str:
    """Digest of a stream's packets: of their payload, whatever their times."""
    return ffmpeg("-i", path, "-map", which, "-c", "copy", *arguments, "-f", "streamhash", "-hash", "md5", "-")


def sound(path: Path) -> np.ndarray:
    """What the first sound track decodes to, in one channel, float32 from -1 to 1."""
    raw = path.with_suffix(".f32")
    ffmpeg("-i", path, "-map", "0:a:0", "-ac", 1, "-f", "f32le", raw)
    return np.fromfile(raw, np.float32)


def packet_times(path: Path, which: str) -> list[tuple[Fraction, Fraction]]:
    """PTS and duration of a stream's packets, in seconds."""
    found = ffprobe(path, "-select_streams", which, "-show_streams", "-show_packets")
    base = Fraction(found["streams"][0]["time_base"])
    return [
        (int(packet["pts"]) * base, int(packet.get("duration", 0)) * base)
        for packet in found["packets"]
        if "pts" in packet
    ]


def frame_times(path: Path) -> tuple[list[Fraction], Fraction]:
    """Times of the frames in seconds, in the order in which they are shown, and the tick they are counted in."""
    found = ffprobe(
        path,
        "-select_streams",
        "v:0",
        "-show_streams",
        "-show_frames",
        "-show_entries",
        "stream=time_base:frame=best_effort_timestamp",
    )
    base = Fraction(found["streams"][0]["time_base"])
    return [int(frame["best_effort_timestamp"]) * base for frame in found["frames"]], base


def chapters(path: Path) -> list[tuple[float, float, str]]:
    """Begin, end and title of each chapter."""
    return [
        (float(chapter["start_time"]), float(chapter["end_time"]), chapter.get("tags", {}).get("title", ""))
        for chapter in ffprobe(path, "-show_chapters")["chapters"]
    ]


def attachments(path: Path) -> list[tuple[str, int]]:
    """Name and size of what mkvmerge finds attached; nothing where it does not read the container."""
    found = json.loads(mkvmerge("-J", path))
    return [(file["file_name"], file["size"]) for file in found.get("attachments", [])]


def mediainfo(path: Path, kind: str) -> dict[str, str]:
    """What MediaInfo says of the first track of a kind, such as "Video"."""
    tracks = json.loads(_run("mediainfo", "--Output=JSON", path))["media"]["track"]
    return next((track for track in tracks if track["@type"] == kind), {})


def write_pgs(path: Path, *, begin: float = 0.5, end: float = 1.5) -> Path:
    """A Blu-ray subtitle (PGS): a white box, shown once. By US patent 2009/0185789, as no tool here makes one."""
    width, height = 16, 8

    def segment(kind: int, seconds: float, content: bytes) -> bytes:
        ticks = round(seconds * 90_000)
        return b"PG" + struct.pack(">IIBH", ticks, ticks, kind, len(content)) + content

    def composition(number: int, objects: bytes) -> bytes:
        state = 0x80 if objects else 0x00
        count = 1 if objects else 0
        return struct.pack(">HHBHBBBB", 64, 48, 0x10, number, state, 0, 0, count) + objects

    line = bytes([0, 0x80 | width, 1]) + b"\0\0"  # a run of colour 1, then the end of the line
    picture = struct.pack(">HH", width, height) + line * height
    content = struct.pack(">HBB", 0, 0, 0xC0) + struct.pack(">I", len(picture))[1:] + picture
    window = struct.pack(">BBHHHH", 1, 0, 8, 32, width, height)
    palette = bytes([0, 0]) + bytes([1, 235, 128, 128, 255])
    path.write_bytes(
        segment(0x16, begin, composition(0, struct.pack(">HBBHH", 0, 0, 0, 8, 32)))
        + segment(0x17, begin, window)
        + segment(0x14, begin, palette)
        + segment(0x15, begin, content)
        + segment(0x80, begin, b"")
        + segment(0x16, end, composition(1, b""))
        + segment(0x17, end, window)
        + segment(0x80, end, b"")
    )
    return path

"""Proof that what was written decodes to what was meant."""

from __future__ import annotations

import zlib
from array import array
from pathlib import Path

import av
import av.error

from ..errors import OutputError
from .pixels import plane


class FrameDigests:
    """Digests of frames, to be compared with what a file decodes to."""

    def __init__(self) -> None:
        self._digests = array("L")

    def add(self, frame: av.VideoFrame) -> None:
        """Note the samples of the next frame, in a planar format."""
        self._digests.append(_digest(frame))

    def check(self, path: Path, stream: int, name: str) -> None:
        """Decode a file's stream and compare it, frame by frame.

        Raises:
            OutputError: a frame is missing, or not the same bit for bit; ``name`` is what it calls the file.
        """
        try:
            with av.open(str(path)) as file:
                video = file.streams[stream]
                assert isinstance(video, av.VideoStream)
                video.thread_type = "AUTO"
                found = array("L", (_digest(frame) for frame in file.decode(video)))
        except av.error.FFmpegError as error:
            raise OutputError(f"{name} was written but can't be decoded: {error}; is the disk sound?") from error
        if found != self._digests:
            pairs = enumerate(zip(found, self._digests, strict=False))
            first = next((number for number, (a, b) in pairs if a != b), min(len(found), len(self._digests)))
            raise OutputError(
                f"{name} was written but its frame {first} differs from what was meant; is the disk sound?"
            )


def _digest(frame: av.VideoFrame) -> int:
    digest = 0
    for number in range(len(frame.planes)):
        digest = zlib.crc32(plane(frame, number).tobytes(), digest)
    return digest

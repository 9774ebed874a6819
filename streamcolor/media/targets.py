"""Where a coloured film goes: a file that is complete under its name or not there at all, or standard output."""

from __future__ import annotations

import os
import secrets
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
import av.container
import av.error

from ..errors import OutputError
from .containers import Container

_Y4M = "yuv4mpegpipe"
#: Microseconds that a packet waits for those of streams that pause, such as subtitles.
_PROMPT = {"max_interleave_delta": "200000"}
#: Bytes for which a pipe that can be written to has room (PIPE_BUF of POSIX systems).
_AT_ONCE = 4096
_POLL_SECONDS = 0.2


class Target(Protocol):
    """Where a film is written."""

    #: What messages call it.
    name: str
    #: Whether what was written can be gone back to.
    is_seekable: bool

    def open(self, container: Container, pixel_aspect: Fraction) -> av.container.OutputContainer:
        """An empty film in this container; ``pixel_aspect`` is for YUV4MPEG2's header."""

    def keep(self) -> None:
        """Make what was written, and closed, stay."""

    def discard(self) -> None:
        """Remove what was written, where that is possible; nothing after :meth:`keep`."""


class FileTarget:
    """A file, under a hidden name beside its place until it is complete.

    Raises:
        OutputError: the folder can't be written, or ``path`` exists and ``overwrite`` is not set.
    """

    is_seekable = True

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.name = str(path)
        self.path = path
        self._overwrite = overwrite
        _check_output(path, overwrite=overwrite)
        self._file: BinaryIO | None = None
        self.unfinished = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")

    def open(self, container: Container, pixel_aspect: Fraction) -> av.container.OutputContainer:
        """An empty file of this container.

        Raises:
            OutputError: it can't be made.
        """
        try:
            if container.muxer == _Y4M:
                self._file = self.unfinished.open("xb")
                sink: Any = _ShapedY4m(self._file.write, pixel_aspect)
            else:
                self.unfinished.touch(exist_ok=False)
                sink = str(self.unfinished.absolute())
            return av.open(sink, "w", format=container.muxer, container_options=container.options)
        except OSError as error:
            raise OutputError(f"{self.name} can't be written: {error.strerror or error}") from error

    def keep(self) -> None:
        """Give the file its name.

        Raises:
            OutputError: another file took the name meanwhile.
        """
        try:
            if self._file is not None:
                self._file.close()
            if self._overwrite:
                self.unfinished.replace(self.path)
            else:
                _rename_without_replacing(self.unfinished, self.path)
        except FileExistsError as error:
            raise OutputError(f"{self.name} was made by somebody else meanwhile; it is left as it is") from error
        except OSError as error:
            raise OutputError(f"{self.name} can't be put in place: {error.strerror or error}") from error

    def discard(self) -> None:
        """Remove what was written; the output's name stays as it was."""
        if self._file is not None:
            with suppress(OSError):  # a full disk
                self._file.close()
        self.unfinished.unlink(missing_ok=True)


class PipeTarget:
    """Standard output. While it is open, whatever else is printed goes to standard error."""

    name = "standard output"
    is_seekable = False

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def open(self, container: Container, pixel_aspect: Fraction) -> av.container.OutputContainer:
        """An empty film in this container, each packet of which is passed on at once."""
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()
        self._descriptor = os.dup(1)
        os.dup2(2, 1)
        options = container.options | container.stream_options | {"flush_packets": "1"} | _PROMPT
        sink = _ShapedY4m(self.write, pixel_aspect) if container.muxer == _Y4M else self
        return av.open(sink, "w", format=container.muxer, container_options=options)

    def write(self, data: bytes) -> int:
        """Pass bytes on; FFmpeg calls this."""
        rest = memoryview(data)
        try:
            while rest:
                if self._descriptor is None:  # discarded
                    raise BrokenPipeError
                # A write that waits would not see an interrupt; Windows can't wait for pipes otherwise.
                if os.name == "nt" or select.select([], [self._descriptor], [], _POLL_SECONDS)[1]:
                    rest = rest[os.write(self._descriptor, rest[:_AT_ONCE]) :]
        except KeyboardInterrupt as error:  # PyAV hands on errors only
            raise InterruptedError from error
        return len(data)

    def keep(self) -> None:
        """Give standard output back."""
        self.discard()

    def discard(self) -> None:
        """Give standard output back; what was passed on is gone."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.dup2(self._descriptor, 1)
                os.close(self._descriptor)
            self._descriptor = None


class _ShapedY4m:
    """Passes YUV4MPEG2 on with the shape of pixels in its header, which PyAV can't make FFmpeg write."""

    def __init__(self, write: Callable[[bytes], int], pixel_aspect: Fraction) -> None:
        self._write = write
        self._field = b" A%d:%d" % pixel_aspect.as_integer_ratio()
        self._is_header = True

    def write(self, data: bytes) -> int:
        """Pass bytes on; the first ones hold the header."""
        self._write(data.replace(b" A0:0", self._field, 1) if self._is_header else data)
        self._is_header = False
        return len(data)


def _check_output(path: Path, *, overwrite: bool) -> None:
    """Find out before any work whether a film could be written.

    Raises:
        OutputError: the folder does not exist or can't be written, or the output exists.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OutputError(f"there is no folder {folder} to write {path.name} in")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is no file but a device or a pipe; write to it with -o - > {path}")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; add --overwrite to replace it, or name another output with -o")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{path} can't be written: no permission in {folder}")


def _rename_without_replacing(source: Path, target: Path) -> None:
    """Rename, but fail where ``target`` exists; file systems without hard links leave a short gap in that check."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        if target.exists():
            raise FileExistsError(target) from None
        source.rename(target)
    else:
        source.unlink()

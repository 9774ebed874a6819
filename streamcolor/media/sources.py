"""Where a film comes from: a file, standard input, or a network address."""

from __future__ import annotations

import os
import re
import select
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.codec
import av.container
import av.error
from av.codec.hwaccel import HWAccel, hwdevices_available

from ..errors import InputError, OptionError
from ..options import FilmOptions
from .timing import parse_rate

#: What stands for standard input and standard output, as in ffmpeg.
PIPE = "-"

_ADDRESS = re.compile(r"([a-z][a-z0-9]+)://?.", re.IGNORECASE)
_NETWORK_PROTOCOLS = ("tcp", "udp", "rtp", "rtsp", "rtsps", "http", "https")
#: FFmpeg's protocols that a local film or playlist may open; what comes from the network must not open files.
_LOCAL = "file,crypto,data,pipe"
_NETWORK = f"crypto,data,tls,{','.join(_NETWORK_PROTOCOLS)}"
#: Seconds without an answer after which a connection counts as ended.
_NETWORK_TIMEOUT = 10.0
_POLL_SECONDS = 0.2
_PIPE_BUFFER = 1 << 20
_SIZE = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})")


class PipeReader:
    """The read end of a pipe as FFmpeg reads it; :meth:`close`, called from another thread, ends a read that waits."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._closed = False

    def read(self, size: int) -> bytes:
        """The next bytes, up to ``size`` of them; none at the end."""
        try:
            while not self._closed:
                # Windows can wait for sockets only; there a read that waits is not ended.
                if os.name == "nt" or select.select([self._descriptor], [], [], _POLL_SECONDS)[0]:
                    return os.read(self._descriptor, size)
        except KeyboardInterrupt as error:  # PyAV hands on errors only
            raise InterruptedError from error
        return b""

    def close(self) -> None:
        """End reading."""
        self._closed = True


@dataclass(frozen=True)
class Source:
    """A film to open."""

    #: What messages call it.
    name: str
    #: Where it is a local file.
    path: Path | None
    #: Where it is a network address.
    address: str | None = None
    #: FFmpeg's name of the container; None where that is to be found out.
    format: str | None = None
    #: Options of FFmpeg's demuxer.
    options: dict[str, str] = field(default_factory=dict)
    #: Kind of hardware to decode on; None for the processor.
    hwaccel: str | None = None

    @property
    def is_seekable(self) -> bool:
        """Whether it can be opened again and read from anywhere."""
        return self.path is not None and not self.path.is_fifo()

    def open(self) -> tuple[av.container.InputContainer, PipeReader | None]:
        """The open container and, where it is standard input, what reads it.

        Raises:
            InputError: no such file, not readable, or not a film.
        """
        if self.path is not None:
            self._check(self.path)
        arguments: dict[str, Any] = {"format": self.format, "options": dict(self.options), "metadata_errors": "replace"}
        if self.hwaccel is not None:
            arguments["hwaccel"] = HWAccel(self.hwaccel)  # PyAV brings the frames back from the device
        pipe = None
        try:
            if self.path is not None and not self.path.is_fifo():
                return av.open(str(self.path.absolute()), **arguments), None
            if self.address is not None:
                return av.open(self.address, timeout=_NETWORK_TIMEOUT, **arguments), None
            if self.path is None and sys.stdin is None:
                raise InputError("standard input is closed")
            pipe = PipeReader(sys.stdin.fileno() if self.path is None else os.open(self.path, os.O_RDONLY))
            return av.open(pipe, buffer_size=_PIPE_BUFFER, **arguments), pipe
        except InterruptedError as error:
            raise KeyboardInterrupt from error
        except PermissionError as error:
            raise InputError(f"{self.name} can't be read: permission denied") from error
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            hint = "" if self.is_seekable or self.address else _PIPE_HINT
            raise InputError(f"{self.name} is not a film that FFmpeg can read: {reason}{hint}") from error

    def _check(self, path: Path) -> None:
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a film in it")
        if not path.exists():
            raise InputError(f"{path} does not exist")
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{path} is empty")


_PIPE_HINT = " (from a pipe, MP4 must have its index in front: ffmpeg -movflags +faststart)"


def local_source(path: Path) -> Source:
    """A file that says itself what it is."""
    return Source(str(path), path, options={"protocol_whitelist": _LOCAL})


def find_source(text: str, options: FilmOptions) -> Source:
    """The source that a user names: a path, "-" or a network address.

    Raises:
        InputError: an address, without ``allow_network``, or of an unknown kind.
        OptionError: options of raw video that are missing, malformed, or given for something else.
    """
    if options.input_format is not None:
        try:
            av.ContainerFormat(options.input_format, "r")
        except ValueError:
            raise OptionError(
                f"there is no input format {options.input_format!r}; 'ffmpeg -demuxers' lists them"
            ) from None
    _require_hardware(options.hwaccel)
    allowed = f"{_LOCAL},{_NETWORK}" if options.allow_network else _LOCAL
    demuxer = _raw_options(options) | {"protocol_whitelist": allowed}
    if options.low_latency:
        # Not "nobuffer", with which FFmpeg drops the frames that it looks at.
        demuxer["analyzeduration"] = "500000"
    if text == PIPE:
        return Source("standard input", None, None, options.input_format, demuxer, options.hwaccel)
    address = _ADDRESS.match(text)
    if address is None or Path(text).exists():
        return Source(text, Path(text), None, options.input_format, demuxer, options.hwaccel)
    if address[1].lower() not in _NETWORK_PROTOCOLS:
        raise InputError(f"{text}: {address[1]} addresses can't be read, only {', '.join(_NETWORK_PROTOCOLS)}")
    if not options.allow_network:
        raise InputError(f"{text} is on the network; add --allow-network to read it")
    demuxer["protocol_whitelist"] = _NETWORK
    return Source(text, None, text, options.input_format, demuxer, options.hwaccel)


def _require_hardware(kind: str | None) -> None:
    """Find out that hardware can decode before anything else is done.

    Raises:
        OptionError: FFmpeg here does not know this kind, or the machine has none.
    """
    if kind is None:
        return
    known = hwdevices_available()
    if kind not in known:
        raise OptionError(f"there is no hwaccel {kind!r} here, only {', '.join(known) or 'the processor'}")
    try:
        HWAccel(kind).create(av.codec.Codec("h264", "r"))
    except (av.error.FFmpegError, NotImplementedError) as error:
        raise OptionError(f"this machine can't decode with hwaccel {kind}: {error}; leave it out") from error


def _raw_options(options: FilmOptions) -> dict[str, str]:
    """What FFmpeg's demuxer of raw video wants to know."""
    given = {"size": options.size, "rate": options.rate}
    if options.input_format != "rawvideo":
        for name, value in given.items():
            if value is not None:
                raise OptionError(f"--{name} describes raw video; add --input-format rawvideo")
        return {}
    missing = [f"--{name}" for name, value in (*given.items(), ("pix-fmt", options.pix_fmt)) if value is None]
    if missing:
        raise OptionError(f"raw video says nothing of itself; add {', '.join(missing)}")
    size = _SIZE.fullmatch(str(options.size))
    if size is None:
        raise OptionError(f"size is {options.size!r}, but must be WIDTHxHEIGHT, such as 640x480")
    rate: Fraction = parse_rate(str(options.rate))
    pix_fmt = str(options.pix_fmt)
    try:
        av.VideoFormat(pix_fmt)
    except ValueError:
        raise OptionError(f"there is no pixel format {pix_fmt!r}; 'ffmpeg -pix_fmts' lists them") from None
    return {"video_size": size[0], "framerate": str(rate), "pixel_format": pix_fmt}

"""A coloured film on disk: complete under its name, or not there at all."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.container
import av.error

from ..errors import OutputError
from .containers import Container
from .encoding import Encoding
from .reader import FilmReader

#: Tags that describe the source's own coding, as FFmpeg and mkvmerge write them; untrue of the coloured stream.
_MEASURED = re.compile(r"encoder$|DURATION|BPS|NUMBER_OF_|_STATISTICS_|SOURCE_ID", re.IGNORECASE)


class FilmWriter:
    """Encodes frames and copies packets into a new file; a context manager.

    What is written stands under a hidden name beside the output until :meth:`finish` puts it in place; leaving the
    context without that removes it.

    Args:
        path: the output, in the container that its suffix names.
        reader: the film that the frames and packets come from.
        overwrite: replace ``path`` if it exists.

    Raises:
        OutputError: the folder can't be written, ``path`` exists, or the container does not hold a stream.
    """

    def __init__(
        self,
        path: Path,
        container: Container,
        encoding: Encoding,
        reader: FilmReader,
        *,
        overwrite: bool,
    ) -> None:
        self.path = path
        self._overwrite = overwrite
        _check_output(path, overwrite=overwrite)
        self._unfinished = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")
        try:
            self._unfinished.touch(exist_ok=False)
            self._file = av.open(str(self._unfinished.absolute()), "w", format=container.muxer)
        except BaseException as error:  # an interrupt, too, leaves nothing behind
            self._unfinished.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise OutputError(f"{path} can't be written: {error.strerror or error}") from error
            raise
        try:
            self._file.metadata.update(reader.metadata)
            self._video = self._add_video(encoding, container, reader)
            self._copies = {stream.index: self._add_copy(stream, container) for stream in reader.copied_streams}
        except BaseException as error:
            self.discard()
            if isinstance(error, ValueError):  # PyAV's way to say that codec and container don't go together
                raise OutputError(f"{path} can't be written: {error}") from error
            raise

    def _add_video(self, encoding: Encoding, container: Container, reader: FilmReader) -> av.VideoStream:
        video = reader.info.video
        stream = self._file.add_stream(encoding.codec, rate=video.rate or 25, options=dict(encoding.settings))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = video.width, video.height
        stream.pix_fmt = encoding.layout.name
        stream.time_base = video.time_base
        encoder = stream.codec_context
        encoder.time_base = video.time_base
        encoder.sample_aspect_ratio = video.pixel_aspect
        encoder.thread_type = "AUTO"
        if not container.holds_negative_times:
            encoder.max_b_frames = 0
        video.tags.apply(encoder)
        stream.metadata.update(
            (name, value) for name, value in reader.video_stream.metadata.items() if not _MEASURED.match(name)
        )
        stream.disposition = reader.video_stream.disposition
        return stream

    def _add_copy(self, source: av.stream.Stream, container: Container) -> av.stream.Stream:
        codec = source.codec_context.codec.canonical_name
        if not container.holds(codec):
            raise OutputError(
                f"{self.path}: {container.muxer} does not hold {codec} {source.type} (stream {source.index}); name an "
                "output with the suffix .mkv, or convert the sound first, for example with ffmpeg -c:v copy -c:a flac"
            )
        stream = self._file.add_stream_from_template(source)
        stream.metadata.update(source.metadata)
        stream.disposition = source.disposition
        return stream

    def write_frame(self, frame: av.VideoFrame) -> None:
        """Encode one frame.

        Raises:
            OutputError: the encoder refuses it, or the disk is full.
        """
        self._mux(lambda: self._video.encode(frame))

    def write_packet(self, packet: av.Packet[Any]) -> None:
        """Copy one packet of a copied stream.

        Raises:
            OutputError: the container refuses it, or the disk is full.
        """
        packet.stream = self._copies[packet.stream.index]
        self._mux(lambda: [packet])

    def finish(self) -> None:
        """Write what the encoder still holds, close the file and give it its name.

        Raises:
            OutputError: the disk is full, or another file took the name meanwhile.
        """
        self._mux(lambda: self._video.encode(None))
        self._guarded(self._file.close)
        try:
            if self._overwrite:
                self._unfinished.replace(self.path)
            else:
                _rename_without_replacing(self._unfinished, self.path)
        except FileExistsError as error:
            raise OutputError(f"{self.path} was made by somebody else meanwhile; it is left as it is") from error
        except OSError as error:
            raise OutputError(f"{self.path} can't be put in place: {error.strerror or error}") from error

    def _mux(self, packets: Callable[[], list[av.Packet[Any]]]) -> None:
        self._guarded(lambda: self._file.mux(packets()))

    def _guarded(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (av.error.FFmpegError, OSError) as error:
            raise OutputError(f"{self.path} can't be written: {getattr(error, 'strerror', None) or error}") from error

    def discard(self) -> None:
        """Remove what was written; the output's name stays as it was."""
        with suppress(av.error.FFmpegError, OSError):  # what can't even be closed is removed all the same
            self._file.close()
        self._unfinished.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


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

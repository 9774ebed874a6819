"""A coloured film: what was coloured, and everything that comes along, in one container."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av
import av.container
import av.error
from av.codec.context import Flags
from av.format import Flags as FormatFlags
from av.rational import AVRational
from av.subtitles.stream import SubtitleStream
from av.video.frame import PictureType

from ..errors import OutputError, PipeClosedError
from .containers import Container
from .matroska import set_shown
from .pixels import FieldMarker
from .plan import Fate, Plan
from .reader import FilmReader
from .sound import SoundConverter
from .subtitles import SubtitleConverter
from .tags import lasting_tags
from .targets import FileTarget, Target
from .timing import FrameClock
from .verify import FrameDigests

#: Seconds that a packet can last; beyond, it is a mark for "unknown", which some containers refuse.
_LONGEST = 24 * 60 * 60
#: Where FFmpeg's muxer of MPEG-TS puts the table of its streams.
_PMT_PID = 0x1000
#: Frames a second of films that do not say theirs.
_RATE = Fraction(25)


class FilmWriter:
    """Encodes frames and copies packets into a new film; a context manager.

    Leaving the context without :meth:`finish` discards what was written.

    Raises:
        OutputError: the target can't be written, or the encoder or container refuse what the plan says.
    """

    def __init__(self, target: Target, plan: Plan, reader: FilmReader) -> None:
        self._target = target
        self._plan = plan
        self._copies: dict[int, av.stream.Stream] = {}
        self._converters: dict[int, SubtitleConverter | SoundConverter] = {}
        self._last_dts: dict[int, int] = {}
        self._digests = FrameDigests() if plan.encoding.verified else None
        self._number = 0
        #: What went wrong without harm to the rest, each in a line for people.
        self.failures: list[str] = []
        #: Copied packets whose times ran back and were moved up to the packet before.
        self.times_mended = 0
        file = None
        try:
            file = self._file = target.open(plan.container, reader.info.video.pixel_aspect)
            #: Ticks by which times of decoding must grow.
            self._step = 0 if FormatFlags.ts_nonstrict in FormatFlags(self._file.format.flags) else 1
            self._file.metadata.update(lasting_tags(reader.metadata))
            if plan.container.holds_chapters:
                self._file.set_chapters(reader.chapters)
            for stream in reader.streams:
                self._add(stream, reader)
            self._guarded(self._file.start_encoding)
            for index, cover in reader.covers.items():
                if index in self._copies:
                    self._write_cover(cover, self._copies[index])
        except BaseException as error:  # an interrupt, too, leaves nothing behind
            _discard(target, file)
            if isinstance(error, ValueError):  # PyAV's way to say that codec and container don't go together
                raise OutputError(f"{target.name} can't be written: {error}") from error
            raise

    def _add(self, source: av.stream.Stream, reader: FilmReader) -> None:
        plan = self._plan
        fate = plan.streams[source.index]
        stream: av.stream.Stream
        if fate.fate is Fate.COLOURED:
            stream = self._video = self._add_video(reader)
        elif fate.fate is Fate.CONVERTED and isinstance(source, SubtitleStream | av.AudioStream):
            converter = self._converters[source.index] = self._converter(source, plan.container)
            stream = converter.stream
        elif fate.fate is not Fate.COPIED:
            return
        elif plan.container.holds_attachments and source.index in reader.covers:
            self._attach_cover(source, reader.covers[source.index])
            return
        else:
            stream = self._copies[source.index] = self._file.add_stream_from_template(source, opaque=True)
        if plan.container.muxer == reader.info.container == "mpegts" and _are_free([one.id for one in reader.streams]):
            stream.id = source.id
        stream.metadata.update(lasting_tags(source.metadata))
        language = source.metadata.get("language", "")
        if language in plan.container.languages:
            stream.metadata["language"] = plan.container.languages[language]
        stream.disposition = source.disposition

    def _add_video(self, reader: FilmReader) -> av.VideoStream:
        video, encoding = reader.info.video, self._plan.encoding
        rate = video.rate or _RATE
        stream = self._file.add_stream(encoding.codec, rate=rate, options=dict(encoding.settings))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = video.width, video.height
        stream.pix_fmt = encoding.layout.name
        encoder = stream.codec_context
        encoder.time_base = 1 / rate
        encoder.sample_aspect_ratio = video.pixel_aspect
        encoder.thread_type = encoding.threads
        video.tags.apply(encoder)
        encoder.field_order = video.field_order
        if video.is_interlaced:
            encoder.flags |= Flags.interlaced_dct | Flags.interlaced_me
        if video.display_matrix is not None:
            stream.set_display_matrix(video.display_matrix)
        is_new = encoding.layout.name != video.pixel_format  # else frames come with all that the source's had
        self._fields = FieldMarker(video.top_field_first) if video.is_interlaced and is_new else None
        self._clock = FrameClock(
            video.time_base,
            max(1, round(1 / rate / video.time_base)),
            may_begin_earlier=self._plan.container.holds_negative_times,
        )
        stream.time_base = self._clock.time_base if self._plan.container.holds_times else encoder.time_base
        return stream

    def _converter(
        self, source: SubtitleStream | av.AudioStream, container: Container
    ) -> SubtitleConverter | SoundConverter:
        if isinstance(source, SubtitleStream):
            assert container.text_codec is not None, "the plan says so"
            return SubtitleConverter(source, self._file, container.text_codec)
        assert container.sound_codec is not None, "the plan says so"
        return SoundConverter(source, self._file, container.sound_codec)

    def _attach_cover(self, source: av.stream.Stream, picture: bytes) -> None:
        codec = source.codec_context.codec.canonical_name
        name = source.metadata.get("filename", f"cover.{'jpg' if codec == 'mjpeg' else codec}")
        mime_type = source.metadata.get("mimetype", f"image/{'jpeg' if codec == 'mjpeg' else codec}")
        self._file.add_attachment(name, mime_type, picture)

    def _write_cover(self, picture: bytes, stream: av.stream.Stream) -> None:
        packet = av.Packet(picture)
        packet.pts = packet.dts = 0
        packet.time_base = Fraction(1, av.time_base)
        packet.stream = stream
        packet.is_keyframe = True
        self._mux([packet])

    def write_frame(self, frame: av.VideoFrame) -> None:
        """Encode one frame, in the encoding's layout.

        Raises:
            OutputError: the encoder refuses it, or the disk is full.
            PipeClosedError: nobody reads the pipe any more.
        """
        pts = frame.pts
        assert pts is not None, "the reader sets every frame's"
        if self._digests is not None:
            self._digests.add(frame)
        if self._fields is not None:
            frame = self._fields.mark(frame)
        encoder = self._video.codec_context
        frame.pict_type = PictureType.NONE  # else encoders do as the source's did
        frame.pts = self._number if not self._plan.container.holds_times else self._clock.number(pts, frame.duration)
        self._number += 1
        frame.time_base, frame.duration = encoder.time_base, 1
        self._guarded(lambda: self._encode(frame))

    def _encode(self, frame: av.VideoFrame | None) -> None:
        packets = self._video.encode(frame)
        for packet in packets if self._plan.container.holds_times else ():
            assert packet.pts is not None, "encoders give every packet's"
            shown, decoded = packet.pts, packet.pts if packet.dts is None else packet.dts
            packet.pts, packet.dts, packet.duration = self._clock.times(shown, decoded)
            packet.time_base = self._clock.time_base
        self._mux(packets)

    def write_packet(self, packet: av.Packet[Any]) -> None:
        """Copy or convert one packet of another stream; those of streams that are left out are.

        Raises:
            OutputError: the container refuses it, or the disk is full.
            PipeClosedError: nobody reads the pipe any more.
        """
        index = packet.stream.index
        if index in self._copies:
            packet.stream = self._copies[index]
            self._mux([packet])
        elif index in self._converters:
            self._mux(self._converters[index].convert(packet))

    def finish(self) -> None:
        """Write what the encoder still holds, close the film and make it stay.

        Raises:
            OutputError: the disk is full, another file took the name meanwhile, or it does not decode as it should.
            PipeClosedError: nobody reads the pipe any more.
        """
        self._guarded(lambda: self._encode(None))
        for converter in self._converters.values():
            self._mux(converter.flush())
        index = self._video.index
        self._guarded(self._file.close)
        if isinstance(self._target, FileTarget):
            if self._plan.shown_size is not None:
                try:
                    set_shown(self._target.unfinished, self._plan.shown_size, self._plan.cropping)
                except OutputError as error:  # hours of work are worth more
                    self.failures.append(str(error))
            if self._digests is not None:
                self._digests.check(self._target.unfinished, index, self._target.name)
        self._target.keep()

    def _mux(self, packets: Iterable[av.Packet[Any]]) -> None:
        for packet in packets:
            self._put_in_order(packet)
            self._guarded(lambda: self._file.mux_one(packet))  # noqa: B023

    def _put_in_order(self, packet: av.Packet[Any]) -> None:
        """Move a packet's times up where they run back, which containers refuse."""
        stream = packet.stream
        if packet.dts is None or stream.time_base is None:
            return
        packet.rescale_ts(AVRational(stream.time_base))
        assert packet.dts is not None
        if (packet.duration or 0) * stream.time_base > _LONGEST:
            packet.duration = 0
        last = self._last_dts.get(stream.index)
        if last is not None and packet.dts < last + self._step:
            self.times_mended += packet.dts < last and stream is not self._video
            packet.dts = last + self._step
            packet.pts = None if packet.pts is None else max(packet.pts, packet.dts)
        self._last_dts[stream.index] = packet.dts

    def _guarded(self, write: Callable[[], None]) -> None:
        try:
            write()
        except InterruptedError as error:
            raise KeyboardInterrupt from error
        except BrokenPipeError as error:
            raise PipeClosedError(f"{self._target.name} was closed") from error
        except (av.error.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"{self._target.name} can't be written: {reason}") from error

    def discard(self) -> None:
        """Remove what was written, where that is possible."""
        _discard(self._target, self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


def _are_free(pids: list[int]) -> bool:
    """Whether packet identifiers of MPEG-TS can be used again: FFmpeg's muxer takes one itself."""
    return len({*pids, _PMT_PID}) == len(pids) + 1


def _discard(target: Target, file: av.container.OutputContainer | None) -> None:
    if not target.is_seekable:
        target.discard()  # else closing writes on
    if file is not None:
        with suppress(av.error.FFmpegError, OSError):  # what can't even be closed is removed all the same
            file.close()
    target.discard()

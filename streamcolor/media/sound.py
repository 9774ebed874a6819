"""Sound into a lossless codec, for containers that do not hold its own."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import OutputContainer

from .timing import to_ticks

#: Bits a sample up to which 16 bits hold all.
_SHORT = 16
#: What one or two channels are, which some films only count.
_PLAIN_LAYOUTS = {1: "mono", 2: "stereo"}


def is_short(decoder: AudioCodecContext) -> bool:
    """Whether 16 bits hold all that a decoder gives of a sample."""
    return decoder.format.bits <= _SHORT and "flt" not in decoder.format.name


class SoundConverter:
    """Turns a track's packets into those of a lossless codec: what is heard stays the same.

    Args:
        source: the track.
        file: where a track is added for what comes out.
        codec: FFmpeg's name of the encoder.
    """

    def __init__(self, source: AudioStream, file: OutputContainer, codec: str) -> None:
        self._decoder = source.codec_context
        wishes = ("s16", "s16p") if is_short(self._decoder) else ("s32", "s32p")
        known = [taken.name for taken in av.codec.Codec(codec, "w").audio_formats or ()]
        stream = file.add_stream(codec, rate=self._decoder.rate)
        assert isinstance(stream, AudioStream)
        self.stream: AudioStream = stream
        encoder = stream.codec_context
        encoder.format = next(wish for wish in wishes if wish in known)
        layout = self._decoder.layout
        encoder.layout = _PLAIN_LAYOUTS.get(layout.nb_channels, layout.name)
        self._end = Fraction(0)
        self._resampler: av.AudioResampler | None = None

    def convert(self, packet: av.Packet[Any]) -> Iterator[av.Packet[Any]]:
        """The packets that one of the source's completes; none for one that is damaged."""
        try:
            frames = self._decoder.decode(packet)
        except av.error.FFmpegError:
            return
        for frame in frames:
            if frame.pts is not None and frame.time_base is not None:
                self._end = frame.pts * frame.time_base + Fraction(frame.samples, frame.rate)
            yield from self._encode(frame)

    def flush(self) -> Iterator[av.Packet[Any]]:
        """The packets that are still to come, at the end."""
        for frame in self._decoder.decode(None):
            # What decoders hold back comes without a time.
            frame.time_base = Fraction(1, frame.rate)
            frame.pts = to_ticks(self._end, frame.time_base)
            self._end += Fraction(frame.samples, frame.rate)
            yield from self._encode(frame)
        if self._resampler is not None:
            yield from self._encode(None)
            yield from self.stream.encode(None)

    def _encode(self, frame: av.AudioFrame | None) -> Iterator[av.Packet[Any]]:
        encoder = self.stream.codec_context
        if self._resampler is None:  # the encoder knows its frames' length once the file has begun
            self._resampler = av.AudioResampler(encoder.format, encoder.layout, encoder.rate, encoder.frame_size)
        for resampled in self._resampler.resample(frame):
            yield from self.stream.encode(resampled)

"""Text subtitles from one codec into another, by FFmpeg's own decoders and encoders."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error
from av.container import OutputContainer
from av.subtitles.stream import SubtitleStream

_TIME_BASE = Fraction(1, 1000)


class SubtitleConverter:
    """Turns a track's packets into those of another codec.

    Args:
        source: the track.
        file: where a track is added for what comes out.
        codec: FFmpeg's name of an encoder for text subtitles.
    """

    def __init__(self, source: SubtitleStream, file: OutputContainer, codec: str) -> None:
        self._decoder = source.codec_context
        self._decoder.open(strict=False)
        self.stream = file.add_stream(codec)
        assert isinstance(self.stream, SubtitleStream)
        self._encoder = self.stream.codec_context
        self._encoder.time_base = _TIME_BASE
        self._encoder.subtitle_header = self._decoder.subtitle_header
        self.stream.time_base = _TIME_BASE

    def convert(self, packet: av.Packet[Any]) -> Iterator[av.Packet[Any]]:
        """The packet in the other codec; none for one that shows nothing, such as MP4's pauses, or is damaged."""
        try:
            subtitle = self._decoder.decode2(packet)
        except av.error.FFmpegError:
            return
        if subtitle is None or not len(subtitle) or packet.pts is None:
            return
        converted = self._encoder.encode_subtitle(subtitle)
        time_base = packet.time_base
        converted.pts = converted.dts = round(packet.pts * time_base / _TIME_BASE)
        converted.duration = round((packet.duration or 0) * time_base / _TIME_BASE)
        converted.time_base = _TIME_BASE
        converted.stream = self.stream
        yield converted

    def flush(self) -> Iterator[av.Packet[Any]]:
        """Nothing: each packet is done by itself."""
        return iter(())

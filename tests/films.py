"""Real films for the tests: generated pictures and sound, real codecs and containers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from skimage import data

#: The command line, wherever it is run from.
STREAMCOLOR = str(Path(sys.executable).with_name("streamcolor"))

AUDIO_RATE = 48_000


def photographs() -> list[np.ndarray]:
    """Real colour pictures, sRGB ``uint8 (h, w, 3)``: a portrait, a cat, a cup of coffee."""
    return [data.astronaut(), data.chelsea(), data.coffee()]


def moving_luma(count: int, size: tuple[int, int], bits: int = 8) -> list[np.ndarray]:
    """Pans over a photograph: code values ``(h, w)`` of ``bits``, uint8 or uint16, in limited range."""
    width, height = size
    gray = cv2.cvtColor(photographs()[0], cv2.COLOR_RGB2GRAY)
    gray = cv2.resize(gray, (width + count, height + count), interpolation=cv2.INTER_AREA)
    dtype = np.uint8 if bits == 8 else np.uint16
    scaled = np.rint((16 + gray * (219 / 255)) * 2 ** (bits - 8)).astype(dtype)
    return [scaled[shift : shift + height, shift : shift + width].copy() for shift in range(count)]


@dataclass(frozen=True)
class Sound:
    """One track of a tone."""

    codec: str = "aac"
    language: str = "eng"
    title: str = ""
    disposition: int = 0


@dataclass(frozen=True)
class Film:
    """A film to make."""

    size: tuple[int, int] = (96, 64)
    pix_fmt: str = "yuv420p"
    codec: str = "libx264"
    #: Times of the frames, in ticks of ``time_base``.
    pts: Sequence[int] = tuple(range(12))
    time_base: Fraction = Fraction(1, 25)
    rate: Fraction = Fraction(25)
    sounds: Sequence[Sound] = ()
    settings: dict[str, str] = field(default_factory=dict)
    #: Matrix, primaries, transfer and range (1 limited, 2 full), as ITU-T H.273 and FFmpeg number them.
    tags: tuple[int, int, int, int] | None = None
    pixel_aspect: Fraction = Fraction(1)
    metadata: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """Make the film; returns ``path``."""
        with av.open(str(path), "w", options=self.container_options) as file:
            file.metadata.update(self.metadata)
            video = file.add_stream(self.codec, rate=self.rate, options=dict(self.settings))
            video.width, video.height, video.pix_fmt = *self.size, self.pix_fmt
            video.time_base = video.codec_context.time_base = self.time_base
            video.codec_context.sample_aspect_ratio = self.pixel_aspect
            if self.tags is not None:
                encoder = video.codec_context
                encoder.colorspace, encoder.color_primaries, encoder.color_trc, encoder.color_range = self.tags
            tracks = [self._add_sound(file, sound) for sound in self.sounds]
            for luma, pts in zip(self._luma(), self.pts, strict=True):
                file.mux(video.encode(self._frame(luma, pts)))
            for pitch, track in enumerate(tracks, start=3):
                self._write_sound(file, track, 110 * pitch)
            file.mux(video.encode(None))
        return path

    def _luma(self) -> list[np.ndarray]:
        bits = 10 if "10" in self.pix_fmt else 8
        return moving_luma(len(self.pts), self.size, bits)

    def _frame(self, luma: np.ndarray, pts: int) -> av.VideoFrame:
        frame = av.VideoFrame(*self.size, self.pix_fmt)
        for number, plane in enumerate(frame.planes):
            samples = np.frombuffer(plane, luma.dtype).reshape(plane.height, -1)[:, : plane.width]
            samples[:] = luma if number == 0 else 128 * (luma.itemsize == 1) or 512
        frame.pts, frame.time_base = pts, self.time_base
        return frame

    @staticmethod
    def _add_sound(file: av.container.OutputContainer, sound: Sound) -> av.AudioStream:
        track = file.add_stream(sound.codec, rate=AUDIO_RATE, layout="stereo")
        track.metadata["language"] = sound.language
        if sound.title:
            track.metadata["title"] = sound.title
        track.disposition = sound.disposition
        return track

    def _write_sound(self, file: av.container.OutputContainer, track: av.AudioStream, pitch: float) -> None:
        begin, end = (pts * self.time_base for pts in (self.pts[0], self.pts[-1] + 1))
        time = np.arange(int((end - begin) * AUDIO_RATE)) / AUDIO_RATE
        tone = (0.2 * np.sin(2 * np.pi * pitch * time)).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
        sound.sample_rate, sound.time_base = AUDIO_RATE, Fraction(1, AUDIO_RATE)
        sound.pts = int(begin * AUDIO_RATE)
        for frame in [sound, None]:
            file.mux(track.encode(frame))


def decoded(path: Path) -> list[av.VideoFrame]:
    """All frames of a film's first video stream."""
    with av.open(str(path)) as file:
        return list(file.decode(video=0))


def luma_of(frame: av.VideoFrame) -> np.ndarray:
    """A planar frame's luma, read independently of the project's own code."""
    bits = frame.format.components[0].bits
    plane = frame.planes[0]
    samples = np.frombuffer(bytes(plane), np.uint8 if bits == 8 else np.uint16)
    return samples.reshape(plane.height, -1)[:, : plane.width]


def times(path: Path) -> list[Fraction]:
    """Each frame's time in seconds, in the order in which they are shown."""
    return [frame.pts * frame.time_base for frame in decoded(path)]


@dataclass(frozen=True)
class CopiedPacket:
    """What must survive copying."""

    payload: bytes
    time: Fraction
    duration: Fraction


def packets(path: Path, track: int) -> list[CopiedPacket]:
    """All packets of an audio track."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[track]
        return [
            CopiedPacket(bytes(packet), packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base)
            for packet in file.demux(stream)
            if packet.size
        ]


def write_colour_film(path: Path, pictures: Sequence[np.ndarray], *, codec: str = "libx264", seconds: int = 1) -> Path:
    """A film at 10 frames/s that shows each sRGB picture ``uint8 (h, w, 3)``, all of one size, for ``seconds``."""
    with av.open(str(path), "w") as file:
        video = file.add_stream(codec, rate=10)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        for number in range(10 * seconds * len(pictures)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pictures[number // (10 * seconds)]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path


def crops(count: int, size: tuple[int, int], seed: int) -> list[np.ndarray]:
    """Pieces ``(w, h)`` of the photographs, no two alike."""
    rng = np.random.default_rng(seed)
    width, height = size
    pieces = []
    for number in range(count):
        picture = photographs()[number % 3]
        top, left = (
            int(rng.integers(0, side - piece)) for side, piece in zip(picture.shape, (height, width), strict=False)
        )
        piece = picture[top : top + height, left : left + width]
        pieces.append(np.ascontiguousarray(piece[:, :: -1 if number % 2 else 1]))
    return pieces


def streamcolor(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    settings = {"timeout": 120} | options
    return subprocess.run([STREAMCOLOR, *map(str, arguments)], capture_output=True, text=True, check=False, **settings)

"""Video frames as planes: what a pixel format holds, and how to fill one."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import av.error
import av.filter
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from ..color.lab import Primaries
from ..color.planes import Plane
from ..color.yuv import Coding, Matrix, Transfer
from ..errors import InputError

# Values of ITU-T H.273 (tables 2, 3 and 4), which FFmpeg uses as they are.
_UNSPECIFIED = 2
_MATRICES: dict[int, Matrix] = {
    1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020nc",
}  # fmt: skip
_TRANSFERS: dict[int, Transfer] = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "bt709", 7: "bt709", 8: "linear", 11: "bt709", 12: "bt709",
    13: "srgb", 14: "bt709", 15: "bt709",
}  # fmt: skip
#: Primaries beyond these differ too little from BT.709's to matter for a guessed colour, and are taken for them.
_PRIMARIES: dict[int, Primaries] = {5: "bt470bg", 6: "smpte170m", 7: "smpte170m", 9: "bt2020"}

_PLANAR = re.compile(r"(gray|yuvj?4\d\dp)((?P<bits>9|10|12|14|16)le)?")

#: Lines of 625-line television's pictures; what is untagged and no taller is taken for standard definition.
_LINES_OF_625 = 576


@dataclass(frozen=True)
class Layout:
    """A planar pixel format: luma alone, or luma with two chroma planes."""

    name: str
    #: Bits a sample.
    bits: int
    is_gray: bool

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """What a sample is held in."""
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)


@lru_cache
def planar_layout(name: str) -> Layout | None:
    """The layout of a pixel format, None where its luma is no plane of its own that numpy can read."""
    match = _PLANAR.fullmatch(name)
    if match is None:
        return None
    return Layout(name, int(match["bits"] or 8), is_gray=name.startswith("gray"))


@lru_cache
def nearest_planar_layout(name: str) -> Layout:
    """The planar layout that holds everything but the alpha of any pixel format."""
    layout = planar_layout(name)
    if layout is not None:
        return layout
    pixel_format = av.VideoFormat(name, 16, 16)
    components = [component for component in pixel_format.components if not component.is_alpha]
    depth = "" if components[0].bits <= 8 else "10le" if components[0].bits <= 10 else "16le"
    if len(components) < 3 and not pixel_format.has_palette:
        return _known_layout(f"gray{depth}")
    horizontal, vertical = 16 // pixel_format.chroma_width(), 16 // pixel_format.chroma_height()
    sampling = {(2, 2): "420", (2, 1): "422"}.get((horizontal, vertical), "444")
    return _known_layout(f"yuv{sampling}p{depth}")


def layout_in_colour(name: str, *, full_chroma: bool = False) -> Layout:
    """The nearest planar layout with chroma: the source's own, else 4:2:0 (4:4:4 with ``full_chroma``) of its depth."""
    layout = nearest_planar_layout(name)
    if not layout.is_gray:
        return layout
    sampling = "444" if full_chroma else "420"
    return _known_layout(layout.name.replace("gray", f"yuv{sampling}p"))


def _known_layout(name: str) -> Layout:
    layout = planar_layout(name)
    assert layout is not None
    return layout


def as_planar(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame itself where its format is planar, else a copy in the nearest format that is.

    Raises:
        InputError: FFmpeg can't convert the format.
    """
    name = frame.format.name
    layout = nearest_planar_layout(name)
    if layout.name == name:
        return frame
    tags = color_tags(frame)
    from_rgb = frame.format.is_rgb or frame.format.has_palette
    try:
        # Naming a matrix for what is Y'CbCr already would send its luma by way of RGB.
        planar = frame.reformat(format=layout.name, dst_colorspace=tags.matrix if from_rgb else None)
    except (ValueError, av.error.FFmpegError) as error:
        raise InputError(f"frames in {name} can't be converted to {layout.name}: {error}") from error
    tags.apply(planar)
    return planar


def bits_of(frame: av.VideoFrame) -> int:
    """Bits a sample of a planar frame."""
    return _known_layout(frame.format.name).bits


def plane(frame: av.VideoFrame, number: int) -> Plane:
    """View of one plane's samples ``(h, w)``; write only into frames that are your own."""
    picture = frame.planes[number]
    samples = np.frombuffer(memoryview(picture), _known_layout(frame.format.name).dtype)
    return samples.reshape(picture.height, -1)[:, : picture.width]


@dataclass(frozen=True)
class ColorTags:
    """What a film says of its colours, in the numbers of ITU-T H.273; nothing is left unspecified."""

    matrix: int
    primaries: int
    transfer: int
    full_range: bool

    def coding(self, bits: int) -> Coding:
        """These tags as arithmetic.

        Raises:
            InputError: a matrix or transfer that this cannot compute with, such as HDR's.
        """
        if self.matrix not in _MATRICES or self.transfer not in _TRANSFERS:
            kind, number = ("transfer", self.transfer) if self.matrix in _MATRICES else ("matrix", self.matrix)
            raise InputError(
                f"the film is tagged with colour {kind} {number} (ITU-T H.273), which can't be coloured; "
                "convert it to BT.709 first, for example with ffmpeg's zscale filter"
            )
        return Coding(
            matrix=_MATRICES[self.matrix],
            primaries=_PRIMARIES.get(self.primaries, "bt709"),
            transfer=_TRANSFERS[self.transfer],
            full_range=self.full_range,
            bits=bits,
        )

    def apply(self, target: av.VideoFrame | av.VideoCodecContext) -> None:
        """Write the tags onto a frame or an encoder."""
        target.colorspace = self.matrix
        target.color_primaries = self.primaries
        target.color_trc = self.transfer
        target.color_range = ColorRange.JPEG if self.full_range else ColorRange.MPEG


def _default_tags(height: int) -> ColorTags:
    """BT.709 above 576 lines; below, BT.601 in the form of 625 or of 525 lines."""
    if height > _LINES_OF_625:
        return ColorTags(1, 1, 1, full_range=False)
    system = 5 if height == _LINES_OF_625 else 6
    return ColorTags(system, system, 6, full_range=False)


def color_tags(source: av.VideoFrame | av.VideoCodecContext) -> ColorTags:
    """Tags of a frame or a decoder, with defaults for what it does not say.

    An untagged gray or "yuvj" picture is taken for full range, as FFmpeg's scaler takes it.
    """
    default = _default_tags(source.height)
    pixel_format = source.format
    assert pixel_format is not None
    name = pixel_format.name
    if source.color_range == ColorRange.UNSPECIFIED:
        full_range = name.startswith(("gray", "yuvj", "ya", "mono"))
    else:
        full_range = source.color_range == ColorRange.JPEG
    if pixel_format.is_rgb or pixel_format.has_palette:
        # Coloured by way of as_planar, which chooses the matrix and the range.
        return ColorTags(default.matrix, default.primaries, _specified(source.color_trc, 13), full_range=False)
    return ColorTags(
        matrix=_specified(source.colorspace, default.matrix),
        primaries=_specified(source.color_primaries, default.primaries),
        transfer=_specified(source.color_trc, default.transfer),
        full_range=full_range,
    )


def _specified(value: int, default: int) -> int:
    return default if value in (0, _UNSPECIFIED) else int(value)


def _change_depth(samples: Plane, source_bits: int, target: Layout) -> Plane:
    """Samples shifted to another depth, rounded where bits are lost."""
    if target.bits >= source_bits:
        return np.left_shift(samples, target.bits - source_bits, dtype=target.dtype)
    shift = source_bits - target.bits
    rounded = (samples.astype(np.uint32) + (1 << (shift - 1))) >> shift
    narrowed: Plane = np.minimum(rounded, 2**target.bits - 1).astype(target.dtype)
    return narrowed


def with_room_for_chroma(source: av.VideoFrame, layout: Layout) -> av.VideoFrame:
    """A new frame of ``layout`` with the source's luma, time and tags; its chroma planes are to be filled.

    Luma is copied sample for sample; only where ``layout`` has another depth than the source is it shifted. Where the
    layouts are the same, what else a frame can hold comes along: fields, captions, time code.
    """
    if source.format.name == layout.name:
        frame = _copied(source)
    else:
        frame = av.VideoFrame(source.width, source.height, layout.name)
        luma, bits = plane(source, 0), bits_of(source)
        plane(frame, 0)[:] = luma if bits == layout.bits else _change_depth(luma, bits, layout)
        frame.duration = source.duration
        if source.time_base is not None:
            frame.time_base = source.time_base
    frame.pts = source.pts
    color_tags(source).apply(frame)
    return frame


def _copied(frame: av.VideoFrame) -> av.VideoFrame:
    return _filtered(frame, "copy", None)


class FieldMarker:
    """Marks frames as two fields of different times; PyAV can read that mark but not set it."""

    def __init__(self, top_field_first: bool) -> None:
        self._mode = "tff" if top_field_first else "bff"

    def mark(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The same picture, marked."""
        marked = _filtered(frame, "setfield", self._mode)
        marked.pts, marked.duration = frame.pts, frame.duration
        return marked


def _filtered(frame: av.VideoFrame, name: str, arguments: str | None) -> av.VideoFrame:
    """What one of FFmpeg's filters makes of a frame."""
    time_base = frame.time_base
    thread = threading.get_ident()  # a graph serves one thread at a time
    graph = _filter_graph(thread, frame.width, frame.height, frame.format.name, name, arguments)
    graph.vpush(frame)
    filtered = graph.vpull()
    assert isinstance(filtered, av.VideoFrame)
    if time_base is not None:
        filtered.time_base = time_base
    return filtered


@lru_cache(maxsize=16)
def _filter_graph(
    thread: int,  # noqa: ARG001
    width: int,
    height: int,
    pix_fmt: str,
    name: str,
    arguments: str | None,
) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat(pix_fmt), time_base=Fraction(1, 1000))
    graph.link_nodes(source, graph.add(name, arguments), graph.add("buffersink")).configure()
    return graph


def frame_of_luma(luma: NDArray[np.uint8]) -> av.VideoFrame:
    """A gray frame, full range with the sRGB transfer, of a picture's luma ``uint8 (h, w)``."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray")
    ColorTags(matrix=6, primaries=1, transfer=13, full_range=True).apply(frame)
    return frame

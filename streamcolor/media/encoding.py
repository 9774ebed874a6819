"""How a coloured film is encoded: the encoder, its pixel format and settings, checked before any work starts."""

from __future__ import annotations

from dataclasses import dataclass

import av
import av.codec
import av.error

from ..errors import OutputError
from ..options import FilmOptions
from .containers import Container
from .pixels import Layout, nearest_planar_layout, planar_layout
from .probe import VideoInfo

#: Settings where none are given: near to visually lossless, and fast enough for 1080p on two cores.
_DEFAULT_SETTINGS = {
    "libx264": {"crf": "18", "preset": "veryfast"},
    "libx265": {"crf": "20", "preset": "fast"},
    "libvpx-vp9": {"crf": "24", "deadline": "good", "cpu-used": "5", "row-mt": "1"},
    "libsvtav1": {"crf": "26", "preset": "8"},
}


@dataclass(frozen=True)
class Encoding:
    """An encoder and all that it is told."""

    #: FFmpeg's name of the encoder.
    codec: str
    layout: Layout
    #: Options by FFmpeg's names.
    settings: dict[str, str]

    def __str__(self) -> str:
        return f"{self.codec} {self.layout.name}"


def choose_encoding(video: VideoInfo, container: Container, options: FilmOptions) -> Encoding:
    """The encoding that the options ask for, with the defaults that suit the source and the container.

    Raises:
        OutputError: no such encoder, or it does not take the pixel format, rate factor or preset.
    """
    name = options.codec or container.codec
    try:
        codec = av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError as error:
        raise OutputError(f"there is no encoder {name!r} here; 'streamcolor doctor' lists common ones") from error
    if codec.type != "video":
        raise OutputError(f"{name} encodes {codec.type}, not video; 'streamcolor doctor' lists common encoders")
    formats = [
        pixel_format.name for pixel_format in codec.video_formats or () if _fits(codec.name, pixel_format.name, video)
    ]
    if options.pix_fmt:
        layout = _asked_layout(name, options.pix_fmt, formats, video)
    else:
        layout = _best_layout(name, video.pixel_format, formats)
    return Encoding(codec.name, layout, _settings(codec, options))


def _fits(codec: str, pix_fmt: str, video: VideoInfo) -> bool:
    """Whether an encoder takes a format at the film's size: x264 and x265 want whole chroma samples."""
    pixel_format = av.VideoFormat(pix_fmt, video.width, video.height)
    halves = (video.width % 2 and pixel_format.chroma_width() < video.width) or (
        video.height % 2 and pixel_format.chroma_height() < video.height
    )
    return not (halves and codec in ("libx264", "libx265"))


def _asked_layout(codec: str, pix_fmt: str, formats: list[str], video: VideoInfo) -> Layout:
    layout = planar_layout(pix_fmt)
    usable = [name for name in formats if _holds_colour(name)]
    if layout is None or pix_fmt not in usable:
        raise OutputError(
            f"{codec} does not encode {pix_fmt!r} in colour at {video.width}x{video.height}; "
            f"choose one of {', '.join(usable)}"
        )
    return layout


def _holds_colour(name: str) -> bool:
    layout = planar_layout(name)
    return layout is not None and not layout.is_gray


def _best_layout(codec: str, source_format: str, formats: list[str]) -> Layout:
    """The source's own sampling and depth where the encoder takes them, else the nearest; gray becomes 4:2:0."""
    source = nearest_planar_layout(source_format)
    sampling = "420" if source.is_gray else source.name.removeprefix("yuvj").removeprefix("yuv")[:3]
    depth = "" if source.bits == 8 else f"{source.bits}le"
    wishes = [f"yuv{chroma}p{bits}" for bits in (depth, "10le", "") for chroma in (sampling, "420", "422", "444")]
    for wish in wishes:
        layout = planar_layout(wish)
        if layout is not None and wish in formats:
            return layout
    raise OutputError(
        f"{codec} takes no planar YUV, only {', '.join(formats) or 'nothing known'}; choose another --codec"
    )


def _settings(codec: av.codec.Codec, options: FilmOptions) -> dict[str, str]:
    settings = dict(_DEFAULT_SETTINGS.get(codec.name, {}))
    own = {option.name for option in av.codec.CodecContext.create(codec.name, "w").supported_options.private}
    for name, value in (("crf", options.crf), ("preset", options.preset)):
        if value is None:
            continue
        if name not in own:
            raise OutputError(f"{codec.name} has no {name}; leave --{name} out or choose another --codec")
        settings[name] = str(value)
    return settings

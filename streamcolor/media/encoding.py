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

#: Encoders by what a film is for; None stands for the container's own, which its players expect.
_PURPOSES: dict[str, str | None] = {"delivery": None, "editing": "prores_ks", "archive": "ffv1"}

#: Settings where none are given: near to visually lossless, and fast enough for 1080p on two cores.
_DEFAULT_SETTINGS = {
    "libx264": {"crf": "18", "preset": "veryfast"},
    "libx265": {"crf": "20", "preset": "fast"},
    "libvpx-vp9": {"crf": "24", "deadline": "good", "cpu-used": "5", "row-mt": "1"},
    "libsvtav1": {"crf": "26", "preset": "8"},
    "h264_nvenc": {"preset": "p5", "rc": "vbr", "cq": "19", "b": "0"},
    "hevc_nvenc": {"preset": "p5", "rc": "vbr", "cq": "21", "b": "0"},
    "prores_ks": {"profile": "hq", "vendor": "apl0"},
    # Version 3 with a checksum in every slice: each frame stands alone, and damage is found and stays small.
    "ffv1": {"level": "3", "slices": "16", "slicecrc": "1", "g": "1"},
}
#: Encoders whose streams say that a frame is two fields.
_WITH_FIELDS = frozenset({"libx264", "ffv1", "prores_ks", "mpeg2video", "rawvideo", "h264_nvenc"})
#: Encoders whose streams say how wide a pixel is, and are heard.
_WITH_SHAPE = frozenset({"libx264", "libx265", "mpeg2video", "mpeg4", "rawvideo", "h264_nvenc", "hevc_nvenc"})
#: What an encoder is told where a frame must leave as soon as it has come.
_LOW_LATENCY = {
    "libx264": {"tune": "zerolatency"},
    "libx265": {"tune": "zerolatency"},
    "libvpx-vp9": {"deadline": "realtime", "lag-in-frames": "0"},
    "h264_nvenc": {"tune": "ull", "zerolatency": "1", "delay": "0"},
    "hevc_nvenc": {"tune": "ull", "zerolatency": "1", "delay": "0"},
}


@dataclass(frozen=True)
class Encoding:
    """An encoder and all that it is told."""

    #: FFmpeg's name of the encoder.
    codec: str
    layout: Layout
    #: Options by FFmpeg's names.
    settings: dict[str, str]
    #: How the encoder's threads share the work: "AUTO", or "SLICE", with which no frame waits for another.
    threads: str = "AUTO"
    #: Whether the file is decoded when it is complete, and compared with what was meant.
    verified: bool = False

    @property
    def marks_fields(self) -> bool:
        """Whether its streams say that frames are interlaced."""
        return self.codec in _WITH_FIELDS

    @property
    def marks_shape(self) -> bool:
        """Whether its streams say how wide a pixel is."""
        return self.codec in _WITH_SHAPE

    def __str__(self) -> str:
        return f"{self.codec} {self.layout.name}"


def choose_encoding(video: VideoInfo, container: Container, options: FilmOptions) -> Encoding:
    """The encoding that the options ask for, with the defaults that suit the source and the container.

    Raises:
        OutputError: no such encoder, or it does not take the pixel format, rate factor or preset.
    """
    purpose = options.codec if options.codec in _PURPOSES else None
    name = (options.codec if purpose is None else _PURPOSES[purpose]) or container.codec
    try:
        codec = av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError as error:
        raise OutputError(f"there is no encoder {name!r} here; 'streamcolor doctor' lists common ones") from error
    if codec.type != "video":
        raise OutputError(f"{name} encodes {codec.type}, not video; 'streamcolor doctor' lists common encoders")
    if not container.holds_codec(codec.name):
        raise OutputError(
            f"{container.muxer} does not hold {name}; choose another --codec or a container, such as .mkv"
        )
    known = [pixel_format.name for pixel_format in codec.video_formats or ()] or _RAW_FORMATS
    formats = [pix_fmt for pix_fmt in known if _fits(codec.name, pix_fmt, video)]
    if options.pix_fmt and options.input_format != "rawvideo":
        layout = _asked_layout(name, options.pix_fmt, formats, video)
    else:
        layout = _best_layout(name, video.pixel_format, formats)
    return Encoding(
        codec.name,
        layout,
        _settings(codec, layout, video, options),
        threads="SLICE" if options.low_latency else "AUTO",
        verified=purpose == "archive",
    )


#: Samples a side below which FFV1 can't be cut into many slices.
_SMALLEST_FOR_SLICES = 64
#: Bits a sample.
_DEPTHS = (8, 9, 10, 12, 14, 16)
#: What the encoder of raw video takes, as far as YUV4MPEG2 holds it.
_RAW_FORMATS = [f"yuv{sampling}p{bits}" for sampling in ("420", "422", "444") for bits in ("", "10le", "12le", "16le")]


def _fits(codec: str, pix_fmt: str, video: VideoInfo) -> bool:
    """Whether an encoder takes a format at the film's size: x264 and x265 want whole chroma samples, in each field."""
    if codec not in ("libx264", "libx265"):
        return True
    pixel_format = av.VideoFormat(pix_fmt, video.width, video.height)
    fields = 2 if video.is_interlaced and codec == "libx264" else 1
    columns = 2 if pixel_format.chroma_width() < video.width else 1
    rows = (2 if pixel_format.chroma_height() < video.height else 1) * fields
    return video.width % columns == 0 and video.height % rows == 0


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
    deeper = [bits for bits in _DEPTHS if bits >= source.bits]
    depths = [*deeper, *(bits for bits in reversed(_DEPTHS) if bits < source.bits)]
    samplings = (sampling, "420", "422", "444")
    wishes = [f"yuv{chroma}p{'' if bits == 8 else f'{bits}le'}" for bits in depths for chroma in samplings]
    for wish in wishes:
        layout = planar_layout(wish)
        if layout is not None and wish in formats:
            return layout
    raise OutputError(
        f"{codec} takes no planar YUV, only {', '.join(formats) or 'nothing known'}; choose another --codec"
    )


def _settings(codec: av.codec.Codec, layout: Layout, video: VideoInfo, options: FilmOptions) -> dict[str, str]:
    settings = dict(_DEFAULT_SETTINGS.get(codec.name, {}))
    if codec.name == "dnxhd":
        settings["profile"] = _dnxhr_profile(layout)
    if min(video.width, video.height) < _SMALLEST_FOR_SLICES:
        settings.pop("slices", None)
    if options.low_latency:
        settings |= _LOW_LATENCY.get(codec.name, {})
    own = {option.name for option in av.codec.CodecContext.create(codec.name, "w").supported_options.private}
    for name, value in (("crf", options.crf), ("preset", options.preset)):
        if value is None:
            continue
        if name not in own:
            raise OutputError(f"{codec.name} has no {name}; leave --{name} out or choose another --codec")
        settings[name] = str(value)
    return settings


def _dnxhr_profile(layout: Layout) -> str:
    if layout.name.startswith("yuv444"):
        return "dnxhr_444"
    return "dnxhr_hq" if layout.bits == 8 else "dnxhr_hqx"

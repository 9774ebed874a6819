"""Every option once: name, type, default, range and help, for library, command line and plugins."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .errors import OptionError


def _option(default: Any, description: str, *, low: float | None = None, high: float | None = None) -> Any:
    return dataclasses.field(default=default, metadata={"help": description, "low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class ColorOptions:
    """How frames are coloured.

    Raises:
        OptionError: a number is outside its range.
    """

    engine: str = _option("auto", "What runs the model; 'streamcolor doctor' lists the engines found here.")
    gpu: str = _option("0", "Numbers of the GPUs that an engine on GPUs uses, such as 0 or 0,1.")
    model: str | None = _option(None, "Path of a model's .onnx file instead of the one that ships.")
    batch_size: int = _option(4, "Frames that go through the model together.", low=1, high=64)
    saturation: float = _option(1.0, "Strength of the colours; 0 is gray, 1 as the model gives them.", low=0, high=3)
    stabilize: float = _option(
        0.95,
        "How firmly colours hold still over a shot, and return with it; 0 leaves each frame to itself.",
        low=0,
        high=1,
    )
    low_latency: bool = _option(
        False,
        "Pass each frame on as soon as it has come; colours are taken over from the frame before where time lacks.",
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, low, high = getattr(self, field.name), field.metadata["low"], field.metadata["high"]
            if value is None:
                continue
            if (low is not None and not value >= low) or (high is not None and not value <= high):
                limits = f"at least {low}" if high is None else f"from {low} to {high}"
                raise OptionError(f"{field.name.replace('_', '-')} is {value}, but must be {limits}")
        if not self.gpus or len(set(self.gpus)) < len(self.gpus):
            raise OptionError(f"gpu is {self.gpu!r}, but must be numbers of different GPUs, such as 0 or 0,1")

    @property
    def gpus(self) -> tuple[int, ...]:
        """The numbers in ``gpu``; none where it holds something else."""
        parts = self.gpu.split(",")
        return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()


@dataclass(frozen=True, kw_only=True)
class FilmOptions(ColorOptions):
    """How a film is coloured and encoded.

    Raises:
        OptionError: a number is outside its range.
    """

    codec: str | None = _option(
        None,
        "FFmpeg's name of the video encoder, or what the film is for: delivery (the default: what the container's "
        "players expect), editing (ProRes 422 HQ) or archive (FFV1, decoded and compared when it is done).",
    )
    crf: int | None = _option(None, "Constant rate factor of the encoder; lower is better and larger.", low=0, high=63)
    preset: str | None = _option(None, "The encoder's speed preset.")
    pix_fmt: str | None = _option(
        None,
        "Pixel format of the output, planar YUV; of the input, where that is raw video. Default: the source's nearest.",
    )
    start: Fraction = _option(Fraction(0), "Begin here, in seconds or [HH:]MM:SS[.m].", low=0)
    duration: Fraction | None = _option(None, "Stop after this long, in seconds or [HH:]MM:SS[.m].", low=0)
    overwrite: bool = _option(False, "Replace the output if it exists.")
    output_format: str | None = _option(
        None, "FFmpeg's name of the output's container. Default: by the output's suffix; matroska for a pipe."
    )
    strict: bool = _option(False, "Fail where the output can't hold everything that the input holds.")
    input_format: str | None = _option(None, "FFmpeg's name of the input's container. Default: found out.")
    size: str | None = _option(None, "Size of raw video, as WIDTHxHEIGHT.")
    rate: str | None = _option(None, "Frames a second of raw video, such as 25 or 24000/1001.")
    hwaccel: str | None = _option(
        None, "Decode on this kind of hardware, such as cuda (NVDEC), with the processor where it can't."
    )
    allow_network: bool = _option(False, "Read tcp:, udp:, rtp:, rtsp:, http: and https: addresses.")

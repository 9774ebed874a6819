"""What this machine has for colouring films."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator
from pathlib import Path

import av
import av.codec
from av.codec.hwaccel import hwdevices_available

from .engines import AUTO, engines_here, open_engine
from .engines.threads import usable_cores

_ENCODERS = (
    "libx264", "libx265", "libsvtav1", "libvpx-vp9", "ffv1", "prores_ks", "dnxhd", "h264_nvenc", "hevc_nvenc",
)  # fmt: skip


def examine() -> Iterator[tuple[str, str]]:
    """Names and findings, in the order in which to show them."""
    yield "streamcolor", importlib.metadata.version("streamcolor")
    yield "Python", platform.python_version()
    yield "system", f"{platform.system()} {platform.release()}"
    yield "processor", f"{processor()}, {usable_cores()} cores usable"
    for package in ("av", "numpy", "opencv-python-headless", "onnxruntime"):
        yield package, importlib.metadata.version(package)
    yield "FFmpeg's libavcodec", ".".join(map(str, av.library_versions["libavcodec"]))
    for info in engines_here():
        missing = f"not installed; pip install 'streamcolor[{info.extra}]'"
        yield f"engine {info.name}", info.version or missing
    findings: list[str] = []
    with open_engine(AUTO, announce=findings.append) as engine:
        yield from (("note", finding) for finding in findings)
        yield "engine auto", engine.description
        yield "model", f"{engine.spec.name} {engine.spec.version}, short side {engine.spec.short_side} pixels"
        yield "model's licence", engine.spec.licence
    yield "hardware decoders of FFmpeg's", ", ".join(hwdevices_available()) or "none"
    yield "encoders", ", ".join(name for name in _ENCODERS if _has_encoder(name))


def processor() -> str:
    """The processor's name, which benchmarks give beside their figures."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _has_encoder(name: str) -> bool:
    try:
        return bool(av.codec.Codec(name, "w").is_encoder)
    except av.codec.codec.UnknownCodecError:
        return False

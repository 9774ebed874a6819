"""Peak memory of a job, for a short film and for a long one of the same picture: it must not grow.

python tests/benchmarks/memory.py [--minutes 10] [--engine NAME]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import click
from efficiency import RATE, SIZES, make_film

from streamcolor.doctor import processor

LOOP_FRAMES = 120


def lengthen(source: Path, target: Path, minutes: float) -> None:
    """Repeat a film's packets until it lasts ``minutes``."""
    loops = max(1, round(minutes * 60 * RATE / LOOP_FRAMES))
    with av.open(str(target), "w") as long:
        copy = None
        for loop in range(loops):
            with av.open(str(source)) as short:
                stream = short.streams.video[0]
                copy = copy or long.add_stream_from_template(stream)
                shift = round(loop * LOOP_FRAMES / RATE / stream.time_base)
                for packet in short.demux(stream):
                    if packet.size:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = copy
                        long.mux(packet)


def peak_mebibytes(source: Path, engine: str) -> tuple[float, dict[str, object]]:
    """Peak resident memory of the command line, and its report."""
    command = [sys.executable, "-m", "streamcolor", "colorize", source, "--engine", engine, "--json", "--overwrite"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as job:
        assert job.stdout is not None
        report = json.loads(job.stdout.read())
        _, status, usage = os.wait4(job.pid, 0)
        job.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024, report


@click.command()
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--engine", default="onnxruntime", show_default=True)
def main(minutes: float, engine: str) -> None:
    """Measure 1080p film of a twentieth of the length, and of the whole."""
    with tempfile.TemporaryDirectory() as folder:
        loop = Path(folder, "loop.mp4")
        make_film(loop, SIZES["1080p"], LOOP_FRAMES)
        for length in (minutes / 20, minutes):
            film = Path(folder, "film.mp4")
            lengthen(loop, film, length)
            peak, report = peak_mebibytes(film, engine)
            print(f"{length:g} minutes of 1080p ({report['frames']} frames): peak {peak:.0f} MiB, {report['engine']}")
    print(f"on {processor()}")


if __name__ == "__main__":
    main()

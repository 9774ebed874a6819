"""How long a frame takes through ``streamcolor colorize - -o - --low-latency``, fed as fast as it is shown.

Gives the delay from a frame's having been written to the command's standard input, as YUV4MPEG2, to its packet's
having been read from its standard output, as NUT; and how many frames took over the colours of the one before.

    python tests/benchmarks/latency.py [--engine NAME] [--size 854x480] [--rate 25] [--seconds 20]
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import av
import click
import cv2
import numpy as np
from skimage import data

from streamcolor.doctor import processor


def pictures(width: int, height: int, count: int) -> list[bytes]:
    """Frames of a slow pan over a photograph with grain, in 4:2:0, as YUV4MPEG2 has them."""
    rng = np.random.default_rng(0)
    gray = cv2.cvtColor(cv2.resize(data.coffee(), (width + count, height + count)), cv2.COLOR_RGB2GRAY)
    frames = []
    for shift in range(count):
        luma = gray[shift : shift + height, shift : shift + width] + rng.normal(0, 4, (height, width))
        chroma = np.full(((height + 1) // 2) * ((width + 1) // 2) * 2, 128, np.uint8)
        frames.append(b"FRAME\n" + np.clip(luma, 16, 235).astype(np.uint8).tobytes() + chroma.tobytes())
    return frames


@click.command(help=__doc__)
@click.option("--engine", default="auto", show_default=True)
@click.option("--size", default="854x480", show_default=True)
@click.option("--rate", default=25, show_default=True)
@click.option("--seconds", default=20, show_default=True)
def main(engine: str, size: str, rate: int, seconds: int) -> None:
    """Measure, and print JSON."""
    width, height = map(int, size.split("x"))
    frames = pictures(width, height, 2 * rate)
    command = [sys.executable, "-m", "streamcolor", "colorize", "-", "-o", "-", "--low-latency", "--json"]
    command += ["--output-format", "nut", "--engine", engine]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd="/") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        sent: list[float] = []

        def feed(stdin: object = process.stdin) -> None:
            stdin.write(f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode())  # type: ignore[attr-defined]
            # The command starts, loads its model, and probes its input with the first frame.
            stdin.write(frames[0])  # type: ignore[attr-defined]
            stdin.flush()  # type: ignore[attr-defined]
            sent.append(time.perf_counter())
            time.sleep(5)
            begin = time.perf_counter()
            for number in range(1, rate * seconds):
                time.sleep(max(0, begin + number / rate - time.perf_counter()))
                sent.append(time.perf_counter())
                stdin.write(frames[number % len(frames)])  # type: ignore[attr-defined]
                stdin.flush()  # type: ignore[attr-defined]
            stdin.close()  # type: ignore[attr-defined]

        feeder = threading.Thread(target=feed)
        feeder.start()
        with av.open(process.stdout, buffer_size=4096) as film:
            delays = []
            for packet in film.demux(film.streams.video[0]):
                if packet.size:
                    assert packet.pts is not None
                    delays.append(time.perf_counter() - sent[round(packet.pts * packet.time_base * rate)])
        feeder.join()
        report = json.loads(process.stderr.read())
    shown = np.array(delays[rate:]) * 1000
    print(
        json.dumps(
            {
                "processor": processor(),
                "engine": report["engine"],
                "film": f"{size}, {rate} frames/s, {seconds} s",
                "frames": len(delays),
                "delay_ms": {
                    "median": round(float(np.median(shown)), 1),
                    "99th percentile": round(float(np.percentile(shown, 99)), 1),
                    "longest": round(float(shown.max()), 1),
                },
                "colours_reused": report["colours_reused"],
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()

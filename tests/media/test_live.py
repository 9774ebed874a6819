"""Low latency: frames leave as they come, and colours are taken over where the machine is too slow."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import streamcolor
from streamcolor.engines import Engine, Ticket

from films import STREAMCOLOR, Film, decoded, luma_of, moving_luma, times
from films import streamcolor as command

RATE = 25


def frames(lumas: list[np.ndarray], *, live: bool, rate: int = RATE) -> Iterator[av.VideoFrame]:
    """Gray frames; live, as fast as they are shown."""
    begin = time.monotonic()
    for number, luma in enumerate(lumas):
        if live:
            time.sleep(max(0.0, begin + number / rate - time.monotonic()))
        frame = av.VideoFrame.from_ndarray(luma, format="gray")
        frame.pts, frame.time_base = number, Fraction(1, rate)
        yield frame


class _SlowEngine:
    """The real engine on a machine that is too slow for it."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._engine, self._seconds = engine, seconds
        self.calls = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)

    def submit(self, luma: np.ndarray) -> Ticket:
        self.calls += 1
        time.sleep(self._seconds)
        return self._engine.submit(luma)


@pytest.fixture
def colorizer() -> Iterator[streamcolor.Colorizer]:
    with streamcolor.Colorizer(streamcolor.ColorOptions(engine="onnxruntime", low_latency=True)) as colorizer:
        yield colorizer


def test_a_slow_machine_takes_colours_over_and_drops_nothing(colorizer: streamcolor.Colorizer) -> None:
    slow = _SlowEngine(colorizer.engine, 4 / RATE)
    colorizer.engine = slow  # type: ignore[assignment]
    lumas = moving_luma(75, (96, 64))
    shown = list(colorizer.colorize_frames(frames(lumas, live=True)))
    assert [frame.pts for frame in shown] == list(range(75))
    for before, after in zip(lumas, shown, strict=True):
        np.testing.assert_array_equal(before, luma_of(after))
    assert colorizer.colours_reused == 75 - slow.calls
    assert colorizer.colours_reused > 30
    assert colorizer.delays.frames == 75
    without = 75 * 4 / RATE - 75 / RATE
    assert colorizer.delays.longest < without / 2


def test_a_film_that_comes_faster_than_it_is_shown_gets_all_its_colours(colorizer: streamcolor.Colorizer) -> None:
    slow = _SlowEngine(colorizer.engine, 0.03)
    colorizer.engine = slow  # type: ignore[assignment]
    shown = list(colorizer.colorize_frames(frames(moving_luma(30, (96, 64)), live=False, rate=1)))
    assert len(shown) == slow.calls == 30
    assert colorizer.colours_reused == 0


def test_each_frame_leaves_before_the_next_one_comes(colorizer: streamcolor.Colorizer) -> None:
    gone = 0

    def waiting() -> Iterator[av.VideoFrame]:
        for number, frame in enumerate(frames(moving_luma(10, (96, 64)), live=False)):
            deadline = time.monotonic() + 30
            while gone < number and time.monotonic() < deadline:
                time.sleep(0.001)
            assert gone == number
            yield frame

    for _ in colorizer.colorize_frames(waiting()):
        gone += 1
    assert gone == 10


def test_the_report_says_how_long_frames_took(tmp_path: Path) -> None:
    source = Film(pts=range(25)).write(tmp_path / "film.mkv")
    done = command("colorize", source, "--low-latency", "--json", "--engine", "onnxruntime")
    report = json.loads(done.stdout)
    assert report["frames"] == 25
    assert 0 < report["mean_delay"] <= report["longest_delay"] < 10
    assert report["colours_reused"] == 0
    assert times(tmp_path / "film.color.mkv") == times(source)
    with av.open(str(tmp_path / "film.color.mkv")) as file:
        kinds = {frame.pict_type for frame in file.decode(video=0)}
    assert av.video.frame.PictureType.B not in kinds
    assert len(decoded(source)) == 25


def test_two_hours_take_no_more_memory_than_ten_minutes() -> None:
    """A stream of generated frames, two a second, through pipes at both ends; compared in one run."""
    peaks = []
    for minutes in (10, 120):
        made = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s=32x32:r=2:d={60 * minutes}"]
        made += ["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"]
        coloured = [STREAMCOLOR, "colorize", "-", "-o", "-", "--json"]
        coloured += ["--codec", "ffv1", "--engine", "onnxruntime"]
        with (
            subprocess.Popen(made, stdout=subprocess.PIPE) as source,
            subprocess.Popen(
                coloured, stdin=source.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            ) as process,
        ):
            assert process.stderr is not None
            report = json.loads(process.stderr.read())
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert report["frames"] == 120 * minutes
        peaks.append(usage.ru_maxrss)
    assert peaks[1] < 1.1 * peaks[0]

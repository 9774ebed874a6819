"""The command line between other programs: standard input, standard output, and what must not be on it."""

from __future__ import annotations

import io
import itertools
import os
import signal
import subprocess
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import strangers

import streamcolor

from films import STREAMCOLOR, Film, Sound, decoded, luma_of, moving_luma, packets, times

COMMAND = [STREAMCOLOR, "colorize", "-", "-o", "-", "--engine", "onnxruntime"]


def through(content: bytes, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """What the command makes of bytes on its standard input."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], input=content, capture_output=True, check=False, timeout=120
    )


def y4m(lumas: list[np.ndarray], header: str = "YUV4MPEG2 W{w} H{h} F25:1 Ip A1:1 C420jpeg") -> bytes:
    """YUV4MPEG2, written by its description and not by the project's library."""
    height, width = lumas[0].shape
    chroma = bytes([128]) * (((width + 1) // 2) * ((height + 1) // 2) * 2)
    frames = b"".join(b"FRAME\n" + luma.tobytes() + chroma for luma in lumas)
    return header.format(w=width, h=height).encode() + b"\n" + frames


def read_y4m(content: bytes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Luma and all chroma of each frame of 4:2:0 YUV4MPEG2."""
    header, _, rest = content.partition(b"\n")
    fields = {part[:1]: part[1:] for part in header.split()[1:]}
    width, height = int(fields[b"W"]), int(fields[b"H"])
    chroma = ((width + 1) // 2) * ((height + 1) // 2) * 2
    frames = []
    while rest:
        line, _, rest = rest.partition(b"\n")
        assert line.startswith(b"FRAME")
        samples = np.frombuffer(rest[: width * height + chroma], np.uint8)
        assert samples.size == width * height + chroma
        frames.append((samples[: width * height].reshape(height, width), samples[width * height :]))
        rest = rest[width * height + chroma :]
    return frames


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Film(pts=range(60), sounds=[Sound(), Sound(codec="mp2")], settings={"bf": "2"}).write(
        tmp_path_factory.mktemp("pipes") / "film.mkv"
    )


def test_yuv4mpeg2_in_and_out_has_the_same_luma_and_new_chroma() -> None:
    lumas = moving_luma(9, (96, 64))
    done = through(y4m(lumas), "--output-format", "yuv4mpegpipe")
    assert done.returncode == 0, done.stderr
    frames = read_y4m(done.stdout)
    assert len(frames) == 9
    for before, (after, chroma) in zip(lumas, frames, strict=True):
        np.testing.assert_array_equal(before, after)
        assert chroma.std() > 1
    assert done.stdout.startswith(b"YUV4MPEG2 W96 H64 F25:1 Ip A1:1 C420jpeg")


def test_a_yuv4mpeg2_file_has_rate_and_shape(tmp_path: Path) -> None:
    source = Film(pts=range(3), rate=Fraction(24000, 1001), pixel_aspect=Fraction(16, 15)).write(tmp_path / "film.mkv")
    output = streamcolor.colorize(source, tmp_path / "out.y4m", engine="onnxruntime").output
    assert output.read_bytes().split(b"\n")[0].split()[3:6] == [b"F24000:1001", b"Ip", b"A16:15"]


@pytest.mark.parametrize("field", ["t", "b"])
def test_interlaced_yuv4mpeg2_stays_interlaced(field: str) -> None:
    content = y4m(moving_luma(3, (96, 64)), "YUV4MPEG2 W{w} H{h} F25:1 I" + field + " A16:15 C420mpeg2")
    done = through(content, "--output-format", "yuv4mpegpipe")
    assert done.stdout.split(b"\n")[0].split()[4:6] == [f"I{field}".encode(), b"A16:15"]


def test_raw_video_in_and_out(tmp_path: Path) -> None:
    lumas = moving_luma(5, (96, 64), 10)
    chroma = np.full((64, 96), 512, np.uint16)  # two planes of half the width
    raw = b"".join(luma.tobytes() + chroma.tobytes() for luma in lumas)
    described = ["--input-format", "rawvideo", "--size", "96x64", "--rate", "24000/1001", "--pix-fmt", "yuv422p10le"]
    done = through(raw, *described, "--output-format", "rawvideo")
    assert done.returncode == 0, done.stderr
    frames = np.frombuffer(done.stdout, np.uint16).reshape(5, 2 * 64, 96)
    for before, after in zip(lumas, frames, strict=True):
        np.testing.assert_array_equal(before, after[:64])
        assert after[64:].std() > 4
    (tmp_path / "film.mkv").write_bytes(through(raw, *described).stdout)
    seconds, _ = strangers.frame_times(tmp_path / "film.mkv")
    assert [float(time) for time in seconds] == pytest.approx([n * 1001 / 24000 for n in range(5)], abs=5.1e-4)


@pytest.mark.parametrize("form", ["matroska", "nut", "mpegts", "mp4"])
def test_sound_rides_along(tmp_path: Path, film: Path, form: str) -> None:
    done = through(film.read_bytes(), "--output-format", form, "--codec", "libx264")
    assert done.returncode == 0, done.stderr
    output = tmp_path / f"out.{form}"
    output.write_bytes(done.stdout)
    assert len(decoded(output)) == 60
    shift = times(output)[0] - times(film)[0]
    expected = [float(time + shift) for time in times(film)]
    assert [float(time) for time in times(output)] == pytest.approx(expected, abs=5.1e-4)
    assert (b"0.021 s later" in done.stderr) == (shift > 0) == (form in ("nut", "mpegts"))
    sound = packets(output, 0)[0].time - packets(film, 0)[0].time
    assert float(sound) == pytest.approx(float(shift), abs=5.1e-4)
    for track in (0, 1):
        before, after = ([packet.payload for packet in packets(path, track)] for path in (film, output))
        if form == "mpegts" and track == 0:  # there, each AAC packet has an ADTS header of 7 bytes
            after = [payload[7:] for payload in after]
        assert before == after
        assert len(before) > 90
    assert len(strangers.streams(output, "audio")) == 2


def test_matroska_is_the_default_and_nothing_else_is_on_standard_output(film: Path) -> None:
    done = through(film.read_bytes(), "--codec", "ffv1", "--json")
    with av.open(io.BytesIO(done.stdout)) as file:
        assert file.format.name == "matroska,webm"
        frames = list(file.decode(video=0))
    for before, after in zip(decoded(film), frames, strict=True):
        np.testing.assert_array_equal(luma_of(before), luma_of(after))
    assert b'"output": null' in done.stderr
    assert b"streamcolor-lite0" not in done.stdout  # what --json says


def test_the_first_frames_leave_before_the_last_ones_come() -> None:
    lumas = moving_luma(60, (96, 64))
    content = y4m(lumas)
    frame = len(y4m(lumas[:2])) - len(y4m(lumas[:1]))
    half = len(content) - 20 * frame
    with subprocess.Popen(
        [*COMMAND, "--output-format", "yuv4mpegpipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(content[:half])
        process.stdin.flush()
        early = process.stdout.read(10 * frame)  # hangs, and fails by time, where it waits for the end
        process.stdin.write(content[half:])
        process.stdin.close()
        late = process.stdout.read()
    assert len(read_y4m(early + late)) == 60


def test_a_closed_pipe_is_no_news() -> None:
    with subprocess.Popen([*COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        feeder = threading.Thread(target=_feed, args=(process.stdin, y4m(moving_luma(50, (96, 64))), 40))
        feeder.start()
        process.stdout.read(1000)
        process.stdout.close()
        assert process.wait(60) == 141
        feeder.join()
        assert process.stderr.read() == b""


def _feed(pipe: io.BufferedIOBase, content: bytes, times: int) -> None:
    """Write a film's frames again and again; the reader may go away meanwhile."""
    header, _, frames = content.partition(b"\n")
    try:
        pipe.write(header + b"\n")
        for _ in range(times):
            pipe.write(frames)
        pipe.close()
    except BrokenPipeError:
        pass


def test_an_interrupt_ends_it_while_it_waits_for_input() -> None:
    with subprocess.Popen([*COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(y4m(moving_luma(30, (96, 64))))
        process.stdin.flush()
        assert process.stdout.read(100)  # at work, and then waiting
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        _, said = process.communicate(timeout=60)
        assert time.monotonic() - begin < 30
        assert process.returncode == 130
        assert said.count(b"\n") == 1


def test_an_interrupt_ends_it_before_anything_came() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"YUV4MPEG2 W96")
        process.stdin.flush()
        time.sleep(3)  # started, and waiting, by now
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.count(b"\n") == 1


def test_an_interrupt_ends_it_while_nobody_reads() -> None:
    with subprocess.Popen(
        [*COMMAND, "--output-format", "yuv4mpegpipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        feeder = threading.Thread(target=_feed, args=(process.stdin, y4m(moving_luma(30, (320, 240))), 10))
        feeder.start()
        process.stdout.read(100)
        time.sleep(3)  # the pipe is full by now
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        process.stdout.close()
        feeder.join()


@pytest.mark.parametrize(
    ("content", "arguments", "code", "says"),
    [
        (b"", [], 3, "standard input is not a film"),
        (b"no film at all\n" * 1000, [], 3, "standard input is not a film"),
        (b"YUV4MPEG2 W96 H6", [], 3, "standard input is not a film"),
        (b"YUV4MPEG2 W96 H64 F25:1\nFRA", [], 3, "no frame"),
        (b"YUV4MPEG2 W999999999 H64 F25:1\nFRAME\n", [], 3, "standard input is not a film"),
        (b"\x80" * 1000, ["--input-format", "rawvideo"], 2, "add --size, --rate, --pix-fmt"),
        (b"\x80" * 1000, ["--size", "96x64"], 2, "--input-format rawvideo"),
        (b"", ["--input-format", "nonsense"], 2, "no input format"),
        (b"", ["--output-format", "nonsense"], 4, "no output format"),
    ],
)
def test_what_is_no_film_on_standard_input_gets_one_line(
    content: bytes, arguments: list[str], code: int, says: str
) -> None:
    done = through(content, *arguments)
    assert done.returncode == code, done.stderr
    assert done.stderr.count(b"\n") == 1
    assert says in done.stderr.decode()
    assert done.stdout == b"" or code == 3


@pytest.mark.parametrize(
    ("described", "code", "says"),
    [
        ({"size": "640x480"}, 3, "no frame could be decoded; is it 640x480 gray?"),
        ({"size": "96x63"}, 0, "is it 96x63 gray?"),
        ({"size": "0x64"}, 2, "WIDTHxHEIGHT"),
        ({"size": "big"}, 2, "WIDTHxHEIGHT"),
        ({"rate": "0"}, 2, "no rate"),
        ({"rate": "fast"}, 2, "no rate"),
        ({"pix-fmt": "nonsense"}, 2, "no pixel format"),
    ],
)
def test_wrong_raw_geometry_is_said(described: dict[str, str], code: int, says: str) -> None:
    raw = b"".join(luma.tobytes() for luma in moving_luma(5, (96, 64)))
    right = {"size": "96x64", "rate": "25", "pix-fmt": "gray"} | described
    given = itertools.chain.from_iterable((f"--{name}", value) for name, value in right.items())
    done = through(raw, "--input-format", "rawvideo", *given)
    assert done.returncode == code, done.stderr
    assert says in done.stderr.decode()


def test_a_film_for_a_terminal_is_refused(film: Path) -> None:
    leader, follower = os.openpty()
    done = subprocess.run(COMMAND, stdin=film.open("rb"), stdout=follower, stderr=subprocess.PIPE, check=False)
    os.close(follower)
    os.close(leader)
    assert done.returncode == 4
    assert b"terminal" in done.stderr


def test_an_archive_through_a_pipe_is_refused_with_a_way_out(film: Path) -> None:
    done = through(film.read_bytes(), "--codec", "archive")
    assert done.returncode == 4
    assert b"--codec ffv1" in done.stderr


def test_a_pipe_needs_an_output(film: Path) -> None:
    done = subprocess.run(COMMAND[:3], input=film.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 2
    assert b"-o -" in done.stderr


def test_mpv_plays_what_comes_out(film: Path) -> None:
    coloured = through(film.read_bytes()).stdout
    played = subprocess.run(
        ["mpv", "--no-config", "--vo=null", "--ao=null", "--untimed", "--msg-level=all=warn", "-"],
        input=coloured,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert played.returncode == 0, played.stdout
    assert played.stdout == b""  # no warning

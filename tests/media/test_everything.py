"""What the table of containers does not show: purposes, encoders, captions, fields, and films that make trouble."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import strangers

import streamcolor
from streamcolor import InputError, OutputError
from streamcolor.media.pixels import FieldMarker
from streamcolor.media.timing import FrameClock, Timeline
from streamcolor.media.verify import FrameDigests

from films import Film, Sound, decoded, luma_of, moving_luma
from films import streamcolor as command

ENGINE = {"engine": "onnxruntime"}


@pytest.mark.parametrize(
    ("codec", "suffix", "pix_fmt", "expected"),
    [
        ("delivery", ".mp4", "yuv420p", {"codec_name": "h264", "pix_fmt": "yuv420p"}),
        ("delivery", ".webm", "yuv420p", {"codec_name": "vp9", "pix_fmt": "yuv420p"}),
        ("editing", ".mov", "yuv420p", {"codec_name": "prores", "profile": "HQ", "pix_fmt": "yuv422p10le"}),
        ("archive", ".mkv", "yuv422p10le", {"codec_name": "ffv1", "pix_fmt": "yuv422p10le"}),
        ("dnxhd", ".mov", "yuv422p", {"codec_name": "dnxhd", "profile": "DNXHR HQ", "pix_fmt": "yuv422p"}),
        ("dnxhd", ".mov", "yuv422p10le", {"codec_name": "dnxhd", "profile": "DNXHR HQX", "pix_fmt": "yuv422p10le"}),
        ("libx265", ".mkv", "yuv420p12le", {"codec_name": "hevc", "pix_fmt": "yuv420p12le"}),
        ("libx264", ".mkv", "yuv422p10le", {"codec_name": "h264", "pix_fmt": "yuv422p10le"}),
        ("libsvtav1", ".mkv", "yuv420p10le", {"codec_name": "av1", "pix_fmt": "yuv420p10le"}),
        ("ffv1", ".mkv", "yuv444p12le", {"codec_name": "ffv1", "pix_fmt": "yuv444p12le"}),
    ],
)
def test_encoders_and_purposes(tmp_path: Path, codec: str, suffix: str, pix_fmt: str, expected: dict[str, str]) -> None:
    film = Film(size=(256, 128), pix_fmt=pix_fmt, codec="ffv1", pts=range(5), tags=(1, 1, 1, 1))
    source = film.write(tmp_path / "film.mkv")
    output = streamcolor.colorize(source, tmp_path / f"out{suffix}", codec=codec, **ENGINE).output
    stream = strangers.streams(output, "video")[0]
    assert {name: stream[name] for name in expected} == expected
    assert [stream.get(name) for name in ("color_space", "color_transfer", "color_range")] == ["bt709", "bt709", "tv"]
    for before, after in zip(decoded(source), decoded(output), strict=True):
        scale = 2.0 ** (8 - before.format.components[0].bits), 2.0 ** (8 - after.format.components[0].bits)
        difference = luma_of(before) * scale[0] - luma_of(after) * scale[1]
        assert np.sqrt(np.mean(difference**2)) < 4


def test_an_archive_is_bit_for_bit_and_checks_itself(tmp_path: Path) -> None:
    film = Film(size=(240, 64), pts=range(8), sounds=[Sound()], pixel_aspect=Fraction(16, 15))
    source = film.write(tmp_path / "film.mkv")
    output = streamcolor.colorize(source, codec="archive", **ENGINE).output
    for before, after in zip(decoded(source), decoded(output), strict=True):
        np.testing.assert_array_equal(luma_of(before), luma_of(after))
    assert strangers.streams(output, "video")[0]["sample_aspect_ratio"] == "16:15"
    assert strangers.mediainfo(output, "Video")["Format_Version"].startswith("3.")


def test_an_archive_that_went_bad_is_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that forgets: what was written is changed before it is compared."""
    check = FrameDigests.check

    def after_a_fault(digests: FrameDigests, path: Path, stream: int, name: str) -> None:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x55
        path.write_bytes(content)
        check(digests, path, stream, name)

    monkeypatch.setattr(FrameDigests, "check", after_a_fault)
    source = Film(pts=range(8)).write(tmp_path / "film.mkv")
    with pytest.raises(OutputError, match="is the disk sound"):
        streamcolor.colorize(source, tmp_path / "out.mkv", codec="archive", **ENGINE)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


@pytest.mark.parametrize("container", [".ts", ".webm"])
def test_an_encoder_that_the_container_does_not_hold_is_refused(tmp_path: Path, container: str) -> None:
    source = Film(pts=range(3)).write(tmp_path / "film.mkv")
    with pytest.raises(OutputError, match="does not hold ffv1"):
        streamcolor.colorize(source, tmp_path / f"out{container}", codec="ffv1", **ENGINE)


def with_captions(h264: bytes) -> bytes:
    """An H.264 byte stream with a closed caption (CEA-608, by ATSC A/53 part 4) in front of each picture."""
    caption = b"\xb5\x00\x31GA94\x03" + bytes([0x40 | 1, 0xFF]) + b"\xfc\x94\x2c" + b"\xff"
    message = b"\x00\x00\x00\x01\x06\x04" + bytes([len(caption)]) + caption + b"\x80"
    units = h264.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01")[1:]
    return b"".join((message if unit[0] & 0x1F in (1, 5) else b"") + b"\x00\x00\x00\x01" + unit for unit in units)


def test_closed_captions_come_along(tmp_path: Path) -> None:
    raw, film = tmp_path / "film.h264", tmp_path / "film.mkv"
    strangers.ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=96x64:d=0.4", "-c:v", "libx264", "-bf", 0, "-x264-params", "slices=1"),
        *("-bsf:v", "h264_metadata=aud=insert", raw),
    )
    content = (
        raw.read_bytes().replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").replace(b"\x00\x00\x01", b"\x00\x00\x00\x01")
    )
    raw.write_bytes(with_captions(content))
    strangers.ffmpeg("-r", 25, "-i", raw, "-c", "copy", film)
    output = streamcolor.colorize(film, **ENGINE).output
    entries = ("-show_frames", "-show_entries", "frame_side_data=side_data_type")
    for path in (film, output):
        for frame in strangers.ffprobe(path, *entries)["frames"]:
            kinds = [data["side_data_type"] for data in frame["side_data_list"]]
            assert "ATSC A53 Part 4 Closed Captions" in kinds


def interlaced_frame(top: np.ndarray, bottom: np.ndarray) -> av.VideoFrame:
    height, width = top.shape
    frame = av.VideoFrame(width, 2 * height, "yuv420p")
    for number, plane in enumerate(frame.planes):
        samples = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
        samples[:] = 128
        if number == 0:
            samples[0::2], samples[1::2] = top, bottom
    frame.pts = 0
    return FieldMarker(top_field_first=True).mark(frame)


def chroma_of(frame: av.VideoFrame) -> np.ndarray:
    planes = [np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1) for plane in frame.planes[1:]]
    return np.stack([plane[:, : frame.width // 2] for plane in planes]).astype(int)


def test_each_field_is_coloured_by_its_own_picture() -> None:
    """Rows of chroma belong to the fields in turn; a field's do not depend on what the other one shows."""
    first, second = moving_luma(64, (320, 120))[0], moving_luma(64, (320, 120))[-1][:, ::-1]
    mixed, top, bottom = (interlaced_frame(*fields) for fields in ((first, second), (first, first), (second, second)))
    with streamcolor.Colorizer(streamcolor.ColorOptions(**ENGINE)) as colorizer:
        mixed, top, bottom = (chroma_of(frame) for frame in colorizer.colorize_frames([mixed, top, bottom]))
    assert np.abs(top - bottom).mean() > 2, "or else this shows nothing"
    np.testing.assert_array_equal(mixed[:, 0::2], top[:, 0::2])
    np.testing.assert_array_equal(mixed[:, 1::2], bottom[:, 1::2])


def test_fields_keep_their_marks_from_gray_too(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    strangers.ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=96x64:r=50:d=0.4,interlace=scan=bff,format=gray"),
        *("-vf", "setfield=bff", "-c:v", "ffv1", film),
    )
    output = streamcolor.colorize(film, codec="ffv1", **ENGINE).output
    entries = ("-show_frames", "-show_entries", "frame=interlaced_frame,top_field_first")
    for path in (film, output):
        frames = strangers.ffprobe(path, *entries)["frames"]
        assert {(frame["interlaced_frame"], frame["top_field_first"]) for frame in frames} == {(1, 0)}


def test_interlaced_films_of_486_lines_are_encoded_whole(tmp_path: Path) -> None:
    """NTSC's D1 pictures: half a chroma line in each field of 4:2:0, so 4:2:2."""
    film = tmp_path / "film.mkv"
    strangers.ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x486:r=60000/1001:d=0.2,format=yuv420p", "-vf", "interlace=scan=bff"),
        *("-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-top", 0, film),
    )
    report = streamcolor.colorize(film, **ENGINE)
    assert report.encoding == "libx264 yuv422p"
    frame = strangers.ffprobe(report.output, "-show_frames")["frames"][0]
    assert (frame["height"], frame["interlaced_frame"], frame["top_field_first"]) == (486, 1, 0)


def test_more_streams_than_ffmpeg_reads_are_refused_with_a_way_out(tmp_path: Path) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nWords\n")
    film = Film(pts=range(25)).write(tmp_path / "film.mkv")
    many = tmp_path / "many.mkv"
    strangers.mkvmerge("-q", "-o", many, film, *[words] * 1100)
    with pytest.raises(InputError, match=r"1000 streams or more.*mkvmerge"):
        streamcolor.colorize(many, **ENGINE)
    strangers.mkvmerge("-q", "-o", many, film, *[words] * 400)
    output = streamcolor.colorize(many, **ENGINE).output
    assert len(strangers.streams(output, "subtitle")) == 400


def test_subtitles_that_nobody_knows_are_left_out_and_named(tmp_path: Path) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nWords\n")
    film = tmp_path / "film.mkv"
    strangers.mkvmerge("-q", "-o", film, Film(pts=range(25)).write(tmp_path / "pictures.mkv"), words)
    content = film.read_bytes()
    assert content.count(b"S_TEXT/UTF8") == 1
    film.write_bytes(content.replace(b"S_TEXT/UTF8", b"S_XXXX/UTF8"))
    report = streamcolor.colorize(film, **ENGINE)
    assert report.frames == 25
    assert report.notes == ["subtitle stream 1 (unknown) is left out: its codec is not known"]


def test_a_container_that_lies_about_its_length_is_read_to_its_end(tmp_path: Path) -> None:
    source = Film(pts=range(50)).write(tmp_path / "film.mkv")
    content = source.read_bytes()
    duration = b"\x44\x89\x88" + struct.pack(">d", 2000.0)
    assert content.count(duration) == 1
    for lie in (1.0, 1e12):
        source.write_bytes(content.replace(duration, duration[:3] + struct.pack(">d", lie)))
        report = streamcolor.colorize(source, overwrite=True, **ENGINE)
        assert report.frames == 50


def test_an_index_that_lies_does_not_mislead(tmp_path: Path) -> None:
    film = Film(pts=range(100), settings={"g": "10", "bf": "0"})
    source = film.write(tmp_path / "film.mkv")
    content = source.read_bytes()
    cues = content.rindex(b"\x1c\x53\xbb\x6b")
    source.write_bytes(content[: cues + 8] + bytes(len(content) - cues - 8))
    report = streamcolor.colorize(source, tmp_path / "part.mkv", start=Fraction(2), **ENGINE)
    assert report.frames == 50


def test_a_change_of_format_in_mid_film_is_followed(tmp_path: Path) -> None:
    parts = []
    for number, pix_fmt in enumerate(("yuv420p", "yuv422p")):
        part = tmp_path / f"{number}.ts"
        picture = ("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-pix_fmt", pix_fmt, "-c:v", "libx264", "-bf", 0)
        strangers.ffmpeg(*picture, "-output_ts_offset", number, part)
        parts.append(part.read_bytes())
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(parts))
    output = streamcolor.colorize(both, codec="libx264", **ENGINE).output
    assert len(decoded(output)) == 50
    assert {frame.format.name for frame in decoded(output)} == {"yuv420p"}


def test_strict_fails_before_anything_is_made(tmp_path: Path) -> None:
    source = Film(sounds=[Sound()], pts=range(5)).write(tmp_path / "film.mkv")
    done = command("colorize", source, "-o", tmp_path / "out.webm", "--strict")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.webm").exists()
    assert command("colorize", source, "-o", tmp_path / "out.mp4", "--strict").returncode == 0


def test_probe_tells_what_will_be_lost(tmp_path: Path) -> None:
    source = tmp_path / "film.avi"
    strangers.ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-f", "lavfi", "-i", "sine=d=1", "-c:a", "wmav2", source
    )
    found = json.loads(command("probe", source, "--json").stdout)
    assert [stream["fate"] for stream in found["streams"]] == ["coloured", "converted"]
    assert found["losses"] == [
        "audio stream 1 (wmav2) is converted to flac, at 24 bits a sample: .mkv does not hold it"
    ]


def test_a_joined_film_moves_all_its_streams_alike() -> None:
    """The picture jumps first, the sound a little later in the file; both by the same time."""
    timeline = Timeline()
    second = Fraction(1)
    assert timeline.offset(0, 0 * second, second) == 0
    assert timeline.offset(1, 0 * second, second) == 0
    assert timeline.offset(0, 9 * second, second) == 0
    assert timeline.offset(0, 0 * second, second) == 10
    assert timeline.offset(1, 9 * second, second) == 0
    assert timeline.offset(1, Fraction(1, 2), second) == 10
    assert timeline.offset(0, 30 * second, second) == 10, "a gap stays a gap"
    assert timeline.offset(0, 30 * second, second) == 10, "so does what repeats"
    assert timeline.joins == 1


def test_subtitles_that_pause_and_overlap_are_no_joins() -> None:
    timeline = Timeline()
    second = Fraction(1)
    for begin, length in ((0, 9), (1, 1), (0, 2)):
        assert timeline.offset(2, begin * second, length * second, is_steady=False) == 0
    for begin in range(60):
        timeline.offset(0, begin * second, second)
    assert timeline.offset(0, 0 * second, second) == 60
    timeline.offset(0, 29 * second, second)
    assert timeline.offset(2, 30 * second, second, is_steady=False) == 60, "though its own times never ran back"
    assert timeline.joins == 1


@pytest.mark.parametrize("may_begin_earlier", [True, False])
def test_b_frames_have_times_in_order(may_begin_earlier: bool) -> None:
    """Coding order I P B B: decoded before they are shown, and, where that is not allowed, never before the first."""
    clock = FrameClock(Fraction(1, 25), 1, may_begin_earlier=may_begin_earlier)
    for pts in range(10):
        assert clock.number(pts, 1) == pts
    shown = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]
    times = [clock.times(number, order - 2) for order, number in enumerate(shown)]
    tick = 25 * clock.time_base
    assert [pts * tick for pts, _, _ in times] == shown
    decoding = [dts for _, dts, _ in times]
    assert decoding == sorted(set(decoding))
    assert all(dts <= pts for pts, dts, _ in times)
    assert (decoding[0] < 0) == may_begin_earlier


def test_source_is_untouched_and_nothing_hidden_is_left(tmp_path: Path) -> None:
    source = Film(pts=range(5), pixel_aspect=Fraction(16, 15)).write(tmp_path / "film.mkv")
    digest = hashlib.sha256(source.read_bytes()).digest()
    streamcolor.colorize(source, codec="archive", **ENGINE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.color.mkv", "film.mkv"]
    assert hashlib.sha256(source.read_bytes()).digest() == digest


@pytest.mark.parametrize(
    ("suffix", "video", "sound"),
    [
        (".avi", "mpeg4", "libmp3lame"),
        (".ogv", "libtheora", "libvorbis"),
        (".webm", "libvpx", "libopus"),
        (".ts", "mpeg2video", "mp2"),
        (".mpg", "mpeg1video", "mp2"),
        (".mov", "mjpeg", "pcm_s16be"),
        (".mp4", "mpeg4", "aac"),
        (".nut", "ffv1", "flac"),
        (".wmv", "wmv2", "wmav2"),
        (".flv", "flv1", "aac"),
    ],
)
def test_films_of_all_kinds_come_in_with_their_sound(tmp_path: Path, suffix: str, video: str, sound: str) -> None:
    source = tmp_path / f"film{suffix}"
    made = ("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=2", "-f", "lavfi", "-i", "sine=r=44100:d=2")
    pix_fmt = "yuvj420p" if video == "mjpeg" else "yuv420p"
    strangers.ffmpeg(*made, "-c:v", video, "-pix_fmt", pix_fmt, "-c:a", sound, source)
    output = streamcolor.colorize(source, tmp_path / "out.mkv", **ENGINE).output
    before, after = (strangers.frame_times(path)[0] for path in (source, output))
    assert [float(time - after[0]) for time in after] == pytest.approx(
        [float(time - before[0]) for time in before], abs=1.1e-3
    )
    assert len(before) >= 49
    assert len(strangers.streams(output, "audio")) == 1
    heard, expected = strangers.sound(output), strangers.sound(source)  # MP4's edit list hides what primed the encoder
    np.testing.assert_allclose(heard[-len(expected) :], expected, atol=2**-15)


def with_pulldown(mpeg2: bytes) -> bytes:
    """MPEG-2 video whose frames are shown for two and three fields in turn (ISO/IEC 13818-2, 6.2.2.3 and 6.2.3.1)."""
    content = bytearray(mpeg2)
    pictures, at = 0, content.find(b"\x00\x00\x01\xb5")
    while at >= 0:
        if content[at + 4] >> 4 == 1:
            content[at + 5] &= ~0x08  # not a progressive sequence
        elif content[at + 4] >> 4 == 8:
            top_field_first, repeat_first_field = ((1, 1), (0, 0), (0, 1), (1, 0))[pictures % 4]
            content[at + 7] = content[at + 7] & ~0x82 | top_field_first << 7 | repeat_first_field << 1
            content[at + 8] |= 0x80  # a progressive frame
            pictures += 1
        at = content.find(b"\x00\x00\x01\xb5", at + 4)
    return bytes(content)


def test_soft_telecine_keeps_its_times_and_its_whole_frames(tmp_path: Path) -> None:
    raw, film = tmp_path / "film.m2v", tmp_path / "film.mkv"
    made = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=30000/1001:d=1", "-c:v", "mpeg2video", "-bf", 0)
    strangers.ffmpeg(*made, "-pix_fmt", "yuv420p", raw)
    raw.write_bytes(with_pulldown(raw.read_bytes()))
    strangers.ffmpeg("-fflags", "+genpts", "-i", raw, "-c", "copy", film)
    before, _ = strangers.frame_times(film)
    lengths = {round(float(after - time) * 60000 / 1001) for time, after in itertools.pairwise(before)}
    assert lengths == {2, 3}, "or else this shows nothing"
    output = streamcolor.colorize(film, **ENGINE).output
    after, _ = strangers.frame_times(output)
    assert after == before
    frames = strangers.ffprobe(output, "-show_frames")["frames"]
    assert {frame["interlaced_frame"] for frame in frames} == {0}


def test_times_that_run_back_a_little_are_moved_up_and_counted(tmp_path: Path) -> None:
    source = Film(codec="ffv1", pts=range(25)).write(tmp_path / "film.mkv")
    film = tmp_path / "uneasy.mkv"
    with av.open(str(source)) as old, av.open(str(film), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for number, packet in enumerate(old.demux(video=0)):
            if packet.size:
                packet.dts = packet.pts - 100
                packet.pts -= 60 * (number % 5 == 4)
                packet.stream = copy
                new.mux(packet)
    before, _ = strangers.frame_times(film)
    assert before != sorted(before), "or else this shows nothing"
    report = streamcolor.colorize(film, codec="ffv1", **ENGINE)
    after, _ = strangers.frame_times(report.output)
    assert len(after) == len(before) == 25
    assert after == [max(before[: number + 1]) for number in range(25)]
    assert any("times ran back" in note and note.endswith(": 5") for note in report.notes)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_no_frame_of_a_short_film_is_lost(tmp_path: Path, count: int) -> None:
    """Decoders that work on several frames at once give them all at the end."""
    source = Film(pts=range(count), settings={"bf": "2"}).write(tmp_path / "film.mp4")
    output = streamcolor.colorize(source, codec="libx264", crf=0, **ENGINE).output
    for before, after in zip(decoded(source), decoded(output), strict=True):
        np.testing.assert_array_equal(luma_of(before), luma_of(after))


def test_long_signs_over_dialogue_stay_where_they_are(tmp_path: Path) -> None:
    words, film = tmp_path / "words.ass", tmp_path / "film.mkv"
    lines = ["0:00:00.20,0:00:01.90", "0:00:00.40,0:00:00.60", "0:00:00.70,0:00:01.00", "0:00:01.20,0:00:01.50"]
    events = "".join(f"Dialogue: 0,{line},Default,,0,0,0,,Words\n" for line in lines)
    header = "[Script Info]\nScriptType: v4.00+\n[Events]\n"
    header += "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    words.write_text(header + events)
    strangers.mkvmerge("-q", "-o", film, Film(pts=range(50)).write(tmp_path / "pictures.mkv"), words)
    report = streamcolor.colorize(film, **ENGINE)
    assert report.notes == []
    assert strangers.packet_times(report.output, "s:0") == strangers.packet_times(film, "s:0")


def test_b_frames_in_avi_are_shown_at_even_times(tmp_path: Path) -> None:
    film = tmp_path / "film.avi"
    strangers.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-c:v", "libx264", "-bf", 3, film)
    after, _ = strangers.frame_times(streamcolor.colorize(film, tmp_path / "out.mkv", **ENGINE).output)
    assert len(after) == 25
    assert {after - before for before, after in itertools.pairwise(after)} == {Fraction(1, 25)}


def test_the_encoder_chooses_its_own_kinds_of_frames(tmp_path: Path) -> None:
    """Though every frame of the source is a key frame."""
    source = Film(codec="ffv1", pts=range(50)).write(tmp_path / "film.mkv")
    kinds = [frame.pict_type for frame in decoded(streamcolor.colorize(source, codec="libx264", **ENGINE).output)]
    assert kinds.count(av.video.frame.PictureType.I) < 5


def test_transparency_is_not_left_out_without_a_word(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    strangers.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-pix_fmt", "yuva420p", "-c:v", "ffv1", film)
    with pytest.raises(OutputError, match="transparency"):
        streamcolor.colorize(film, codec="archive", strict=True, **ENGINE)


def test_dv_keeps_its_fields(tmp_path: Path) -> None:
    film = tmp_path / "film.avi"
    made = ("-f", "lavfi", "-i", "testsrc2=s=720x576:r=50:d=0.2", "-vf", "interlace=scan=bff,setsar=16/15")
    strangers.ffmpeg(*made, "-c:v", "dvvideo", "-pix_fmt", "yuv420p", "-flags", "+ildct", film)
    output = streamcolor.colorize(film, tmp_path / "out.mkv", **ENGINE).output
    frame = strangers.ffprobe(output, "-show_frames")["frames"][0]
    assert (frame["interlaced_frame"], frame["top_field_first"]) == (1, 0)


def test_devices_and_pipes_are_not_replaced(tmp_path: Path) -> None:
    source = Film(pts=range(3)).write(tmp_path / "film.mkv")
    os.mkfifo(tmp_path / "out.mkv")
    with pytest.raises(OutputError, match="no file but a device or a pipe"):
        streamcolor.colorize(source, tmp_path / "out.mkv", overwrite=True, **ENGINE)
    assert (tmp_path / "out.mkv").is_fifo()


def test_transport_streams_keep_their_identifiers(tmp_path: Path) -> None:
    film = tmp_path / "film.ts"
    made = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-f", "lavfi", "-i", "sine=d=1", "-c:v", "mpeg2video")
    for pids in (("0x101", "0x100"), ("0x1000", "0x100")):
        ids = ("-streamid", f"0:{pids[0]}", "-streamid", f"1:{pids[1]}", "-mpegts_pmt_start_pid", "0x200")
        strangers.ffmpeg(*made, "-c:a", "mp2", *ids, film)
        output = streamcolor.colorize(film, overwrite=True, **ENGINE).output
        found = [stream["id"] for stream in strangers.ffprobe(output, "-show_streams")["streams"]]
        assert (tuple(found) == pids) == (pids[0] == "0x101")


def test_shown_size_is_written_whatever_the_file_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    source = Film(size=(240, 64), pts=range(3), pixel_aspect=Fraction(16, 15)).write(tmp_path / "größe.mkv")
    report = streamcolor.colorize(source, codec="ffv1", **ENGINE)
    assert report.notes == []
    assert strangers.streams(report.output, "video")[0]["sample_aspect_ratio"] == "16:15"

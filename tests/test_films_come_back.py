"""What a coloured film must share with its source: luma, times, sound. Lossless FFV1 shows the encoder's input."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import streamcolor

from films import Film, Sound, decoded, luma_of, moving_luma, packets, times

ENGINE = {"engine": "onnxruntime"}


def assert_same_luma(source: Path, output: Path) -> None:
    before, after = decoded(source), decoded(output)
    assert len(before) == len(after) > 0
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(luma_of(old), luma_of(new))


def has_colour(path: Path) -> bool:
    frame = decoded(path)[0]
    neutral = 2 ** (frame.format.components[1].bits - 1)
    bits = frame.format.components[1].bits
    samples = np.frombuffer(bytes(frame.planes[1]), np.uint8 if bits == 8 else np.uint16)
    return bool(np.any(np.abs(samples[: frame.planes[1].width].astype(int) - neutral) > 2 * 2 ** (bits - 8)))


@pytest.mark.parametrize("size", [(96, 64), (97, 65), (34, 130)])
@pytest.mark.parametrize(
    ("pix_fmt", "expected"),
    [
        ("gray", "yuv420p"),
        ("gray10le", "yuv420p10le"),
        ("yuv420p", "yuv420p"),
        ("yuv422p", "yuv422p"),
        ("yuv444p", "yuv444p"),
        ("yuv411p", "yuv411p"),
        ("yuv420p10le", "yuv420p10le"),
        ("yuv422p10le", "yuv422p10le"),
        ("yuv444p10le", "yuv444p10le"),
    ],
)
@pytest.mark.parametrize("color_range", [1, 2])
def test_luma_is_bit_identical(
    tmp_path: Path, size: tuple[int, int], pix_fmt: str, expected: str, color_range: int
) -> None:
    film = Film(size=size, pix_fmt=pix_fmt, codec="ffv1", pts=range(5), tags=(1, 1, 1, color_range))
    source = film.write(tmp_path / "film.mkv")
    report = streamcolor.colorize(source, codec="ffv1", **ENGINE)
    assert report.output == tmp_path / "film.color.mkv"
    assert report.frames == 5
    frame = decoded(report.output)[0]
    assert frame.format.name == expected
    assert frame.color_range == color_range
    assert_same_luma(source, report.output)
    assert has_colour(report.output)


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg2video", "libx264", "libvpx-vp9", "prores_ks"])
def test_luma_is_bit_identical_to_what_real_codecs_decode_to(tmp_path: Path, codec: str) -> None:
    pix_fmt = {"mjpeg": "yuvj420p", "prores_ks": "yuv422p10le"}.get(codec, "yuv420p")
    source = Film(codec=codec, pix_fmt=pix_fmt, pts=range(9)).write(tmp_path / "film.mkv")
    output = streamcolor.colorize(source, codec="ffv1", **ENGINE).output
    assert_same_luma(source, output)


def test_packed_and_rgb_sources_are_coloured(tmp_path: Path) -> None:
    for pix_fmt in ("bgr0", "ya8"):
        path = tmp_path / f"{pix_fmt}.mkv"
        with av.open(str(path), "w") as file:
            stream = file.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
            gray = np.tile(np.arange(64, dtype=np.uint8) * 3, (48, 1))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray").reformat(format=pix_fmt)))
            file.mux(stream.encode(None))
        output = streamcolor.colorize(path, codec="ffv1", pix_fmt="yuv444p", **ENGINE).output
        shown = decoded(output)[0].to_ndarray(format="gray")
        assert np.abs(shown.astype(int) - gray).max() <= 2, pix_fmt


@pytest.mark.parametrize("height", [480, 720])
@pytest.mark.parametrize("pix_fmt", ["nv12", "yuyv422", "uyvy422", "p010le", "yuva420p"])
def test_packed_formats_keep_their_luma(pix_fmt: str, height: int) -> None:
    planar = {"p010le": "yuv420p10le", "yuyv422": "yuv422p", "uyvy422": "yuv422p"}.get(pix_fmt, "yuv420p")
    (luma,) = moving_luma(1, (640, height), 10 if pix_fmt == "p010le" else 8)
    frame = av.VideoFrame(640, height, planar)
    for number, plane in enumerate(frame.planes):
        samples = np.frombuffer(plane, luma.dtype).reshape(plane.height, -1)[:, : plane.width]
        samples[:] = luma if number == 0 else 140 * (2 ** (luma.itemsize * 2 - 2))
    with streamcolor.Colorizer(streamcolor.ColorOptions(**ENGINE)) as colorizer:
        (coloured,) = colorizer.colorize_frames([frame.reformat(format=pix_fmt)])
    assert coloured.format.name == planar
    np.testing.assert_array_equal(luma_of(coloured), luma)


@pytest.mark.parametrize(("size", "expected"), [((97, 65), "yuv444p"), ((97, 64), "yuv444p"), ((96, 64), "yuv420p")])
def test_odd_sizes_are_encoded_whole_by_default(tmp_path: Path, size: tuple[int, int], expected: str) -> None:
    source = Film(size=size, codec="ffv1", pts=range(3)).write(tmp_path / "film.mkv")
    report = streamcolor.colorize(source, **ENGINE)
    assert report.encoding == f"libx264 {expected}"
    assert (decoded(report.output)[0].width, decoded(report.output)[0].height) == size


def test_depth_changes_only_when_asked(tmp_path: Path) -> None:
    source = Film(pix_fmt="yuv420p10le", codec="ffv1", pts=range(3)).write(tmp_path / "film.mkv")
    output = streamcolor.colorize(source, codec="ffv1", pix_fmt="yuv420p", **ENGINE).output
    expected = (luma_of(decoded(source)[0]).astype(int) + 2) >> 2
    np.testing.assert_array_equal(luma_of(decoded(output)[0]), expected)


def test_default_output_is_what_players_expect(tmp_path: Path) -> None:
    for pix_fmt, expected in (("gray", "yuv420p"), ("gray10le", "yuv420p10le"), ("yuv422p", "yuv422p")):
        film = Film(pix_fmt=pix_fmt, codec="ffv1", pts=range(3), tags=(1, 1, 1, 1))
        source = film.write(tmp_path / f"{pix_fmt}.mkv")
        report = streamcolor.colorize(source, **ENGINE)
        with av.open(str(report.output)) as file:
            assert file.streams.video[0].codec_context.name == "h264"
        assert decoded(report.output)[0].format.name == expected
        assert report.encoding == f"libx264 {expected}"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".ts", ".nut"])
def test_every_frame_keeps_its_time(tmp_path: Path, suffix: str) -> None:
    """B-frames, a variable rate and a start that is not zero."""
    ticks = [1000, 1001, 1002, 1004, 1008, 1009, 1015, 1016, 1017, 1018, 1030, 1031]
    film = Film(pts=ticks, time_base=Fraction(1, 50), settings={"bf": "3", "b_strategy": "0"})
    source = film.write(tmp_path / f"film{suffix}")
    output = streamcolor.colorize(source, **ENGINE).output
    assert output.suffix == suffix
    assert times(output) == times(source)
    assert len(times(source)) == len(ticks)
    with av.open(str(source)) as file:
        kinds = {frame.pict_type for frame in file.decode(video=0)}
    assert av.video.frame.PictureType.B in kinds


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".nut"])
def test_a_film_that_begins_at_nought_still_does(tmp_path: Path, suffix: str) -> None:
    """Though the encoder's B-frames are decoded before they are shown."""
    source = Film(codec="mpeg2video", pts=range(20)).write(tmp_path / "film.mkv")
    output = streamcolor.colorize(source, tmp_path / f"out{suffix}", **ENGINE).output
    assert [float(time) for time in times(output)] == pytest.approx([float(time) for time in times(source)], abs=5e-4)
    assert times(source)[0] == 0


def test_transport_streams_stay_where_they_were(tmp_path: Path) -> None:
    source = Film(codec="mpeg2video", pts=range(20), sounds=SOUNDS[:1]).write(tmp_path / "film.ts")
    output = streamcolor.colorize(source, **ENGINE).output
    assert times(output) == times(source)
    assert packets(output, 0) == packets(source, 0)


@pytest.mark.parametrize("suffix", [".ts", ".mp4", ".h264"])
@pytest.mark.parametrize("start", [Fraction(1), Fraction(2), Fraction(31, 10)])
def test_a_part_begins_where_it_was_asked_to(tmp_path: Path, suffix: str, start: Fraction) -> None:
    source = Film(pts=range(100), settings={"g": "12", "bf": "2"}).write(tmp_path / f"film{suffix}")
    report = streamcolor.colorize(source, tmp_path / "part.mkv", codec="ffv1", start=start, **ENGINE)
    whole = [luma_of(frame) for frame in decoded(source)]
    part = [luma_of(frame) for frame in decoded(report.output)]
    assert report.frames == len(part) == 100 - round(start * 25 + Fraction(2, 5))
    for old, new in zip(whole[-len(part) :], part, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001)])
def test_ntsc_rates_do_not_drift(tmp_path: Path, rate: Fraction) -> None:
    source = Film(pts=range(60), time_base=1 / rate, rate=rate, size=(32, 32)).write(tmp_path / "film.mp4")
    output = streamcolor.colorize(source, **ENGINE).output
    assert times(output) == times(source)
    with av.open(str(output)) as file:
        assert file.streams.video[0].average_rate == rate


SOUNDS = (
    Sound(language="eng", title="Dialogue", disposition=int(av.stream.Disposition.default)),
    Sound(codec="mp2", language="deu", disposition=int(av.stream.Disposition.comment)),
)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".ts", ".nut"])
def test_all_sound_is_copied_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    source = Film(pts=range(50), sounds=SOUNDS, metadata={"title": "A film"}).write(tmp_path / f"film{suffix}")
    output = streamcolor.colorize(source, **ENGINE).output
    for track in range(len(SOUNDS)):
        assert packets(output, track) == packets(source, track)
        assert len(packets(source, track)) > 40


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_languages_titles_and_dispositions_stay(tmp_path: Path, suffix: str) -> None:
    source = Film(pts=range(50), sounds=SOUNDS, metadata={"title": "A film"}).write(tmp_path / f"film{suffix}")
    output = streamcolor.colorize(source, **ENGINE).output
    with av.open(str(source)) as before, av.open(str(output)) as after:
        assert after.metadata["title"] == "A film"
        for old, new in zip(before.streams.audio, after.streams.audio, strict=True):
            assert (new.language, new.disposition) == (old.language, old.disposition)
            assert new.metadata.get("title") == old.metadata.get("title")
            assert new.codec_context.extradata == old.codec_context.extradata
        assert [stream.language for stream in after.streams.audio] == ["eng", "deu"]


def test_sound_stays_with_the_picture(tmp_path: Path) -> None:
    """A film that starts late, from one container into another."""
    film = Film(pts=range(100, 150), sounds=SOUNDS[:1])
    source = film.write(tmp_path / "film.mkv")
    for suffix in (".mp4", ".ts", ".nut"):
        output = streamcolor.colorize(source, tmp_path / f"out{suffix}", **ENGINE).output
        offset = times(output)[0] - packets(output, 0)[0].time
        expected = times(source)[0] - packets(source, 0)[0].time
        assert abs(offset - expected) <= Fraction(1, 1000)


def test_shape_and_colour_tags_stay(tmp_path: Path) -> None:
    film = Film(tags=(5, 5, 6, 1), pixel_aspect=Fraction(16, 15))
    output = streamcolor.colorize(film.write(tmp_path / "film.mkv"), **ENGINE).output
    with av.open(str(output)) as file:
        stream = file.streams.video[0]
        assert stream.sample_aspect_ratio == Fraction(16, 15)
        decoder = stream.codec_context
        found = (decoder.colorspace, decoder.color_primaries, decoder.color_trc, decoder.color_range)
    assert tuple(map(int, found)) == (5, 5, 6, 1)


@pytest.mark.parametrize(("height", "expected"), [(480, (6, 6, 6, 1)), (576, (5, 5, 6, 1)), (720, (1, 1, 1, 1))])
def test_untagged_films_are_tagged_with_what_was_used(tmp_path: Path, height: int, expected: tuple[int, ...]) -> None:
    source = Film(size=(64, height), pts=range(2)).write(tmp_path / "film.mkv")
    output = streamcolor.colorize(source, **ENGINE).output
    with av.open(str(output)) as file:
        decoder = file.streams.video[0].codec_context
        found = (decoder.colorspace, decoder.color_primaries, decoder.color_trc, decoder.color_range)
    assert tuple(map(int, found)) == expected


def test_a_part_of_a_film_begins_at_nought(tmp_path: Path) -> None:
    film = Film(pts=range(100), sounds=SOUNDS[:1], settings={"g": "12", "bf": "2"})
    source = film.write(tmp_path / "film.mkv")
    output = streamcolor.colorize(
        source, tmp_path / "part.mkv", codec="ffv1", start=Fraction(1), duration=Fraction(3, 2), **ENGINE
    ).output
    before = decoded(source)
    inside = [frame for frame in before if 1 <= frame.time - before[0].time < 2.5]
    after = decoded(output)
    assert len(after) == len(inside) == 38 - (before[0].time > 0)  # 1.5 s of 25 frames/s
    for old, new in zip(inside, after, strict=True):
        np.testing.assert_array_equal(luma_of(old), luma_of(new))
        assert new.time == pytest.approx(old.time - 1, abs=1e-3)
    originals = {packet.payload for packet in packets(source, 0)}
    copies = packets(output, 0)
    assert {packet.payload for packet in copies} <= originals
    assert copies[0].time < 0.05
    assert 1.45 < copies[-1].time + copies[-1].duration < 1.6


def test_saturation_of_nought_is_gray(tmp_path: Path) -> None:
    source = Film(pts=range(2)).write(tmp_path / "film.mkv")
    output = streamcolor.colorize(source, codec="ffv1", saturation=0.0, **ENGINE).output
    for number in (1, 2):
        plane = decoded(output)[0].planes[number]
        samples = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width]
        assert np.all(samples == 128)


def test_tags_of_the_old_coding_are_not_kept(tmp_path: Path) -> None:
    source = Film().write(tmp_path / "film.mkv")
    tagged = tmp_path / "tagged.mkv"
    with av.open(str(source)) as old, av.open(str(tagged), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        copy.metadata.update({"ENCODER": "ancient", "title": "Reel 1", "BPS": "12", "NUMBER_OF_FRAMES": "9"})
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = copy
                new.mux(packet)
    output = streamcolor.colorize(tagged, **ENGINE).output
    with av.open(str(output)) as file:
        metadata = file.streams.video[0].metadata
    assert metadata["title"] == "Reel 1"
    assert "ancient" not in metadata.values()
    assert not {"BPS", "NUMBER_OF_FRAMES"} & set(metadata)

"""What comes out of streamcolor for each feature of a film and each container, as other tools see it.

    python tests/matrix.py

writes the table in ``streamcolor/media/README.md``; ``tests/media/test_matrix.py`` holds the code to it, cell by cell.
Sources are made by ffmpeg and outputs judged by ffmpeg, ffprobe, mkvmerge and MediaInfo, none of which is used in
making the outputs.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import strangers
from strangers import ffmpeg, streams

import streamcolor

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "streamcolor" / "media" / "README.md"
CONTAINERS = (".mkv", ".mp4", ".mov", ".webm", ".ts", ".nut")
KEPT, CONVERTED, LEFT_OUT = "kept", "converted", "left out"

PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2,format=gray,format=yuv420p")
TONE = ("-f", "lavfi", "-i", "sine=f=440:r=48000:d=2")
H264 = ("-c:v", "libx264", "-preset", "ultrafast")

CHAPTERS = """;FFMETADATA1
title=A film
[CHAPTER]
TIMEBASE=1/1000
START=0
END=800
title=First
[CHAPTER]
TIMEBASE=1/1000
START=800
END=2000
title=Zweites Kapitel: äöü
"""
WORDS = """1
00:00:00,200 --> 00:00:00,900
Good <i>evening</i>

2
00:00:01,100 --> 00:00:01,800
and good night
"""
STYLED = """[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize, Alignment
Style: Default,Arial,20,2
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.20,0:00:00.90,Default,,0,0,0,,{\\i1}Good{\\i0} evening
"""

Judge = Callable[[Path, Path], str]


@dataclass(frozen=True)
class Feature:
    """Something that a film can have."""

    name: str
    #: Makes a film with it in a folder.
    make: Callable[[Path], Path]
    #: What became of it: the source and the output.
    judge: Judge


def _sound(codec: str, suffix: str = ".mkv", *settings: object) -> Feature:
    def make(folder: Path) -> Path:
        film = folder / f"film{suffix}"
        video = H264 if suffix != ".avi" else ("-c:v", "mpeg4")
        ffmpeg(*PICTURE, *TONE, *video, "-c:a", codec, *settings, film)
        return film

    def judge(source: Path, output: Path) -> str:
        if not streams(output, "audio"):
            return LEFT_OUT
        # In MPEG-TS each AAC packet has a header, which ffmpeg is to take off.
        bare = ("-bsf:a", "aac_adtstoasc") if codec == "aac" and output.suffix == ".ts" else ()
        if strangers.packet_digest(output, "0:a:0", *bare) == strangers.packet_digest(source, "0:a:0"):
            assert _same_times(source, output, "a:0")
            return KEPT
        before, after = strangers.sound(source), strangers.sound(output)
        assert len(before) == len(after)
        np.testing.assert_allclose(before, after, atol=2**-16)
        return CONVERTED

    return Feature(f"sound: {codec.removeprefix('lib')}", make, judge)


def _same_times(source: Path, output: Path, which: str) -> bool:
    """Whether packets are shown when they were, from the film's first frame on, within half a tick and a rounding."""
    old, new = strangers.packet_times(source, which), strangers.packet_times(output, which)
    zeros = [strangers.frame_times(path)[0][0] for path in (source, output)]
    close = (
        abs((before - zeros[0]) - (after - zeros[1])) <= Fraction(2, 1000)
        for (before, _), (after, _) in zip(old, new, strict=True)
    )
    return all(close)


def _subtitle(name: str, codec: str, write: Callable[[Path], Path], suffix: str = ".mkv") -> Feature:
    def make(folder: Path) -> Path:
        film = folder / f"film{suffix}"
        words = write(folder)
        ffmpeg(*PICTURE, "-i", words, "-map", 0, "-map", 1, *H264, "-c:s", codec, film)
        return film

    def judge(source: Path, output: Path) -> str:
        if not streams(output, "subtitle"):
            return LEFT_OUT
        if streams(output, "subtitle")[0]["codec_name"] == streams(source, "subtitle")[0]["codec_name"]:
            assert strangers.packet_digest(output, "0:s:0") == strangers.packet_digest(source, "0:s:0")
            assert _same_times(source, output, "s:0")
            return KEPT
        texts = [ffmpeg("-i", path, "-map", "0:s:0", "-f", "srt", "-") for path in (source, output)]
        assert _plain(texts[0]) == _plain(texts[1])
        return CONVERTED

    return Feature(f"subtitles: {name}", make, judge)


def _plain(text: str) -> list[str]:
    """Words and times of SubRip text, without markup."""
    return [line for line in re.sub(r"<[^>]*>|\{[^}]*\}", "", text).split("\n") if line]


def _text(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_text(content)
        return path

    return write


def _film(*arguments: object, suffix: str = ".mkv", inputs: tuple[object, ...] = ()) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        film = folder / f"film{suffix}"
        ffmpeg(*PICTURE, *inputs, *H264, *arguments, film)
        return film

    return make


def _with_chapters(folder: Path) -> Path:
    return _film("-map_metadata", 1, "-map_chapters", 1, inputs=("-i", _text("chapters.txt", CHAPTERS)(folder)))(folder)


def _judge_chapters(source: Path, output: Path) -> str:
    if not strangers.chapters(output):
        return LEFT_OUT
    assert strangers.chapters(output) == strangers.chapters(source)
    return KEPT


def _judge_title(source: Path, output: Path) -> str:  # noqa: ARG001
    tags = strangers.ffprobe(output, "-show_format")["format"].get("tags", {})
    return KEPT if tags.get("title") == "A film" else LEFT_OUT


def _with_font(folder: Path) -> Path:
    font = folder / "letters.ttf"
    font.write_bytes(bytes(range(256)) * 12)
    return _film("-attach", font, "-metadata:s:t", "mimetype=font/ttf")(folder)


def _judge_font(source: Path, output: Path) -> str:
    found = strangers.attachments(output) if output.suffix in (".mkv", ".webm") else []
    if not found:
        return LEFT_OUT
    assert found == strangers.attachments(source) == [("letters.ttf", 3072)]
    return KEPT


def _with_cover(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        cover = folder / "cover.png"
        ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", 1, cover)
        if suffix == ".mkv":
            return _film("-attach", cover, "-metadata:s:t", "mimetype=image/png")(folder)
        arguments = ("-map", 0, "-map", 1, "-c:v:1", "copy", "-disposition:v:1", "attached_pic")
        return _film(*arguments, suffix=suffix, inputs=("-i", cover))(folder)

    return make


def _judge_cover(source: Path, output: Path) -> str:
    if not strangers.covers(output):
        return LEFT_OUT
    assert strangers.covers(output) == strangers.covers(source)
    return KEPT


def _judge_timecode(source: Path, output: Path) -> str:  # noqa: ARG001
    tags = streams(output, "video")[0].get("tags", {})
    lowered = {name.lower(): value for name, value in tags.items()}
    return KEPT if lowered.get("timecode") == "01:00:00:00" else LEFT_OUT


def _judge_data(source: Path, output: Path) -> str:
    if not streams(output, "data"):
        return LEFT_OUT
    assert strangers.packet_digest(output, "0:d:0") == strangers.packet_digest(source, "0:d:0")
    return KEPT


def _judge_tracks(source: Path, output: Path) -> str:
    """Order, language and role of two sound tracks around a subtitle."""
    kinds, dispositions, languages = (
        [[read(stream) for stream in strangers.ffprobe(path, "-show_streams")["streams"]] for path in (source, output)]
        for read in (
            lambda stream: stream["codec_type"],
            lambda stream: stream["disposition"]["default"],
            lambda stream: stream.get("tags", {}).get("language", "und"),
        )
    )
    if len(kinds[1]) < len(kinds[0]):
        return LEFT_OUT
    assert kinds[0] == kinds[1]
    assert languages[0] == [{"ger": "deu"}.get(language, language) for language in languages[1]]
    if output.suffix != ".nut":
        assert dispositions[0] == dispositions[1]
    return KEPT


def _tracks(folder: Path) -> Path:
    words = _text("words.srt", WORDS)(folder)
    return _film(
        *("-map", 1, "-map", 0, "-map", 2, "-map", 3, "-c:a:0", "aac", "-c:a:1", "libmp3lame", "-c:s", "srt"),
        *("-metadata:s:a:0", "language=fra", "-metadata:s:a:1", "language=jpn", "-metadata:s:s:0", "language=deu"),
        *("-disposition:v:0", "default", "-disposition:a:0", "0", "-disposition:a:1", "default"),
        *("-disposition:s:0", "default"),
        inputs=(*TONE, *TONE, "-i", words),
    )(folder)


def _judge_times(source: Path, output: Path, ticks: Fraction = Fraction(1, 2)) -> str:
    old, _ = strangers.frame_times(source)
    new, tick = strangers.frame_times(output)
    assert len(old) == len(new)
    for before, after in zip(old, new, strict=True):
        assert abs(before - after) <= ticks * tick, f"{float(before)} s became {float(after)} s"
    return KEPT


def _judge_repeated(source: Path, output: Path) -> str:
    """In ticks, not half ones: those frames that B-frames need are decoded between two frames of nearly one time."""
    return _judge_times(source, output, Fraction(3))


def _judge_offset(source: Path, output: Path) -> str:
    """Sound against picture."""
    if not streams(output, "audio"):
        return LEFT_OUT
    offsets = [
        strangers.packet_times(path, "a:0")[0][0] - strangers.frame_times(path)[0][0] for path in (source, output)
    ]
    assert abs(offsets[0] - offsets[1]) <= Fraction(1, 1000)
    return KEPT


def _judge_rotation(source: Path, output: Path) -> str:
    turned = [
        [data["rotation"] for data in streams(path, "video")[0].get("side_data_list", []) if "rotation" in data]
        for path in (source, output)
    ]
    if not turned[1]:
        return LEFT_OUT
    assert turned[0] == turned[1]
    return KEPT


def _turned(folder: Path) -> Path:
    upright = _film(suffix=".mp4")(folder)
    film = folder / "turned.mp4"
    ffmpeg("-i", upright, "-c", "copy", "-metadata:s:v:0", "rotate=90", film)
    return film


def _judge_same(*names: str) -> Judge:
    """What ffprobe says of the picture."""

    def judge(source: Path, output: Path) -> str:
        old, new = (streams(path, "video")[0] for path in (source, output))
        missing = [name for name in names if name not in new]
        if missing:
            return LEFT_OUT
        if [old[name] for name in names] != [new[name] for name in names]:
            return CONVERTED
        return KEPT

    return judge


def _cropped(folder: Path) -> Path:
    whole = _film()(folder)
    film = folder / "cropped.mkv"
    strangers.mkvmerge("-o", film, "--cropping", "0:8,2,8,2", whole)
    return film


def _judge_cropping(source: Path, output: Path) -> str:
    old, new = (strangers.mediainfo(path, "Video") for path in (source, output))
    if new.get("Width") != old["Width"]:
        return LEFT_OUT
    sizes = ("Width", "Height", "Width_Original", "Height_Original")
    assert [old[name] for name in sizes] == [new[name] for name in sizes] == ["48", "44", "64", "48"]
    return KEPT


def _judge_fields(source: Path, output: Path) -> str:
    entries = ("-select_streams", "v:0", "-show_frames", "-show_entries", "frame=interlaced_frame,top_field_first")
    old, new = (
        [(frame["interlaced_frame"], frame["top_field_first"]) for frame in strangers.ffprobe(path, *entries)["frames"]]
        for path in (source, output)
    )
    if not any(interlaced for interlaced, _ in new):
        return LEFT_OUT
    assert old == new
    return KEPT


def _interlaced(order: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        film = folder / "film.mkv"
        fields = ("-f", "lavfi", "-i", f"testsrc2=s=64x48:r=50:d=2,format=yuv420p,interlace=scan={order}")
        top = ("-top", 1 if order == "tff" else 0)
        ffmpeg(*fields, "-c:v", "mpeg2video", "-flags", "+ildct+ilme", *top, film)
        return film

    return make


def _uneven(folder: Path) -> Path:
    """Times of frames that no rate explains: gaps, a pause, and B-frames."""
    film = folder / "film.mkv"
    picture = "testsrc2=s=64x48:r=25:d=2,format=yuv420p,select='not(eq(mod(n\\,7)\\,3))',setpts='PTS+(gt(N\\,20)*3/TB)'"
    ffmpeg("-f", "lavfi", "-i", picture, "-vsync", "vfr", *H264, "-bf", 3, film)
    return film


def _repeated(folder: Path) -> Path:
    film = folder / "film.nut"
    picture = "testsrc2=s=64x48:r=25:d=2,format=yuv420p,setpts='floor(N/2)*2/25/TB'"
    ffmpeg("-f", "lavfi", "-i", picture, "-vsync", "passthrough", "-enc_time_base", "1/1000", "-c:v", "ffv1", film)
    return film


def _edited(folder: Path) -> Path:
    """An MP4 that begins inside a group of pictures, by an edit list."""
    whole = _film("-c:a", "aac", "-g", 25, "-bf", 2, suffix=".mp4", inputs=TONE)(folder)
    film = folder / "edited.mp4"
    ffmpeg("-ss", "0.5", "-i", whole, "-c", "copy", film)
    return film


NTSC = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=24000/1001:d=2,format=yuv420p")


def _ntsc(folder: Path) -> Path:
    film = folder / "film.mp4"
    ffmpeg(*NTSC, *H264, "-bf", 2, film)
    return film


def _late(folder: Path) -> Path:
    film = folder / "film.ts"
    ffmpeg(*PICTURE, *TONE, *H264, "-bf", 2, "-c:a", "aac", "-output_ts_offset", 3600, film)
    return film


FEATURES = (
    _sound("aac"),
    _sound("ac3"),
    _sound("libmp3lame"),
    _sound("mp2"),
    _sound("libopus"),
    _sound("libvorbis"),
    _sound("flac"),
    _sound("pcm_s16le"),
    _sound("pcm_mulaw", ".avi"),
    _sound("adpcm_ms", ".avi"),
    _sound("wmav2", ".avi"),
    _subtitle("SubRip", "srt", _text("words.srt", WORDS)),
    _subtitle("ASS", "ass", _text("words.ass", STYLED)),
    _subtitle("mov_text", "mov_text", _text("words.srt", WORDS), ".mp4"),
    _subtitle("WebVTT", "webvtt", _text("words.srt", WORDS)),
    _subtitle("PGS (Blu-ray)", "copy", lambda folder: strangers.write_pgs(folder / "words.sup")),
    _subtitle("VobSub (DVD)", "dvdsub", lambda folder: strangers.write_pgs(folder / "words.sup")),
    _subtitle("DVB", "dvbsub", lambda folder: strangers.write_pgs(folder / "words.sup"), ".ts"),
    Feature("order, language and default of tracks", _tracks, _judge_tracks),
    Feature("chapters", _with_chapters, _judge_chapters),
    Feature("title", _with_chapters, _judge_title),
    Feature("attached files (fonts)", _with_font, _judge_font),
    Feature("cover picture, of Matroska", _with_cover(".mkv"), _judge_cover),
    Feature("cover picture, of MP4", _with_cover(".mp4"), _judge_cover),
    Feature("timecode", _film("-metadata:s:v", "timecode=01:00:00:00", suffix=".mov"), _judge_timecode),
    Feature(
        "data of MPEG-TS",
        lambda folder: _film(
            *("-map", 0, "-map", 1, "-c:d", "copy"),
            suffix=".ts",
            inputs=("-f", "data", "-i", _text("data.bin", "some data " * 50)(folder)),
        )(folder),
        _judge_data,
    ),
    Feature("times: uneven, with gaps and B-frames", _uneven, _judge_times),
    Feature("times: repeated", _repeated, _judge_repeated),
    Feature("times: 24000/1001 frames a second", _ntsc, _judge_times),
    Feature("times: an hour late", _late, _judge_offset),
    Feature("times: edit list, sound against picture", _edited, _judge_offset),
    Feature("shape of pixels", _film("-vf", "scale=720:576,setsar=16/15"), _judge_same("sample_aspect_ratio")),
    Feature("cropping (of Matroska)", _cropped, _judge_cropping),
    Feature("turned picture (display matrix)", _turned, _judge_rotation),
    Feature("fields, top first", _interlaced("tff"), _judge_fields),
    Feature("fields, bottom first", _interlaced("bff"), _judge_fields),
    Feature(
        "colour tags",
        _film("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
        _judge_same("color_space", "color_primaries", "color_transfer", "color_range"),
    ),
    Feature("10 bits a sample", _film("-pix_fmt", "yuv420p10le"), _judge_same("pix_fmt")),
    Feature("4:2:2", _film("-pix_fmt", "yuv422p"), _judge_same("pix_fmt")),
)


def outcome(feature: Feature, container: str, folder: Path) -> str:
    """What became of a feature in a container, by strangers' tools."""
    source = feature.make(folder)
    output = folder / f"out{container}"
    report = streamcolor.colorize(source, output, engine="onnxruntime")
    found = feature.judge(source, output)
    if found is not KEPT:
        assert report.notes, "what is not kept must be said"
    return found


def expected() -> dict[str, dict[str, str]]:
    """The table: outcomes by feature and container."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in TABLE.read_text().splitlines()
        if line.startswith("|") and "---" not in line
    ]
    header = [cell.strip("`") for cell in rows[0][1:]]
    return {row[0]: dict(zip(header, row[1:], strict=True)) for row in rows[1:]}


def main() -> None:
    """Print the table."""
    print("| | " + " | ".join(f"`{container}`" for container in CONTAINERS) + " |")
    print("|---" * (len(CONTAINERS) + 1) + "|")
    for feature in FEATURES:
        cells = []
        for container in CONTAINERS:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    cells.append(outcome(feature, container, Path(folder)))
                except Exception as error:
                    cells.append(f"FAILED {type(error).__name__}")
                    print(f"{feature.name} {container}: {error}"[:1500], file=sys.stderr)
        print(f"| {feature.name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

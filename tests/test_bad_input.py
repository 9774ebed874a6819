"""One clear line, an exit code, nothing left behind, the input untouched."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import av
import pytest

import streamcolor
from streamcolor import InputError, OptionError, OutputError
from streamcolor.cli import main

from films import Film, Sound, decoded, luma_of, packets, times


def run(*arguments: object) -> int:
    """Exit code of the command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["streamcolor", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return Film(pts=range(6)).write(tmp_path / "film.mkv")


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def containing(content: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return write


def sound_only(path: Path) -> Path:
    Film(sounds=[Sound()]).write(path)
    import av

    only = path.with_name("sound.mka")
    with av.open(str(path)) as source, av.open(str(only), "w", format="matroska") as target:
        copy = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    path.unlink()
    only.rename(path)
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path, "does not exist"),
        (folder, "is a folder"),
        (containing(b""), "is empty"),
        (containing(b"no film at all\n" * 100), "not a film"),
        (containing(bytes(range(256)) * 64), "not a film"),
        (containing(b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 16), "not a film"),
        (sound_only, "no video stream"),
    ],
)
def test_what_is_no_film_gets_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], Path], says: str
) -> None:
    source = make(tmp_path / "film.mkv")
    assert run("colorize", source) == InputError.exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err
    assert str(source) in captured.err
    assert [path.name for path in tmp_path.iterdir()] in ([], ["film.mkv"])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-o", "{folder}/missing/out.mkv"], OutputError.exit_code, "no folder"),
        (["-o", "{folder}/out.xyz"], OutputError.exit_code, "suffix"),
        (["-o", "{film}", "--overwrite"], OutputError.exit_code, "input itself"),
        (["-o", "{folder}"], OutputError.exit_code, "suffix"),
        (["--codec", "nonsense"], OutputError.exit_code, "no encoder 'nonsense'"),
        (["--codec", "aac"], OutputError.exit_code, "not video"),
        (["--pix-fmt", "nonsense"], OutputError.exit_code, "'nonsense'"),
        (["--pix-fmt", "gray"], OutputError.exit_code, "in colour"),
        (["--codec", "ffv1", "--crf", "20"], OutputError.exit_code, "no crf"),
        (["-o", "{folder}/out.webm", "--codec", "libx264"], OutputError.exit_code, "webm"),
        (["--preset", "nonsense"], OutputError.exit_code, "can't be written"),
        (["--engine", "nonsense"], 5, "choose one of"),
        (["--model", "{film}"], 5, "can't be loaded"),
        (["--model", "{folder}/missing.onnx"], 5, "no model"),
        (["--batch-size", "0"], OptionError.exit_code, "batch-size is 0"),
        (["--saturation", "nan"], OptionError.exit_code, "saturation"),
        (["--start", "yesterday"], OptionError.exit_code, "not a time"),
        (["--start", "100"], InputError.exit_code, "no frame"),
    ],
)
def test_what_cant_be_done_gets_one_line(
    tmp_path: Path, film: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    before = hashlib.sha256(film.read_bytes()).digest()
    given = [argument.format(folder=tmp_path, film=film) for argument in arguments]
    assert run("colorize", film, *given) == code
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert says in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]
    assert hashlib.sha256(film.read_bytes()).digest() == before


def test_nothing_is_overwritten_unasked(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = film.with_name("film.color.mkv")
    output.write_text("precious")
    assert run("colorize", film) == OutputError.exit_code
    assert "--overwrite" in capsys.readouterr().err
    assert output.read_text() == "precious"
    assert run("colorize", film, "--overwrite", "--quiet") == 0
    assert len(decoded(output)) == 6


def test_a_failure_leaves_the_old_output_alone(film: Path) -> None:
    output = film.with_name("out.mkv")
    output.write_text("precious")
    with pytest.raises(OutputError):
        streamcolor.colorize(film, output, overwrite=True, preset="nonsense")
    assert output.read_text() == "precious"
    assert sorted(path.name for path in film.parent.iterdir()) == ["film.mkv", "out.mkv"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux, where not even root can write in /proc")
def test_a_folder_without_permission_gets_one_line(film: Path) -> None:
    with pytest.raises(OutputError, match=r"/proc/out.mkv can't be written"):
        streamcolor.colorize(film, "/proc/out.mkv")


def test_a_full_disk_leaves_nothing_behind(film: Path) -> None:
    """/dev/full fails every write, as a full disk does."""
    output = film.with_name("out.mkv")
    with pytest.MonkeyPatch.context() as patch:
        real_open = streamcolor.media.writer.av.open
        patch.setattr(
            streamcolor.media.writer.av, "open",
            lambda path, *rest, **options: real_open("/dev/full" if rest else path, *rest, **options),
        )  # fmt: skip
        with pytest.raises(OutputError, match="No space left"):
            streamcolor.colorize(film, output)
    assert [path.name for path in film.parent.iterdir()] == ["film.mkv"]


def test_no_thread_outlives_a_failure(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor reads on in a film that is closed already."""
    before = threading.active_count()

    def fail(*_: object) -> None:
        assert threading.active_count() > before
        raise OutputError("disk full")

    monkeypatch.setattr(streamcolor.media.writer.FilmWriter, "write_frame", fail)
    with pytest.raises(OutputError, match="disk full"):
        streamcolor.colorize(film, film.with_name("out.mkv"), batch_size=1, engine="onnxruntime")
    assert threading.active_count() == before


def test_what_the_container_cant_hold_is_named_before_the_work_starts(tmp_path: Path) -> None:
    source = Film(sounds=[Sound()], pts=range(30)).write(tmp_path / "film.mkv")
    said: list[str] = []

    def announce(line: str) -> None:
        assert not (tmp_path / "out.webm").exists()
        assert frames == []
        said.append(line)

    frames: list[int] = []
    report = streamcolor.colorize(
        source,
        tmp_path / "out.webm",
        announce=announce,
        progress=lambda now: frames.append(now.frames),
        engine="onnxruntime",
    )
    assert len(said) == 1
    assert "audio stream 1 (aac) is left out" in said[0]
    assert ".mkv and .mp4" in said[0]
    assert said[0] in report.notes
    with av.open(str(tmp_path / "out.webm")) as file:
        assert [stream.type for stream in file.streams] == ["video"]


def test_with_strict_it_is_an_error(tmp_path: Path) -> None:
    source = Film(sounds=[Sound()], pts=range(30)).write(tmp_path / "film.mkv")
    with pytest.raises(OutputError, match=r"not be the whole film: audio stream 1 \(aac\)"):
        streamcolor.colorize(source, tmp_path / "out.webm", strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


def test_an_unknown_option_is_an_option_error(film: Path) -> None:
    with pytest.raises(OptionError, match="sauration"):
        streamcolor.colorize(film, sauration=2)


def test_high_dynamic_range_is_refused_with_a_way_out(tmp_path: Path) -> None:
    source = Film(tags=(9, 9, 16, 1), codec="ffv1", pts=range(2)).write(tmp_path / "film.mkv")
    with pytest.raises(InputError, match=r"transfer 16.*zscale"):
        streamcolor.colorize(source)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_cut_off_film_is_saved_as_far_as_it_goes(tmp_path: Path, suffix: str) -> None:
    options = {"movflags": "faststart"} if suffix == ".mp4" else {}
    film = Film(pts=range(100), sounds=[Sound()], settings={"bf": "0", "g": "10"}, container_options=options)
    whole = film.write(tmp_path / f"whole{suffix}")
    content = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(content[: len(content) * 6 // 10])

    report = streamcolor.colorize(cut, codec="libx264", engine="onnxruntime")
    assert 30 < report.frames < 90
    assert abs(report.frames + report.frames_lost - 100) <= 1
    assert any("damaged" in note and str(report.frames_lost) in note for note in report.notes)
    assert len(decoded(report.output)) == report.frames
    assert streamcolor.colorize(whole, engine="onnxruntime").frames_lost == 0


def test_a_film_damaged_inside_is_coloured_around_the_damage(tmp_path: Path) -> None:
    film = Film(pts=range(100), settings={"bf": "0", "g": "10"}, container_options={"movflags": "faststart"})
    path = film.write(tmp_path / "film.mp4")
    content = bytearray(path.read_bytes())
    middle = slice(len(content) * 5 // 10, len(content) * 7 // 10)
    content[middle] = b"\xa5" * (middle.stop - middle.start)
    path.write_bytes(content)
    report = streamcolor.colorize(path, engine="onnxruntime")
    assert report.frames_lost > 0
    assert report.frames + report.frames_lost == 100


def test_a_picture_that_changes_size_is_refused(tmp_path: Path) -> None:
    first = Film(size=(96, 64), codec="mpeg2video", pts=range(6)).write(tmp_path / "first.ts")
    second = Film(size=(64, 96), codec="mpeg2video", pts=range(6, 12)).write(tmp_path / "second.ts")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(InputError, match="changes from 96x64 to 64x96"):
        streamcolor.colorize(joined)
    assert not (tmp_path / "joined.color.ts").exists()


def test_films_that_were_joined_go_on_where_the_first_one_ends(tmp_path: Path) -> None:
    reel = Film(pts=range(50), sounds=[Sound()]).write(tmp_path / "reel.ts").read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(reel + reel)
    report = streamcolor.colorize(joined, tmp_path / "out.mkv", engine="onnxruntime")
    assert report.frames == 100
    assert any("jump back" in note and note.endswith(": 1") for note in report.notes)
    seen = times(report.output)
    gaps = [float(after - before) for before, after in itertools.pairwise(seen)]
    assert gaps == pytest.approx([0.04] * 99, abs=0.03)
    heard = [packet.time for packet in packets(report.output, 0)]
    assert heard == sorted(heard)
    offsets = [heard[0] - seen[0], heard[len(heard) // 2] - seen[50]]
    assert offsets[0] == pytest.approx(offsets[1], abs=0.05)


def test_sound_that_nobody_can_decode_is_left_out_and_named(tmp_path: Path) -> None:
    source = Film(sounds=[Sound()], pts=range(30)).write(tmp_path / "film.mkv")
    content = source.read_bytes()
    assert content.count(b"A_AAC") == 1
    source.write_bytes(content.replace(b"A_AAC", b"A_XXX"))
    report = streamcolor.colorize(source, engine="onnxruntime")
    assert report.frames == 30
    assert any("audio stream 1 (unknown) is left out" in note for note in report.notes)


def test_source_files_are_never_written(film: Path) -> None:
    film.chmod(0o400)
    stamp = film.stat().st_mtime_ns
    streamcolor.colorize(film, engine="onnxruntime")
    assert film.stat().st_mtime_ns == stamp


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["streamcolor", "colorize", str(tmp_path / "none.mkv"), "--debug"])
        with pytest.raises(InputError):
            main()


def test_coloured_luma_matches_even_after_damage(tmp_path: Path) -> None:
    film = Film(pts=range(60), codec="ffv1", settings={"slicecrc": "1"})
    whole = film.write(tmp_path / "film.mkv")
    cut = tmp_path / "cut.mkv"
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    report = streamcolor.colorize(cut, codec="ffv1", engine="onnxruntime")
    assert report.frames > 20
    for old, new in zip(decoded(whole), decoded(report.output)[:-1], strict=False):
        assert (luma_of(old) == luma_of(new)).all()


def test_an_interrupt_while_the_output_opens_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = Film().write(tmp_path / "film.mkv")
    real = av.open

    def interrupted(path: str, mode: str = "r", **options: object) -> object:
        if ".partial" in path:
            raise KeyboardInterrupt
        return real(path, mode, **options)

    monkeypatch.setattr(av, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        streamcolor.colorize(film, tmp_path / "out.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]

from __future__ import annotations

import functools
import http.server
import json
import tarfile
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamcolor.errors import DatasetError, OptionError
from streamcolor.media.stills import film_stills
from streamcolor.training.data import build, download
from streamcolor.training.data.build import BuildOptions, build_dataset
from streamcolor.training.data.selection import StillSelection, content_box
from streamcolor.training.data.shards import read_index
from streamcolor.training.data.statistics import describe

from films import Film, crops, photographs, write_colour_film

SIZE = (192, 128)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Three films of six shots of a second each, none like another."""
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(3):
        write_colour_film(folder / f"film-{number}.mkv", crops(6, SIZE, seed=number))
    return folder


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]


def test_a_still_a_second_split_by_film(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    found = build_dataset([str(films)], out, BuildOptions())
    assert sum(film.stills for film in found) >= 15
    assert [film.split for film in found].count("val") == 1
    for film in found:
        own = [row for row in rows(out) if row["shard"] == film.shard]
        assert len(own) == film.stills
        assert {row["split"] for row in own} == {film.split}
        assert all(abs(float(row["time"]) % 1) < 0.35 for row in own)  # the decoder may skip to the next frame
    sides = [read_index([out], side) for side in ("train", "val")]
    assert [len(side) for side in sides] == [
        sum(film.stills for film in found if film.split == split) for split in ("train", "val")
    ]


def test_stills_look_like_the_film(films: Path, tmp_path: Path) -> None:
    build_dataset([str(films / "film-0.mkv")], tmp_path / "set", BuildOptions())
    first = read_index([tmp_path / "set"], "train")[0].read().astype(float)
    assert np.abs(first - crops(6, SIZE, seed=0)[0]).mean() < 6  # through 4:2:0, x264 and JPEG


@pytest.mark.parametrize("matrix", [1, 5, 9], ids=["bt709", "bt601", "bt2020"])
@pytest.mark.parametrize("colour_range", [1, 2], ids=["limited", "full"])
def test_colours_are_those_of_the_films_own_coding(matrix: int, colour_range: int, tmp_path: Path) -> None:
    true = crops(1, SIZE, seed=11)[0]
    weights = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]  # Kr and Kb of ITU-T H.273
    red, green, blue = np.moveaxis(true / 255.0, -1, 0)
    luma = weights[0] * red + (1 - sum(weights)) * green + weights[1] * blue
    planes = [luma, (blue - luma) / (2 - 2 * weights[1]), (red - luma) / (2 - 2 * weights[0])]
    spans = ((219, 16), (224, 128), (224, 128)) if colour_range == 1 else ((255, 0), (255, 128), (255, 128))
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as file:
        video = file.add_stream("ffv1", rate=10)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv444p"
        video.codec_context.colorspace, video.codec_context.color_range = matrix, colour_range
        for number in range(10):
            frame = av.VideoFrame(*SIZE, "yuv444p")
            for plane, values, (scale, offset) in zip(frame.planes, planes, spans, strict=True):
                samples = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
                samples[:] = np.rint(values * scale + offset).clip(0, 255)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    _, picture = next(film_stills(path, Fraction(1)))
    assert np.abs(picture.astype(int) - true).mean() < 1.5


def test_pixels_become_square(tmp_path: Path) -> None:
    path = Film(size=(96, 64), pixel_aspect=Fraction(4, 3)).write(tmp_path / "film.mkv")
    assert next(film_stills(path, Fraction(1)))[1].shape == (64, 128, 3)


def test_bad_stills_are_left_out(tmp_path: Path) -> None:
    good = crops(2, SIZE, seed=5)
    gray = cv2.cvtColor(crops(3, SIZE, seed=6)[2], cv2.COLOR_RGB2GRAY)
    pictures = [
        good[0],
        np.zeros_like(good[0]),
        cv2.GaussianBlur(good[1], (0, 0), 9),
        np.dstack([gray] * 3),
        np.dstack([gray, gray * 0.85, gray * 0.6]).astype(np.uint8),  # sepia
        np.clip(good[0] * 1.05 + 3, 0, 255).astype(np.uint8),
    ]
    (found,) = build_dataset(
        [str(write_colour_film(tmp_path / "film.mkv", pictures))], tmp_path / "set", BuildOptions()
    )
    assert found.stills == 1
    assert found.faults == {"black": 1, "blurred": 1, "colourless": 2, "repeated": 1}


def test_sharp_colourful_pictures_pass() -> None:
    selection = StillSelection()
    assert [selection.fault(picture) for picture in photographs()] == [None, None, None]


def test_black_bars_are_cut_off(tmp_path: Path) -> None:
    boxed = [np.pad(picture, ((20, 20), (32, 32), (0, 0))) for picture in crops(4, SIZE, seed=7)]
    assert content_box(boxed) == (slice(20, 148), slice(32, 224))
    build_dataset([str(write_colour_film(tmp_path / "film.mkv", boxed))], tmp_path / "set", BuildOptions())
    still = read_index([tmp_path / "set"], "train")[0].read()
    assert abs(still.shape[0] - 128) <= 4  # compression blurs the edge
    assert abs(still.shape[1] - 192) <= 4


def test_the_same_title_in_two_films_is_kept_once(tmp_path: Path) -> None:
    title = crops(1, SIZE, seed=8)[0]
    for number in range(2):
        write_colour_film(tmp_path / f"{number}.mkv", [title, *crops(3, SIZE, seed=20 + number)])
    found = build_dataset([str(tmp_path / f"{number}.mkv") for number in range(2)], tmp_path / "set", BuildOptions())
    assert sum(film.faults.get("repeated", 0) for film in found) >= 1


def test_a_build_that_was_killed_goes_on(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    build_dataset([str(films)], whole, BuildOptions())
    real, counted = build.film_stills, []

    def dying(*arguments: object) -> Iterator[object]:
        for still in real(*arguments):  # type: ignore[arg-type]
            counted.append(still)
            if len(counted) == 14:  # in the third film
                raise KeyboardInterrupt
            yield still

    with monkeypatch.context() as patch:
        patch.setattr(build, "film_stills", dying)
        with pytest.raises(KeyboardInterrupt):
            build_dataset([str(films)], cut, BuildOptions())
    assert 0 < len(read_index([cut], "train") + read_index([cut], "val")) < len(rows(whole))
    read: list[str] = []
    build_dataset([str(films)], cut, BuildOptions(), lambda source, _share, _kept: read.append(source))
    assert len(set(read)) == 1  # the films that were done are not read again
    assert (cut / "index.jsonl").read_text() == (whole / "index.jsonl").read_text()
    assert sorted(path.name for path in cut.iterdir()) == sorted(path.name for path in whole.iterdir())


@pytest.fixture
def server(films: Path) -> Iterator[str]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(films))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_films_come_from_addresses(server: str, tmp_path: Path) -> None:
    (found,) = build_dataset([f"{server}/film-1.mkv"], tmp_path / "set", BuildOptions())
    assert found.stills >= 5
    assert found.source == f"{server}/film-1.mkv"
    assert not list((tmp_path / "set" / "downloads").iterdir())


def test_a_dead_address_is_named(server: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"missing\.mkv can't be downloaded"):
        build_dataset([f"{server}/missing.mkv"], tmp_path / "set", BuildOptions())
    assert not (tmp_path / "set" / "index.jsonl").exists()


def test_youtube_goes_to_pytube(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site can't be reached from here: pytubefix's own interface stands in for it."""
    import pytubefix

    class Stream:
        def __init__(self, resolution: str | None) -> None:
            self.resolution = resolution

        def download(self, output_path: str) -> str:
            assert self.resolution == "720p"
            copy = Path(output_path) / "clip.mkv"
            copy.write_bytes((films / "film-2.mkv").read_bytes())
            return str(copy)

    class Streams:
        def filter(self, **wanted: str) -> list[Stream]:
            assert wanted == {"type": "video", "subtype": "mp4"}
            return [Stream("360p"), Stream("720p"), Stream("2160p"), Stream(None)]

    class YouTube:
        def __init__(self, address: str) -> None:
            assert address == "https://www.youtube.com/watch?v=abc"
            self.streams = Streams()

    monkeypatch.setattr(pytubefix, "YouTube", YouTube)
    film = download.download("https://www.youtube.com/watch?v=abc", tmp_path / "downloads")
    assert film.read_bytes() == (films / "film-2.mkv").read_bytes()


def test_what_pytube_cannot_fetch_yt_dlp_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pytubefix
    from pytubefix.exceptions import PytubeFixError

    def fail(_address: str) -> None:
        raise PytubeFixError("the site changed")

    tried = []
    monkeypatch.setattr(pytubefix, "YouTube", fail)
    monkeypatch.setattr(download, "_by_yt_dlp", lambda address, folder: tried.append(address) or folder / "x.mp4")
    assert download.download("https://youtu.be/abc", tmp_path) == tmp_path / "x.mp4"
    assert tried == ["https://youtu.be/abc"]


def test_films_without_colour_say_so(tmp_path: Path) -> None:
    film = Film(size=SIZE, pts=range(50)).write(tmp_path / "gray.mkv")
    with pytest.raises(DatasetError, match=r"no still of 1 films is fit .*colourless"):
        build_dataset([str(film)], tmp_path / "set", BuildOptions())


def test_an_empty_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no films"):
        build_dataset([str(tmp_path)], tmp_path / "set", BuildOptions())
    with pytest.raises(DatasetError, match="neither a file"):
        build_dataset([str(tmp_path / "nothing.mkv")], tmp_path / "set", BuildOptions())


def test_a_film_that_is_no_film_is_named_and_the_others_are_used(films: Path, tmp_path: Path) -> None:
    (films / "broken.mkv").write_bytes(b"not a film")
    found = build_dataset([str(films)], tmp_path / "set", BuildOptions())
    assert [Path(film.source).name for film in found if film.problem] == ["broken.mkv"]
    assert sum(film.stills for film in found) >= 15


def test_a_full_disk_leaves_a_set_that_is_whole(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "set"
    build_dataset([str(films / "film-0.mkv")], out, BuildOptions())
    before = (out / "index.jsonl").read_text()
    monkeypatch.setattr(build, "_add_jpeg", full)
    with pytest.raises(DatasetError, match="No space left"):
        build_dataset([str(films)], out, BuildOptions())
    assert (out / "index.jsonl").read_text() == before
    assert read_index([out], "train")


def test_a_film_cut_short_gives_what_it_has_and_says_so(films: Path, tmp_path: Path) -> None:
    film = write_colour_film(films / "long.mkv", crops(12, SIZE, seed=9))
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    (found,) = build_dataset([str(film)], tmp_path / "set", BuildOptions())
    assert 3 <= found.stills <= 8
    assert "is damaged: it ends after" in found.problem
    shard = tmp_path / "set" / found.shard
    with tarfile.open(shard) as tar:
        assert len(tar.getnames()) == found.stills
    assert shard.stat().st_size % tarfile.RECORDSIZE == 0  # closed as tar files are


@pytest.mark.parametrize("values", [{"every": 0}, {"short_side": 8}, {"validation": 1.5}, {"every": float("nan")}])
def test_impossible_options_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(values)).replace("_", "-")):
        BuildOptions(**values)  # type: ignore[arg-type]


def test_statistics_and_pictures_to_judge_by(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    build_dataset([str(films)], out, BuildOptions())
    found = describe(read_index([out], "train"), out)
    assert json.loads((out / "statistics.json").read_text())["stills"] == found.stills
    assert np.sum(found.histogram) == pytest.approx(1, abs=1e-3)
    expected = np.mean(
        [
            cv2.cvtColor(p.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 1:].mean((0, 1))
            for p in (still.read() for still in read_index([out], "train"))
        ],
        axis=0,
    )
    np.testing.assert_allclose(found.cast, expected, atol=1e-3)
    for name in ("contact-sheet.png", "colours.png"):
        assert cv2.imread(str(out / name)).std() > 10

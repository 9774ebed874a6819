"""Build a set of stills from colour films, a film at a time, so that a build that was cut off can go on."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamcolor.errors import DatasetError, InputError, OptionError
from streamcolor.media.reader import probe
from streamcolor.media.stills import film_stills, stills_across

from .download import download, is_address
from .selection import Fault, StillSelection, content_box
from .shards import INDEX, Split
from .stills import resize

_FILMS = "films.jsonl"
_SUFFIXES = {".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".nut", ".ogv", ".ts", ".webm", ".wmv"}
_JPEG_QUALITY = 92
_SAMPLES_FOR_BARS = 24


@dataclass(frozen=True)
class BuildOptions:
    """How stills are taken.

    Raises:
        OptionError: a number is outside its range.
    """

    #: Seconds from one still to the next.
    every: float = 1.0
    #: Larger stills are reduced to this, in pixels.
    short_side: int = 256
    #: Share of the films that is held out: at least one, where there are two.
    validation: float = 0.1

    def __post_init__(self) -> None:
        if not 0.01 <= self.every <= 3600:
            raise OptionError(f"every is {self.every}, but must be from 0.01 to 3600 seconds")
        if self.short_side < 32:
            raise OptionError(f"short-side is {self.short_side}, but must be at least 32 pixels")
        if not 0 <= self.validation < 1:
            raise OptionError(f"validation is {self.validation}, but must be from 0 to less than 1")


@dataclass(frozen=True)
class FilmRecord:
    """A film that is done: a line of the set's ``films.jsonl``."""

    #: The path or address that it came from.
    source: str
    split: Split
    shard: str
    stills: int
    #: Stills left out, by fault.
    faults: dict[str, int]
    #: Why the film, or its end, could not be read; "" where it could.
    problem: str


#: Called with a film's source, the share of it that is done (None where its length is unknown), and the stills kept.
OnProgress = Callable[[str, float | None, int], None]


def build_dataset(
    sources: Sequence[str], folder: Path, options: BuildOptions, on_progress: OnProgress | None = None
) -> list[FilmRecord]:
    """Make or go on with a set of stills: tar shards of JPEG, ``index.jsonl`` and ``films.jsonl``.

    A film's shard and its lines appear when it is done; films that are done already are not read again, and keep their
    side of the split. Films that gave nothing but a problem are tried again the next time.

    Args:
        sources: film files, folders of them, or addresses.

    Returns the films of the whole set.

    Raises:
        DatasetError: no films are found, none gives a still, or the set can't be written.
        MissingExtraError: a downloader is not installed.
    """
    films = list(_films(sources))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = [FilmRecord(**row) for row in _read_lines(folder / _FILMS)]
        known = {film.source for film in done}
        new = sorted(set(films) - known)
        splits = _splits(new, done, options.validation)
        for source in new:
            done.append(_add_film(source, splits[source], folder, options, on_progress))
            _write_lines(folder / _FILMS, [asdict(film) for film in done if film.stills or not film.problem])
    except OSError as error:
        raise DatasetError(f"the set in {folder} can't be written: {error}; run the command again to go on") from error
    if not any(film.stills for film in done):
        faults = sum((Counter(film.faults) for film in done), Counter[str]())
        counts = ", ".join(f"{number} {fault}" for fault, number in faults.most_common()) or "none at all"
        problems = "".join(f"; {film.problem}" for film in done if film.problem)
        raise DatasetError(f"no still of {len(done)} films is fit to learn from (left out: {counts}{problems})")
    return done


def _films(sources: Sequence[str]) -> Iterator[str]:
    for source in sources:
        path = Path(source)
        if is_address(source) or path.is_file():
            yield source if is_address(source) else str(path.resolve())
        elif path.is_dir():
            found = sorted(str(file.resolve()) for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES)
            if not found:
                raise DatasetError(f"{source} holds no films ({', '.join(sorted(_SUFFIXES))})")
            yield from found
        else:
            raise DatasetError(f"{source} is neither a file, a folder nor an address")


def _splits(new: Sequence[str], done: Sequence[FilmRecord], share: float) -> dict[str, Split]:
    """A side for each new film, so that the whole set has its share of films held out."""
    used = [film for film in done if film.stills]
    total = len(new) + len(used)
    wanted = 0 if total < 2 or share == 0 else max(1, round(total * share))
    missing = max(0, wanted - sum(film.split == "val" for film in used))
    by_hash = sorted(new, key=lambda source: _digest(Path(source).name))
    return {source: "val" if number < missing else "train" for number, source in enumerate(by_hash)}


def _add_film(
    source: str, split: Split, folder: Path, options: BuildOptions, on_progress: OnProgress | None
) -> FilmRecord:
    """Take a film's stills into a shard of its own and the set's index."""
    name = f"{split}-{_digest(source)}"
    # A build that was killed between the two files has its stills in the index, but not the film as done.
    index = [row for row in _read_lines(folder / INDEX) if row["shard"] != f"{name}.tar"]
    selection = StillSelection(int(row["hash"], 16) for row in index)
    rows: list[dict[str, Any]] = []
    faults: Counter[Fault] = Counter()
    problem = ""
    unfinished = folder / f"{name}.partial"
    downloads = folder / "downloads" / _digest(source)
    with tarfile.open(unfinished, "w") as tar:
        try:
            film = download(source, downloads) if is_address(source) else Path(source)
            length = probe(film).duration
            for time, picture in _content(film, options.every):
                reduced = _reduce(picture, options.short_side)
                fault = selection.fault(reduced)
                if fault:
                    faults[fault] += 1
                else:
                    file = f"{name}-{len(rows):06}.jpg"
                    _add_jpeg(tar, file, reduced)
                    place = {"shard": f"{name}.tar", "split": split, "source": Path(source).name, "file": file}
                    rows.append(place | _description(reduced, time, selection.latest_hash))
                if on_progress:
                    on_progress(source, float(time / length) if length else None, len(rows))
        except (InputError, DatasetError) as error:
            problem = str(error)
    shutil.rmtree(downloads, ignore_errors=True)
    if rows:
        unfinished.replace(folder / f"{name}.tar")
        _write_lines(folder / INDEX, index + rows)
    unfinished.unlink(missing_ok=True)
    return FilmRecord(source, split, f"{name}.tar" if rows else "", len(rows), dict(faults.items()), problem)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _content(film: Path, every: float) -> Iterator[tuple[Fraction, NDArray[np.uint8]]]:
    """Stills without black bars."""
    rows, columns = content_box(stills_across(film, _SAMPLES_FOR_BARS))
    for time, picture in film_stills(film, Fraction(every).limit_denominator(1000)):
        yield time, picture[rows, columns]


def _reduce(picture: NDArray[np.uint8], short_side: int) -> NDArray[np.uint8]:
    scale = short_side / min(picture.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(picture)
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return resize(picture, height, width)


def _add_jpeg(tar: tarfile.TarFile, file: str, picture: NDArray[np.uint8]) -> None:
    jpeg = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    member = tarfile.TarInfo(file)
    member.size = len(jpeg)
    tar.addfile(member, io.BytesIO(jpeg))


def _description(picture: NDArray[np.uint8], time: Fraction, own_hash: int) -> dict[str, Any]:
    height, width = picture.shape[:2]
    return {"time": round(float(time), 3), "h": height, "w": width, "hash": f"{own_hash:016x}"}


def _read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def _write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """All lines anew, so that a reader sees the old file or the new one."""
    unfinished = path.with_suffix(".partial")
    unfinished.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    unfinished.replace(path)

"""The command that compares two films."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click
import numpy as np
from rich.table import Table

from .compare import Arrangement, Comparison, FilmFigures, Stretch, compare
from .console import EPILOG, ERR, OUT, debug_option, errors_as_lines, json_option

_film = click.Path(path_type=Path)


@click.command("compare", epilog=EPILOG)
@click.argument("first", type=_film)
@click.argument("second", type=_film)
@click.option("-o", "--output", type=_film, help="A film that shows both, or a .png of the first frames of shots.")
@click.option(
    "--arrangement",
    type=click.Choice(get_args(Arrangement)),
    default="side-by-side",
    show_default=True,
    help="One beside the other, a half of each, or a border that moves across.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@json_option
@debug_option
def _compare(
    first: Path,
    second: Path,
    output: Path | None,
    arrangement: Arrangement,
    overwrite: bool,
    as_json: bool,
    debug: bool,
) -> None:
    """Compare FIRST and SECOND, two films of the same pictures, frame by frame."""
    with errors_as_lines(debug):
        found = compare(first, second, output, arrangement=arrangement, overwrite=overwrite)
        if as_json:
            shots = [_summary(shot) for shot in found.shots]
            print(json.dumps({"whole": _summary(found.whole), "shots": shots, "surplus": found.surplus}))
            return
        if found.surplus:
            longer = first if found.surplus > 0 else second
            ERR.print(f"note: {longer} has {abs(found.surplus)} frames more, which are not compared")
        OUT.print(_whole_table(found, (first.name, second.name)))
        if len(found.shots) > 1:
            OUT.print(_shots_table(found.shots))


_FIGURES = {
    "chroma": "mean chroma, ab units",
    "colourfulness": "colourfulness (Hasler and Süsstrunk)",
    "warping": "warping error to the frame before, ab units",
    "warping_far": "warping error to five frames before, ab units",
}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _figures(film: FilmFigures) -> dict[str, float | None]:
    return {field.name: _mean(getattr(film, field.name)) for field in dataclasses.fields(film)}


def _summary(stretch: Stretch) -> dict[str, object]:
    return {
        "begin": stretch.begin,
        "frames": stretch.frames,
        "luma_difference": _mean(stretch.luma_distance),
        "colour_difference": _mean(stretch.colour_distance),
        "first": _figures(stretch.first),
        "second": _figures(stretch.second),
    }


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _whole_table(found: Comparison, names: tuple[str, str]) -> Table:
    whole = found.whole
    first, second = _figures(whole.first), _figures(whole.second)
    table = Table("figure", *names, "between them")
    table.add_row("frames compared, shots", str(whole.frames), str(len(found.shots)), "")
    table.add_row("luma difference, 8-bit codes", "", "", _text(_mean(whole.luma_distance)))
    table.add_row("colour difference, ab units", "", "", _text(_mean(whole.colour_distance)))
    for name, label in _FIGURES.items():
        table.add_row(label, _text(first[name]), _text(second[name]), "")
    return table


def _shots_table(shots: Sequence[Stretch]) -> Table:
    table = Table("shot", "first frame", "frames", "chroma", "warping error", "five frames", "colour difference")
    for number, shot in enumerate(shots, start=1):
        first, second = _figures(shot.first), _figures(shot.second)
        pairs = [f"{_text(first[name])} / {_text(second[name])}" for name in ("chroma", "warping", "warping_far")]
        table.add_row(str(number), str(shot.begin), str(shot.frames), *pairs, _text(_mean(shot.colour_distance)))
    return table


commands = {"compare": _compare}

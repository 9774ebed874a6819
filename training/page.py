"""A comparison as a page to look at: the table, and every column's pictures of the same stills."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .data.lab import write_picture
from .data.shards import Still
from .data.stills import evenly
from .evaluate import Scores, table_rows

#: Stills on a page, from all over the set.
_SHOWN = 40
_STYLE = """
body { font: 15px/1.4 sans-serif; margin: 2em; background: #777; color: #fff }
table { border-collapse: collapse; margin-bottom: 2em }
td, th { padding: 3px 12px; text-align: right; border-bottom: 1px solid #999 }
td:first-child, th:first-child { text-align: left }
img { display: block; width: 240px }
"""


class EvaluationPage:
    """A folder with ``index.html`` and its pictures.

    Args:
        folder: made where it does not exist.
        names: of the columns between gray and true.
        stills: those that :meth:`show` will get; some of them are shown.
    """

    def __init__(self, folder: Path, names: Sequence[str], stills: Sequence[Still]) -> None:
        self._folder = folder
        self._names = names
        self._shown = set(evenly(stills, _SHOWN))
        self._rows: list[str] = []
        (folder / "pictures").mkdir(parents=True, exist_ok=True)

    def show(self, still: Still, pictures: list[NDArray[np.uint8]]) -> None:
        """Take up one still's pictures, sRGB ``uint8 (h, w, 3)``, if it is one of those shown.

        Raises:
            DatasetError: a file can't be written.
        """
        if still not in self._shown:
            return
        cells = []
        for number, picture in enumerate(pictures):
            name = f"pictures/{len(self._rows):03}-{number}.jpg"
            write_picture(self._folder / name, picture)
            cells.append(f'<td><img src="{name}" alt="{html.escape(still.file)}"></td>')
        self._rows.append(f"<tr>{''.join(cells)}</tr>")

    def write(self, scores: Sequence[Scores]) -> None:
        """Finish the page."""
        figures = [_row("td", [name, *cells]) for name, cells in table_rows(scores)]
        table = _row("th", ["", *self._names]) + "".join(figures)
        pictures = _row("th", ["gray", *self._names, "true"]) + "".join(self._rows)
        (self._folder / "index.html").write_text(
            f'<!doctype html><meta charset="utf-8"><title>Evaluation</title><style>{_STYLE}</style>'
            f"<table>{table}</table><table>{pictures}</table>\n",
            encoding="utf-8",
        )


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

"""Random access to JPEG stills in tar shards with a JSON-lines index."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from streamcolor.errors import DatasetError

Split = Literal["train", "val"]

#: A set's index.
INDEX = "index.jsonl"

#: One still in this many is held out for validation.
_VALIDATION_SHARE = 40


@dataclass(frozen=True)
class Still:
    """Where one JPEG lies: bytes ``offset`` to ``offset + size`` of ``shard``."""

    shard: Path
    file: str
    #: The set or film it comes from.
    source: str
    #: Its class in that set, "" where there is none.
    label: str
    offset: int
    size: int

    def read(self) -> NDArray[np.uint8]:
        """Decoded picture, ``uint8 (h, w, 3)``, sRGB in R, G, B order.

        Raises:
            DatasetError: the bytes are not a picture.
        """
        with self.shard.open("rb") as shard:
            shard.seek(self.offset)
            jpeg = np.frombuffer(shard.read(self.size), np.uint8)
        picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB)
        if picture is None:
            raise DatasetError(f"{self.shard}: {self.file} is not a readable picture; build the shard anew")
        return picture.astype(np.uint8, copy=False)


def _split_by_name(file: str) -> Split:
    """Side of a still whose index names none: by a hash of its name, so that it never changes sides."""
    digest = hashlib.sha256(file.encode()).digest()
    return "val" if int.from_bytes(digest[:8], "big") % _VALIDATION_SHARE == 0 else "train"


def _members(shard: Path) -> dict[str, tarfile.TarInfo]:
    try:
        with tarfile.open(shard) as tar:
            return {member.name: member for member in tar}
    except (OSError, tarfile.TarError) as error:
        raise DatasetError(f"{shard} can't be read as a tar file ({error}); build it anew") from error


def read_index(folders: Sequence[Path], split: Split) -> list[Still]:
    """Stills of one side of the split, in the order of the folders' indexes.

    Each folder holds tar shards and an ``index.jsonl`` whose lines name ``shard``, ``file`` and ``source``, and may
    name ``class`` and ``split``.

    Raises:
        DatasetError: a folder has no index, a shard is damaged, or the index names a file that no shard holds.
    """
    stills = []
    for folder in folders:
        index = folder / INDEX
        if not index.is_file():
            raise DatasetError(f"{folder} has no index.jsonl; it must be a folder of stills in tar shards")
        places: dict[str, dict[str, tarfile.TarInfo]] = {}
        for number, line in enumerate(index.read_text("utf-8").splitlines(), start=1):
            try:
                row = json.loads(line)
                shard, file, source = row["shard"], row["file"], row["source"]
            except (ValueError, KeyError, TypeError) as error:
                raise DatasetError(f"{index}, line {number}, describes no still ({error!r}); build it anew") from error
            if row.get("split", _split_by_name(file)) != split:
                continue
            if shard not in places:
                places[shard] = _members(folder / shard)
            member = places[shard].get(file)
            if member is None:
                raise DatasetError(f"{index} names {file}, which {shard} does not hold; build it anew")
            stills.append(
                Still(
                    folder / shard,
                    file,
                    source,
                    row.get("class", ""),
                    member.offset_data,
                    member.size,
                )
            )
    return stills

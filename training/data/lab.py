"""Pictures as lightness and chroma, and back, and into files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamcolor.errors import DatasetError


def split_lab(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """L* ``(h, w)`` in [0, 100] and ab ``(h, w, 2)`` of an sRGB picture ``uint8 (h, w, 3)`` (CIE 15, D65)."""
    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    return lab[..., 0], lab[..., 1:]


def join_lab(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The sRGB picture ``uint8 (h, w, 3)`` of L* ``(h, w)`` and ab ``(2, ...)``, which is resized to it bilinearly."""
    height, width = lightness.shape
    full = (cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in ab)
    picture = cv2.cvtColor(np.stack([lightness, *full], axis=-1), cv2.COLOR_LAB2RGB)
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write an sRGB ``uint8 (h, w, 3)`` or gray ``uint8 (h, w)`` picture in the format of the path's suffix.

    Raises:
        DatasetError: the file can't be written.
    """
    coded = cv2.imencode(path.suffix, picture[..., ::-1] if picture.ndim == 3 else picture)[1]
    try:
        path.write_bytes(coded.tobytes())
    except OSError as error:
        raise DatasetError(f"{path} can't be written: {error.strerror or error}") from error

"""Stills out of a colour film, as sRGB pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from ..errors import InputError
from .pixels import color_tags
from .reader import FilmReader
from .sources import local_source

#: Seconds by which the picture may end before the container's longest stream.
_TOLERANCE = Fraction(5)

#: sRGB ``uint8 (h, w, 3)``.
Picture = NDArray[np.uint8]


def film_stills(path: Path, every: Fraction) -> Iterator[tuple[Fraction, Picture]]:
    """The first frame at or after each multiple of ``every`` seconds, with its time since the film's first frame.

    Frames that no other frame needs are skipped by the decoder, so that a time may be missed by a few frames.

    Raises:
        InputError: the file can't be read as a film or, after the last still, it ends earlier than it announces.
    """
    with FilmReader(local_source(path)) as reader:
        reader.video_stream.codec_context.skip_frame = "NONREF"
        start, due, time = reader.info.video.start, Fraction(0), Fraction(0)
        for item in reader:
            if not isinstance(item, av.VideoFrame):
                continue
            assert item.pts is not None, "the reader sets every frame's"
            time = item.pts * reader.info.video.time_base - start
            if time >= due:
                yield time, picture_of(item, reader.info.video.pixel_aspect)
                due = (time // every + 1) * every
        length = reader.info.duration
        if length is not None and time + max(every, _TOLERANCE) < length:
            raise InputError(f"{path} is damaged: it ends after {float(time):.0f} of {float(length):.0f} seconds")


def stills_across(path: Path, count: int) -> Iterator[Picture]:
    """About ``count`` stills from all over a film, by seeking; just the first where its length is unknown.

    Raises:
        InputError: the file can't be read as a film.
    """
    with FilmReader(local_source(path)) as reader:
        length = reader.info.duration or Fraction(0)
    for number in range(count if length else 1):
        with FilmReader(local_source(path), start=length * number / count) as reader:
            frame = next((item for item in reader if isinstance(item, av.VideoFrame)), None)
            if frame is not None:
                yield picture_of(frame, reader.info.video.pixel_aspect)


def picture_of(frame: av.VideoFrame, pixel_aspect: Fraction) -> Picture:
    """The frame in sRGB with square pixels, by its own matrix and range.

    Raises:
        InputError: a pixel format that can't be converted.
    """
    tags = color_tags(frame)
    try:
        converted = frame.reformat(
            width=round(frame.width * pixel_aspect),
            format="rgb24",
            src_colorspace=tags.matrix,
            src_color_range=ColorRange.JPEG if tags.full_range else ColorRange.MPEG,
        )
    except (av.error.FFmpegError, ValueError) as error:
        raise InputError(f"{frame.format.name} frames can't be turned into pictures: {error}") from error
    return converted.to_ndarray().astype(np.uint8, copy=False)

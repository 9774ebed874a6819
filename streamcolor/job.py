"""One film from a file to a file: reader, Colorizer, writer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import av

from .colorizer import Colorizer
from .errors import InputError, OptionError, OutputError
from .media.containers import container_of, default_output
from .media.encoding import choose_encoding
from .media.reader import FilmReader
from .media.writer import FilmWriter
from .options import FilmOptions
from .progress import Progress, Report


def colorize(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Report:
    """Colour a film.

    Args:
        source: a local film.
        output: where the coloured film goes, in the container that its suffix names; where None, beside the source
            as ``NAME.color.EXT``.
        progress: called after each frame.
        options: the fields of :class:`streamcolor.FilmOptions`.

    Raises:
        OptionError: an option is unknown or out of range.
        InputError: the source can't be read as a film.
        OutputError: the output can't be written as asked; the source and what stood there are untouched.
        EngineError: the engine or the model can't be had.
    """
    try:
        film_options = FilmOptions(**options)
    except TypeError as error:
        raise OptionError(f"unknown option: {error}") from None
    return run_job(Path(source), None if output is None else Path(output), film_options, progress)


def run_job(
    source: Path, output: Path | None, options: FilmOptions, progress: Callable[[Progress], None] | None
) -> Report:
    """As :func:`colorize`, with the options made."""
    begin = time.perf_counter()
    with FilmReader(source, start=options.start, duration=options.duration) as reader:
        info = reader.info
        output = output or default_output(source)
        container = container_of(output)
        if output.exists() and output.samefile(source):
            raise OutputError(f"{output} is the input itself; name another output with -o")
        encoding = choose_encoding(info.video, container, options)
        info.video.tags.coding(encoding.layout.bits)
        notes = [
            f"{stream.kind} stream {stream.index} ({stream.codec}) was left out: only known sound is copied so far"
            for stream in info.streams
            if not stream.is_copied and stream.index != info.video.index
        ]
        with (
            FilmWriter(output, container, encoding, reader, overwrite=options.overwrite) as writer,
            Colorizer(options, layout=encoding.layout, pixel_aspect=info.video.pixel_aspect) as colorizer,
            closing(colorizer.colorize_frames(reader)) as items,  # the first to end: its threads use the others
        ):
            frames = 0
            rate = None if info.video.rate is None else float(info.video.rate)
            for item in items:
                if isinstance(item, av.Packet):
                    writer.write_packet(item)
                    continue
                with colorizer.times.measure("encode"):
                    writer.write_frame(item)
                frames += 1
                if progress is not None:
                    progress(Progress(frames, reader.expected_frames, time.perf_counter() - begin, rate))
            if frames == 0:
                raise InputError(f"{source}: no frame could be decoded" + _range_hint(options))
            with colorizer.times.measure("encode"):
                writer.finish()
            engine, spec = colorizer.engine.description, colorizer.engine.spec
            stage_seconds = dict(colorizer.times.seconds)
        if reader.frames_lost:
            notes.append(f"{source} is damaged: about {reader.frames_lost} frames could not be decoded")
    seconds = time.perf_counter() - begin
    return Report(
        input=source,
        output=output,
        frames=frames,
        frames_lost=reader.frames_lost,
        seconds=seconds,
        fps=frames / seconds,
        engine=engine,
        model=f"{spec.name} {spec.version}",
        encoding=str(encoding),
        stage_seconds=stage_seconds,
        notes=notes,
    )


def _range_hint(options: FilmOptions) -> str:
    return "" if not options.start and options.duration is None else " between --start and its end"

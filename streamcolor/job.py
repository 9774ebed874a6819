"""One film from where it is to where it goes: reader, Colorizer, writer."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from .colorizer import Colorizer
from .errors import InputError, OptionError, OutputError
from .media.containers import Container, container_named, container_of, default_output
from .media.encoding import choose_encoding
from .media.plan import Plan, plan_film
from .media.reader import FilmReader, begin_of
from .media.sources import PIPE, Source, find_source
from .media.targets import FileTarget, PipeTarget, Target
from .media.writer import FilmWriter
from .options import FilmOptions
from .progress import Progress, Report

_PIPE_FORMAT = "matroska"
#: Seconds before ``start`` in which the beginning of its shot is looked for, first and then.
_WINDOWS = (5, 30)


def colorize(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
    announce: Callable[[str], None] | None = None,
    **options: Any,
) -> Report:
    """Colour a film.

    Args:
        source: a local film, "-" for standard input, or with ``allow_network`` an address.
        output: where the coloured film goes, in the container that its suffix names, or "-" for standard output;
            where None, beside the source as ``NAME.color.EXT``.
        progress: called after each frame.
        announce: called before the first frame with each thing that the output will lack or change, as a line; later
            where an engine fails and another takes over.
        options: the fields of :class:`streamcolor.FilmOptions`.

    Raises:
        OptionError: an option is unknown or out of range.
        InputError: the source can't be read as a film.
        OutputError: the output can't be written as asked; the source and what stood there are untouched.
        PipeClosedError: nobody reads standard output any more.
        EngineError: the engine or the model can't be had.
    """
    try:
        film_options = FilmOptions(**options)
    except TypeError as error:
        raise OptionError(f"unknown option: {error}") from None
    return run_job(os.fspath(source), None if output is None else os.fspath(output), film_options, progress, announce)


def run_job(
    source: str,
    output: str | None,
    options: FilmOptions,
    progress: Callable[[Progress], None] | None,
    announce: Callable[[str], None] | None,
) -> Report:
    """As :func:`colorize`, with the options made."""
    begin = time.perf_counter()
    found = find_source(source, options)
    container, path = _destination(found, output, options)
    with ExitStack() as stack:
        reader = stack.enter_context(
            FilmReader(found, start=options.start, duration=options.duration, low_latency=options.low_latency)
        )
        plan = plan_job(reader, container, options, seekable=path is not None)
        if plan.losses and options.strict:
            raise OutputError(f"{output or path} would not be the whole film: {'; '.join(plan.losses)}")
        target: Target = PipeTarget() if path is None else FileTarget(path, overwrite=options.overwrite)
        notes: list[str] = []

        def tell(line: str) -> None:
            notes.append(line)
            if announce is not None:
                announce(line)

        for line in (*plan.losses, *plan.changes):
            tell(line)
        writer = stack.enter_context(FilmWriter(target, plan, reader))
        video = reader.info.video
        colorizer = stack.enter_context(
            Colorizer(options, layout=plan.encoding.layout, pixel_aspect=video.pixel_aspect, announce=tell)
        )
        if options.start and options.stabilize and found.is_seekable and not options.low_latency:
            reader.lead_in = _begin_of_shot(found, options.start, colorizer, tell)
        coloured: Generator[av.VideoFrame | av.Packet[Any]] = colorizer.colorize_frames(reader)
        items = stack.enter_context(closing(coloured))  # the first to end: its threads use the others
        frames = 0
        rate = None if video.rate is None else float(video.rate)
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
            raise InputError(f"{found.name}: no frame could be decoded" + _hint(options))
        with colorizer.times.measure("encode"):
            writer.finish()
        engine, spec = colorizer.engine.description, colorizer.engine.spec
        notes += _what_happened(reader, writer, colorizer, options)
    seconds = time.perf_counter() - begin
    return Report(
        input=found.name,
        output=path,
        frames=frames,
        frames_lost=reader.frames_lost,
        seconds=seconds,
        fps=frames / seconds,
        engine=engine,
        model=f"{spec.name} {spec.version}",
        encoding=str(plan.encoding),
        stage_seconds=dict(colorizer.times.seconds),
        mean_delay=colorizer.delays.mean,
        longest_delay=colorizer.delays.longest,
        colours_reused=colorizer.colours_reused,
        repeats=colorizer.repeats,
        notes=notes,
    )


def plan_job(reader: FilmReader, container: Container, options: FilmOptions, *, seekable: bool = True) -> Plan:
    """What becomes of an open film in a container.

    Raises:
        InputError: colours that can't be computed with.
        OutputError: the encoding can't be had.
    """
    encoding = choose_encoding(reader.info.video, container, options)
    reader.info.video.tags.coding(encoding.layout.bits)
    if encoding.verified and not seekable:
        raise OutputError(
            "what goes through a pipe can't be verified; name an output file for --codec archive, or use --codec ffv1"
        )
    return plan_film(reader, container, encoding, seekable=seekable)


def _begin_of_shot(source: Source, time: Fraction, colorizer: Colorizer, announce: Callable[[str], None]) -> Fraction:
    """When the shot at ``time`` begins, both in seconds after the film's first frame; not too long before."""
    for window in _WINDOWS:
        earliest = max(Fraction(0), time - window)
        with FilmReader(source, start=earliest, duration=time - earliest) as reader:
            frames = (item for item in reader if isinstance(item, av.VideoFrame))
            begins = [begin_of(frame) for frame, is_new in colorizer.find_shots(frames) if is_new]
            first, tick = reader.info.video.start, reader.video_stream.time_base or Fraction(0)
        if not begins:  # the film ends before
            return time
        # The first frame that is looked at always counts as new.
        if len(begins) > 1 or not earliest:
            return earliest + begins[-1] - first - tick / 2  # times less ``earliest`` were rounded to ticks
    announce(
        f"no shot begins in the {_WINDOWS[-1]} s before --start; "
        "colours may differ a little from those of the whole film"
    )
    return earliest


def _destination(source: Source, output: str | None, options: FilmOptions) -> tuple[Container, Path | None]:
    """The output's container, and its path where it is a file.

    Raises:
        OptionError: a source without a name of its own needs an output.
        OutputError: the output can't be told, or must not be written to.
    """
    if output == PIPE:
        if sys.stdout is not None and sys.stdout.isatty():
            raise OutputError("a film is nothing for a terminal; send standard output into a pipe or a file")
        return container_named(options.output_format or _PIPE_FORMAT), None
    if output is None and source.path is None:
        raise OptionError(f"name an output for {source.name} with -o, or -o - for standard output")
    path = default_output(source.path) if output is None and source.path is not None else Path(str(output))
    container = container_named(options.output_format) if options.output_format else container_of(path)
    if source.path is not None and path.exists() and source.path.exists() and path.samefile(source.path):
        raise OutputError(f"{path} is the input itself; name another output with -o")
    return container, path


def _what_happened(reader: FilmReader, writer: FilmWriter, colorizer: Colorizer, options: FilmOptions) -> list[str]:
    name = reader.source.name
    notes = []
    if reader.frames_lost:
        hint = _hint(options) if options.input_format == "rawvideo" else ""
        notes.append(f"{name} is damaged: about {reader.frames_lost} frames could not be decoded{hint}")
    if reader.broken_off is not None:
        notes.append(f"{name} could not be read to its end: {reader.broken_off.lower()}")
    notes += writer.failures
    counts = {
        "places where its times jump back, as where films were joined, and were made to go on": reader.joins,
        "frames whose times ran back, and have the time of the frame before": reader.times_mended,
        "copied packets whose times ran back, and have the time of the one before": writer.times_mended,
        "frames that have the colours of the one before, since time was short": colorizer.colours_reused,
    }
    return [*notes, *(f"{name}: {what}: {count}" for what, count in counts.items() if count)]


def _hint(options: FilmOptions) -> str:
    if options.input_format == "rawvideo":
        return f"; is it {options.size} {options.pix_fmt}?"
    return "" if not options.start and options.duration is None else " between --start and its end"

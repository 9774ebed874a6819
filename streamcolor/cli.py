"""The command line: parse, call, render."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table
from rich.text import Text

from . import doctor, job
from .console import EPILOG, ERR, OUT, complain, debug_option, errors_as_lines, json_option
from .errors import OptionError
from .media.containers import container_of, default_output
from .media.plan import Plan
from .media.probe import FilmInfo
from .media.reader import FilmReader
from .media.sources import PIPE, find_source
from .media.timing import format_time, parse_time
from .options import FilmOptions
from .progress import Progress, Report

#: Commands of other modules, which are imported when one of them is called.
_ELSEWHERE = {
    **dict.fromkeys(("dataset", "train", "evaluate", "export"), "training.cli"),
    "compare": "compare_cli",
    "engine": "engine_cli",
}


class _Time(click.ParamType[Fraction]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:  # noqa: ARG002
        return value if isinstance(value, Fraction) else parse_time(value)


def _film_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of FilmOptions, and the options made as its argument ``options``."""
    fields = dataclasses.fields(FilmOptions)

    @functools.wraps(command)
    def collect(**values: Any) -> None:
        options = FilmOptions(**{field.name: values.pop(field.name) for field in fields})
        command(options=options, **values)

    for field in reversed(fields):
        name = f"--{field.name.replace('_', '-')}"
        help_text = field.metadata["help"]
        if field.default is False:
            option = click.option(name, is_flag=True, help=help_text)
        else:
            shown = field.default is not None and not isinstance(field.default, Fraction)
            option = click.option(
                name, type=_click_type(str(field.type)), default=field.default, show_default=shown, help=help_text
            )
        collect = option(collect)
        if field.name == "stabilize":
            collect = click.option("--no-stabilize", "stabilize", flag_value=0.0, help="As --stabilize 0.")(collect)
    return collect


def _click_type(annotation: str) -> click.ParamType[Any] | type:
    base = annotation.removesuffix(" | None")
    return _Time() if base == "Fraction" else {"str": str, "int": int, "float": float}[base]


class _Commands(click.Group):
    """The commands below, and those elsewhere."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_ELSEWHERE]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in _ELSEWHERE:
            command: click.Command = importlib.import_module(f"{__package__}.{_ELSEWHERE[name]}").commands[name]
            return command
        return super().get_command(ctx, name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(package_name="streamcolor")
def _cli() -> None:
    """Colour black-and-white video; keep its brightness, its sound and its timing as they are."""


@_cli.command(epilog=EPILOG)
@click.argument("source", metavar="INPUT")
@click.option(
    "-o",
    "--output",
    help="The coloured film; its suffix names the container; - is standard output. "
    "Default: NAME.color.EXT beside the input.",
)
@_film_options
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@debug_option
def colorize(source: str, output: str | None, options: FilmOptions, as_json: bool, quiet: bool, debug: bool) -> None:
    """Colour the film INPUT: a file, - for standard input or, with --allow-network, an address."""
    announced: list[str] = []

    def announce(line: str) -> None:
        announced.append(line)
        if not (quiet or as_json):
            _print_note(line)

    with errors_as_lines(debug):
        show_bar = not (quiet or as_json) and ERR.is_terminal
        with _bar() if show_bar else nullcontext() as progress:
            report = job.run_job(source, output, options, progress, announce)
        out = ERR if output == PIPE else OUT
        if as_json:
            print(json.dumps(dataclasses.asdict(report), default=str), file=out.file)
        elif not quiet:
            for note in report.notes[len(announced) :]:
                _print_note(note)
            out.print(_summary(report))


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    """A progress bar: frames, frames a second, speed against real time, time left."""
    columns: list[ProgressColumn] = [SpinnerColumn(), BarColumn(), TextColumn("{task.fields[line]}"), _TimeLeft()]
    with ProgressBar(*columns, console=ERR, transient=True) as bar:
        task = bar.add_task("", total=None, line="")

        def show(now: Progress) -> None:
            fps = now.frames / now.elapsed
            total = f"/{now.expected_frames}" if now.expected_frames else ""
            speed = f", {fps / now.film_rate:.2f}x" if now.film_rate else ""
            line = f"{now.frames}{total} frames, {fps:.1f} frames/s{speed}"
            bar.update(task, completed=now.frames, total=now.expected_frames, line=line)

        yield show


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text("" if left is None else f"{format_time(left)} left")


def _print_note(note: str) -> None:
    ERR.print(Text(f"note: {note}", style="yellow"))


def _summary(report: Report) -> str:
    repeats = f", {report.repeats} repeated" if report.repeats else ""
    return (
        f"{report.output or 'standard output'}: {report.frames} frames in {format_time(report.seconds)} "
        f"({report.fps:.1f} frames/s{repeats}), {report.encoding}, by {report.model} on {report.engine}"
    )


@_cli.command("probe", epilog=EPILOG)
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@json_option
@debug_option
def _probe(source: Path, as_json: bool, debug: bool) -> None:
    """Show the streams of INPUT and what will become of each."""
    with errors_as_lines(debug):
        output = default_output(source)
        options = FilmOptions()
        with FilmReader(find_source(str(source), options)) as reader:
            info, plan = reader.info, job.plan_job(reader, container_of(output), options)
        if as_json:
            fates = [{"fate": stream.fate, "remark": stream.remark} for stream in plan.streams]
            streams = [dataclasses.asdict(stream) | fate for stream, fate in zip(info.streams, fates, strict=True)]
            seconds = None if info.duration is None else float(info.duration)
            found = {"path": str(source), "container": info.container, "seconds": seconds, "streams": streams}
            found |= {"frames": info.video.frames, "chapters": info.chapters}
            print(json.dumps(found | {"output": str(output), "losses": plan.losses, "changes": plan.changes}))
        else:
            _print_film(info, plan, output)


def _print_film(info: FilmInfo, plan: Plan, output: Path) -> None:
    length = "unknown length" if info.duration is None else format_time(info.duration)
    frames = "" if info.video.frames is None else f", about {info.video.frames} frames"
    chapters = f", {info.chapters} chapters" if info.chapters else ""
    OUT.print(f"{info.name}: {info.container}, {length}{frames}{chapters}")
    table = Table("stream", "kind", "codec", "language", "title", "details", f"in {output.name}")
    for stream, fate in zip(info.streams, plan.streams, strict=True):
        row = (stream.kind, stream.codec, stream.language or "", stream.title or "", stream.details)
        table.add_row(str(stream.index), *row, str(fate))
    OUT.print(table)
    for line in (*plan.losses, *plan.changes):
        OUT.print(f"note: {line}")


@_cli.command("doctor")
@debug_option
def _doctor(debug: bool) -> None:
    """Show versions, engines, hardware and encoders found here."""
    with errors_as_lines(debug):
        table = Table(show_header=False)
        for name, value in doctor.examine():
            table.add_row(name, Text(value))
        OUT.print(table)


def main() -> None:
    """Run the command line; never returns."""
    try:
        _cli.main(prog_name="streamcolor", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(OptionError.exit_code)
    except OptionError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    sys.exit(0)

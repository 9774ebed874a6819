"""The command line's training commands: parse, call, render. What is heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from streamcolor.console import EPILOG, ERR, OUT, debug_option, errors_as_lines, json_option
from streamcolor.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from .evaluate import Colourist, Scores

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_NEW = click.Path(path_type=Path)


@contextmanager
def _training_errors(debug: bool) -> Iterator[None]:
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("streamcolor").setLevel(logging.INFO)
    with errors_as_lines(debug, "what was finished is kept"):
        try:
            yield
        except ModuleNotFoundError as error:
            raise MissingExtraError(str(error.name), "train") from error


@click.group()
def _dataset() -> None:
    """Make and look at sets of stills."""


@_dataset.command("build", epilog=EPILOG)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("-o", "--output", type=_NEW, required=True, help="The folder to make; one that was begun goes on.")
@click.option("--every", type=float, default=1.0, show_default=True, help="Seconds from one still to the next.")
@click.option("--short-side", type=int, default=256, show_default=True, help="Stills are reduced to this many pixels.")
@click.option("--validation", type=float, default=0.1, show_default=True, help="Share of the films that is held out.")
@debug_option
def _build(
    sources: tuple[str, ...], output: Path, every: float, short_side: int, validation: float, debug: bool
) -> None:
    """Take stills from films: files, folders of files, or addresses of videos.

    Blurred, black, colourless and repeated stills are left out and black bars cut off. Films, never stills of the same
    film, are divided into training and validation.
    """
    with _training_errors(debug):
        from .data.build import BuildOptions, build_dataset
        from .data.shards import read_index
        from .data.statistics import describe

        with _film_bar() as show:
            films = build_dataset(sources, output, BuildOptions(every, short_side, validation), show)
        for film in films:
            faults = ", ".join(f"{number} {fault}" for fault, number in film.faults.items()) or "none"
            problem = f"; {film.problem}" if film.problem else ""
            OUT.print(f"{film.source}: {film.stills} stills for {film.split}, left out: {faults}{problem}")
        if not any(film.split == "val" and film.stills for film in films):
            OUT.print("no film is held out for validation: add another one to judge a model by")
        found = describe(read_index([output], "train") + read_index([output], "val"), output)
        a, b = found.cast
        OUT.print(
            f"{output}: {found.stills} stills, mean chroma {found.chroma:.1f}, mean colour a {a:+.1f} b {b:+.1f}; "
            "look at contact-sheet.png and colours.png"
        )


@contextmanager
def _film_bar() -> Iterator[Callable[[str, float | None, int], None]]:
    """A bar for the film at work."""
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=ERR, transient=True) as bar:
        task = bar.add_task("")

        def show(source: str, share: float | None, stills: int) -> None:
            line = f"{Path(source).name}: {stills} stills kept"
            bar.update(task, total=None if share is None else 1, completed=share or 0, description=line)

        yield show


@_dataset.command("gray", epilog=EPILOG)
@click.argument("data", metavar="DATA", type=_FOLDER)
@click.option("-o", "--output", type=_NEW, required=True, help="The folder to write the pictures into.")
@debug_option
def _gray(data: Path, output: Path, debug: bool) -> None:
    """Write the validation stills of DATA as gray PNG files, for another tool to colour.

    'streamcolor evaluate' takes the folder with its pictures as a column of the comparison.
    """
    with _training_errors(debug):
        from .data.shards import read_index
        from .data.stills import write_gray

        stills = read_index([data], "val")
        write_gray(stills, output)
        OUT.print(f"{output}: {len(stills)} gray stills")


@click.command("train", epilog=EPILOG)
@click.argument("words", metavar="[CONFIG] [KEY=VALUE]...", nargs=-1)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the output folder.")
@click.option("--finetune", is_flag=True, help="Begin with the shipped model; CONFIG may then be left out.")
@click.option("--model", type=_FILE, help="Begin with this exported model instead.")
@debug_option
def _train(words: tuple[str, ...], resume: bool, finetune: bool, model: Path | None, debug: bool) -> None:
    """Train as the TOML file CONFIG says, with some of its keys changed.

    'streamcolor train --finetune data=STILLS output=RUN' adapts the shipped model to one show.
    """
    with _training_errors(debug):
        from streamcolor.engines.models import DEFAULT_MODEL

        from .config import read_config
        from .restore import networks_of
        from .trainer import train

        has_config = bool(words) and "=" not in words[0]
        if not has_config and not (finetune or model):
            raise OptionError("name a CONFIG, or adapt a model with --finetune")
        path = Path(words[0]) if has_config else Path(__file__).with_name("finetune.toml")
        initial = model or (DEFAULT_MODEL if finetune else None)
        config = read_config(
            path,
            words[1:] if has_config else words,
            {"initial": initial, "networks": networks_of(initial).model_dump()} if initial else {},
        )
        train(config, resume=resume)


@click.command("export", epilog=EPILOG)
@click.argument("source", metavar="CHECKPOINT", type=_FILE)
@click.option("-o", "--output", type=_NEW, required=True, help="The .onnx file to write.")
@click.option("--name", help="The model's name. Default: the output's.")
@click.option("--model-version", default="1.0", show_default=True, help="The model's version.")
@click.option("--short-side", type=int, default=160, show_default=True, help="Working size's short side, in pixels.")
@click.option("--training", help="One sentence on the data and the training. Default: the number of steps.")
@click.option("--licence", default="not stated", show_default=True, help="Licence of the weights.")
@click.option("--half", is_flag=True, help="Compute in float16, as GPUs do fastest, not only keep the weights in it.")
@click.option("--noise", type=int, help="Seed of the colouring, for networks that make many.")
@debug_option
def _export(
    source: Path,
    output: Path,
    name: str | None,
    model_version: str,
    short_side: int,
    training: str | None,
    licence: str,
    half: bool,
    noise: int | None,
    debug: bool,
) -> None:
    """Write the averaged weights of CHECKPOINT as an ONNX file that the engines run.

    The file is compared with PyTorch and, where TensorRT or TensorRT-RTX is installed, compiled.
    """
    with _training_errors(debug):
        from streamcolor.engines import ModelSpec
        from streamcolor.engines.tensorrt.builder import BuildOptions, build_plan, find_tensorrt

        from . import checkpoint
        from .export import export_onnx
        from .networks.build import build_generator
        from .networks.fullres import FullRes

        saved = checkpoint.read(source)
        generator = build_generator(saved.networks.generator)
        generator.load_state_dict(saved.part("averaged"))
        if noise is not None:
            if not isinstance(generator, FullRes):
                raise OptionError("--noise is for fullres networks; this one always gives the same colours")
            generator.choose_noise(noise)
        spec = ModelSpec(
            name or output.stem,
            model_version,
            short_side,
            generator.multiple,
            generator.stride,
            training or f"{saved.step} steps",
            licence,
        )
        difference = export_onnx(generator, saved.networks, spec, output, half=half)
        OUT.print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, {difference:.4f} ab units from PyTorch in the mean")
        compiler = find_tensorrt()
        if compiler is None:
            OUT.print("not compiled: neither TensorRT nor TensorRT-RTX can run here")
        else:
            plan, _ = build_plan(output, compiler, BuildOptions(precision="float32"))
            OUT.print(f"{compiler.__name__} {compiler.__version__} compiles it to {len(plan) / 1e6:.1f} MB")


@click.command("evaluate", epilog=EPILOG)
@click.argument("columns", metavar="MODEL...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.argument("data", type=_FOLDER)
@click.option("-o", "--output", type=_NEW, help="A folder for a page with the table and the pictures.")
@click.option("--short-side", type=int, help="Working size's short side. Default: the first model's own.")
@click.option("--stills", "count", type=click.IntRange(min=1), help="Judge by this many stills. Default: all.")
@click.option("--discriminator", type=_FILE, help="A checkpoint whose discriminator judges as well.")
@click.option("--engine", default="onnxruntime", show_default=True, help="What runs the models.")
@json_option
@debug_option
def _evaluate(
    columns: tuple[Path, ...],
    data: Path,
    output: Path | None,
    short_side: int | None,
    count: int | None,
    discriminator: Path | None,
    engine: str,
    as_json: bool,
    debug: bool,
) -> None:
    """Judge each MODEL, an ONNX file or a folder of another tool's pictures, on the validation stills of DATA."""
    with _training_errors(debug), ExitStack() as opened:
        from streamcolor.engines import open_engine

        from .data.shards import read_index
        from .data.stills import evenly
        from .evaluate import FolderColourist, ModelColourist, evaluate
        from .judge import read_judge
        from .page import EvaluationPage

        stills = read_index([data], "val")
        if count is not None:
            stills = evenly(stills, count)
        colourists: list[Colourist] = []
        for column in columns:
            if column.is_dir():
                colourists.append(FolderColourist(column, stills))
                continue
            running = opened.enter_context(open_engine(engine, column))
            short_side = short_side or running.spec.short_side
            colourists.append(ModelColourist(column.stem, running))
        names = [colourist.name for colourist in colourists]
        if len(set(names)) < len(names):
            raise OptionError(f"two columns have the same name ({', '.join(names)}); rename a file")
        page = EvaluationPage(output, names, stills) if output else None
        scores = evaluate(
            colourists,
            stills,
            short_side or 160,
            judge=read_judge(discriminator) if discriminator else None,
            shown=page.show if page else None,
        )
        if page:
            page.write(scores)
        if as_json:
            print(json.dumps({name: score.to_json() for name, score in zip(names, scores, strict=True)}))
        else:
            OUT.print(_table(names, scores))


def _table(names: Sequence[str], scores: Sequence[Scores]) -> Table:
    from .evaluate import table_rows

    table = Table("figure", *names)
    for name, cells in table_rows(scores):
        table.add_row(name, *cells)
    return table


commands: dict[str, click.Command] = {"dataset": _dataset, "train": _train, "evaluate": _evaluate, "export": _export}

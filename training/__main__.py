"""``python -m streamcolor.training``: train, export and judge models."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import click

from streamcolor.engines import open_engine
from streamcolor.errors import StreamcolorError

from . import checkpoint
from .config import read_config
from .data.shards import read_index
from .evaluate import evaluate
from .export import export_onnx, spec_of_export
from .networks.efficientnet_lite import Variant
from .networks.unet import UNet
from .trainer import train

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def _main() -> None:
    """Train, export and judge models."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("streamcolor").setLevel(logging.INFO)


@_main.command("train")
@click.argument("config", type=_FILE)
def _train(config: Path) -> None:
    """Train as the TOML file CONFIG says; goes on where an earlier run stopped."""
    train(read_config(config))


@_main.command("export")
@click.argument("source", metavar="CHECKPOINT", type=_FILE)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .onnx file to write.")
@click.option("--name", required=True, help="The model's name.")
@click.option("--model-version", required=True, help="The model's version.")
@click.option("--short-side", type=int, default=160, show_default=True, help="Working size's short side, in pixels.")
@click.option("--training", required=True, help="One sentence on the data and the training.")
@click.option("--licence", required=True, help="Licence of the weights.")
@click.option("--encoder", type=click.Choice(["lite0", "lite1", "lite2"]), default="lite0", show_default=True)
def _export(
    source: Path,
    output: Path,
    name: str,
    model_version: str,
    short_side: int,
    training: str,
    licence: str,
    encoder: Variant,
) -> None:
    """Write the averaged weights of CHECKPOINT as an ONNX file that the engines run."""
    generator = UNet(encoder)
    _, weights = checkpoint.averaged_weights(source)
    generator.load_state_dict(weights)
    spec = spec_of_export(name=name, version=model_version, short_side=short_side, training=training, licence=licence)
    export_onnx(generator, spec, output)


@_main.command("evaluate")
@click.argument("model", type=_FILE)
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--short-side", type=int, help="Working size's short side. Default: the model's own.")
def _evaluate(model: Path, data: tuple[Path, ...], short_side: int | None) -> None:
    """Judge MODEL on the validation stills of the folders DATA."""
    with open_engine("onnxruntime", model) as engine:
        found = evaluate(engine, read_index(data, "val"), short_side)
    for name, value in dataclasses.asdict(found).items():
        click.echo(f"{name.replace('_', ' ')}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")


if __name__ == "__main__":
    try:
        _main()
    except StreamcolorError as error:
        raise SystemExit(f"streamcolor.training: {error}") from None

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from streamcolor.engines.models import DEFAULT_MODEL
from streamcolor.training import trainer

from films import crops, streamcolor, write_colour_film


def test_help_names_every_command_without_loading_torch() -> None:
    shown = streamcolor("--help", env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"})
    assert shown.returncode == 0
    assert "| streamcolor.cli" in shown.stderr.replace(" ", "").replace("|", "| ")
    assert "| torch\n" not in shown.stderr.replace(" ", "").replace("|", "| ")
    for command in ("colorize", "dataset", "train", "evaluate", "export"):
        assert f"\n  {command} " in shown.stdout


def test_a_set_is_built_and_described(tmp_path: Path) -> None:
    write_colour_film(tmp_path / "film.mkv", crops(4, (192, 128), seed=3))
    built = streamcolor("dataset", "build", str(tmp_path / "film.mkv"), "-o", str(tmp_path / "set"))
    assert built.returncode == 0, built.stderr
    assert "4 stills for train, left out: none" in built.stdout
    assert "no film is held out" in built.stdout
    assert (tmp_path / "set" / "contact-sheet.png").exists()


def test_models_and_folders_are_compared(stills: Path, tmp_path: Path) -> None:
    gray = streamcolor("dataset", "gray", str(stills), "-o", str(tmp_path / "gray"))
    assert gray.returncode == 0, gray.stderr
    command = ("evaluate", str(DEFAULT_MODEL), str(tmp_path / "gray"), str(stills), "--json")
    found = json.loads(streamcolor(*command, "-o", str(tmp_path / "page")).stdout)
    assert list(found) == [DEFAULT_MODEL.stem, "gray"]
    assert found[DEFAULT_MODEL.stem]["gain_over_gray"] > 1 > abs(found["gray"]["gain_over_gray"])
    assert (tmp_path / "page" / "index.html").exists()


def test_the_shipped_model_can_be_tuned(stills: Path, tmp_path: Path) -> None:
    short = ("stages.0.steps=2", "stages.0.batch_size=2", "stages.0.crops=[[32, 1.0]]", "workers=0")
    tuned = streamcolor("train", "--finetune", f"data={stills}", f"output={tmp_path / 'run'}", *short)
    assert tuned.returncode == 0, tuned.stderr
    saved = tmp_path / "run" / trainer.CHECKPOINT
    exported = streamcolor("export", str(saved), "-o", str(tmp_path / "tuned.onnx"))
    assert exported.returncode == 0, exported.stderr
    assert "Warning" not in exported.stderr
    judged = json.loads(streamcolor("evaluate", str(tmp_path / "tuned.onnx"), str(stills), "--json").stdout)
    assert judged["tuned"]["gain_over_gray"] > 1


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("train",), 2, "name a CONFIG"),
        (("train", "nothing.toml"), 2, "cannot read"),
        (("train", "--finetune", "stages.0.steps=none"), 2, "stages.0.steps"),
        (("train", "--finetune", "data=nowhere"), 3, "no index.jsonl"),
        (("export", "no-checkpoint", "-o", "x.onnx"), 1, "not a whole checkpoint"),
        (("evaluate", "no-checkpoint", "."), 3, "no index.jsonl"),
        (("dataset", "build", "nowhere", "-o", "set"), 3, "neither a file"),
        (("dataset", "build", "nowhere", "-o", "set", "--every", "0"), 2, "every is 0"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_mistakes_are_named_in_a_line(words: tuple[str, ...], code: int, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "no-checkpoint").write_bytes(b"something else")
    found = streamcolor(*words, cwd=tmp_path)
    assert found.returncode == code, found.stderr
    assert complaint in found.stderr
    assert "Traceback" not in found.stderr

"""The command for machines with a GPU, on one without."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_every_figure_is_there_or_says_why_not(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    script = Path(__file__).with_name("measure.py")
    arguments = ["--engine", "onnxruntime", "--seconds", "1", "--size", "480p", "--json", str(target)]
    subprocess.run([sys.executable, str(script), *arguments], check=True, timeout=300)
    found = json.loads(target.read_text())
    assert found["agreement"]["largest_difference"] == 0
    assert found["jobs"][0]["share_of_decode_encode"] > 0
    assert found["engine"]["bytes in a frame"] == 288 * 160
    assert found["onnxruntime-cuda"].startswith("left out: ")
    assert found["torch"]["frames a second"] > 0

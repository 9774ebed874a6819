from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from streamcolor.engines import ModelSpec
from streamcolor.training.config import NetworksConfig
from streamcolor.training.export import export_onnx
from streamcolor.training.networks.base import Generator
from streamcolor.training.networks.build import build_generator

from films import photographs


@pytest.fixture(scope="session")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stills in two tar shards: crops of real photographs."""
    folder = tmp_path_factory.mktemp("stills")
    rng = np.random.default_rng(0)
    rows = []
    for shard in ("train-00.tar", "train-01.tar"):
        with tarfile.open(folder / shard, "w") as tar:
            for number in range(60):
                picture = photographs()[number % 3]
                top, left = (int(rng.integers(0, side - 150)) for side in picture.shape[:2])
                crop = np.ascontiguousarray(picture[top : top + 150, left : left + 140, ::-1])
                jpeg = cv2.imencode(".jpg", crop)[1].tobytes()
                member = tarfile.TarInfo(f"{shard[:8]}-{number:03}.jpg")
                member.size = len(jpeg)
                tar.addfile(member, io.BytesIO(jpeg))
                source = "faces" if number % 10 == 0 else "objects"
                rows.append({"shard": shard, "file": member.name, "source": source})
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Generator, Path]:
    """A default generator with batch norms that have seen something, in evaluation mode, and its export."""
    torch.manual_seed(1)
    networks = NetworksConfig()
    generator = build_generator(networks.generator, pretrained=True)
    generator.train()
    for _ in range(3):
        generator(2 * torch.rand(4, 1, 64, 64) - 1)
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_onnx(generator, networks, ModelSpec("test", "1.2", 160, 32, 4, "none", "MIT"), path)
    return generator.eval(), path

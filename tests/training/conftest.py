from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

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

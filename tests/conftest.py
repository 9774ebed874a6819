"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from streamcolor.engines import Engine, open_engine


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with open_engine("onnxruntime") as engine:
        yield engine

"""Every cell of the table in ``streamcolor/media/README.md``, judged by other people's tools."""

from __future__ import annotations

from pathlib import Path

import matrix
import pytest


def test_the_table_has_every_feature_and_container() -> None:
    table = matrix.expected()
    assert list(table) == [feature.name for feature in matrix.FEATURES]
    assert all(tuple(row) == matrix.CONTAINERS for row in table.values())


@pytest.mark.parametrize("container", matrix.CONTAINERS)
@pytest.mark.parametrize("feature", matrix.FEATURES, ids=lambda feature: feature.name)
def test_what_the_table_says_is_so(tmp_path: Path, feature: matrix.Feature, container: str) -> None:
    assert matrix.outcome(feature, container, tmp_path) == matrix.expected()[feature.name][container]

"""A table that is read in pieces is split, sampled and prepared as one in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines import partition
from pipelines.data.storage import snapshots
from pipelines.home import Home
from pipelines.partition import Partition, partition_snapshot
from pipelines.splitting import PARTS
from pipelines.training.arrays import TRAIN, load_arrays, prepare_arrays


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if 600 rows were many."""
    monkeypatch.setattr(partition, "LARGE", 1)
    monkeypatch.setattr(snapshots, "PIECE", 70)


@pytest.fixture(params=[{"by": "time", "gap": "3 hours"}, {"by": "random"}, {"by": "group"}])
def both(request: Any, home: Home, define: Any, keep: Any, table: Any) -> tuple[Any, Partition, Partition]:
    """The definition, and the same snapshot in memory and in pieces."""
    data = {"source": "trips.csv", "target": "y", "timestamp": "at", "entity": "distance"}
    config, snapshot = define(split=request.param, data=data), keep(table(600), home)
    whole = partition_snapshot(snapshot, config)
    request.getfixturevalue("in_pieces")
    return config, whole, partition_snapshot(snapshot, config)


def test_each_part_has_the_same_rows(both: tuple[Any, Partition, Partition]) -> None:
    _, whole, pieces = both
    assert len(list(pieces.read(None))) > 5
    for part in PARTS:
        assert pieces.count(part) == whole.count(part) > 0
        pd.testing.assert_frame_equal(
            pieces.table(part).reset_index(drop=True), whole.table(part).reset_index(drop=True)
        )


def test_arrays_are_the_same_number_by_number(both: tuple[Any, Partition, Partition], tmp_path: Path) -> None:
    config, whole, pieces = both
    found = []
    for rows, name in ((whole, "whole"), (pieces, "pieces")):
        description = prepare_arrays(config, rows, TRAIN, tmp_path / name)
        found.append((description, load_arrays(tmp_path / name)))
    assert found[0][0] == found[1][0]
    for name, array in found[0][1].items():
        np.testing.assert_array_equal(found[1][1][name], array)


def test_a_sample_is_drawn_once_and_in_order(both: tuple[Any, Partition, Partition]) -> None:
    _, whole, pieces = both
    sample = pieces.sample("train", rows=50)
    assert sample["at"].is_monotonic_increasing
    assert len(sample) == 50
    pd.testing.assert_frame_equal(
        sample.reset_index(drop=True), whole.sample("train", rows=50).reset_index(drop=True)
    )
    assert len(pieces.sample("test", rows=10_000)) == pieces.count("test")

"""No row that the champion learnt from is one that it is judged on, whatever moved it to the test part."""

from __future__ import annotations

import logging
import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.config import PipelineConfig
from pipelines.evaluation.learnt import LEARNT, find_learnt
from pipelines.home import Home
from pipelines.partition import Partition, partition_snapshot
from pipelines.records import Champion, Snapshot


def champion_of(config: PipelineConfig, snapshot: Snapshot) -> Champion:
    made_from = {"snapshot": snapshot, "definition": config.model_dump(mode="json")}
    return Champion(pipeline="trips", version=1, folder="f", files={}, **made_from)


def truly_learnt(rows: Partition, before: Partition) -> Any:
    """By `passengers`, which is unique here."""
    learnt = before.table(*LEARNT)["passengers"]
    return rows.table("test")["passengers"].isin(learnt).to_numpy()


@pytest.fixture
def numbered(table: Any) -> Any:
    return lambda rows, first=0: table(rows, seed=first).assign(
        passengers=np.arange(first, first + rows) * 1.0
    )


def test_late_rows_move_the_test_part_back_into_what_was_learnt(
    home: Home, define: Any, keep: Any, numbered: Any
) -> None:
    config, first = define(), numbered(600)
    snapshot = keep(first, home)
    champion, before = champion_of(config, snapshot), partition_snapshot(snapshot, config)
    grown = pd.concat([first, numbered(100, 1000).assign(at=first["at"].max() + pd.Timedelta(hours=1))])
    newer = partition_snapshot(keep(grown, home), config)
    assert not find_learnt(newer, config, champion).any()
    late = pd.concat([numbered(300, 1000), first])  # of the first 300 hours
    rows = partition_snapshot(keep(late, home), config)
    found = find_learnt(rows, config, champion)
    assert (found.sum(), len(found)) == (60, 180)
    np.testing.assert_array_equal(found, truly_learnt(rows, before))


@pytest.mark.parametrize("change", ["rows", "shares", "column"])
def test_at_random_a_row_changes_sides_only_with_split_or_columns(
    home: Home, define: Any, keep: Any, numbered: Any, change: str
) -> None:
    config, first = define(split={"by": "random"}), numbered(600)
    snapshot, now = keep(first, home), config
    champion, before = champion_of(config, snapshot), partition_snapshot(snapshot, config)
    grown = pd.concat([numbered(200, 1000), first])
    if change == "shares":
        now = define(split={"by": "random", "test": 0.5})
    elif change == "column":
        grown = grown.assign(wind=1.0)
    rows = partition_snapshot(keep(grown, home), now)
    found = find_learnt(rows, now, champion)
    np.testing.assert_array_equal(found, truly_learnt(rows, before))
    assert found.any() == (change != "rows")


def test_what_cannot_be_told_is_said(
    home: Home, define: Any, keep: Any, numbered: Any, caplog: pytest.LogCaptureFixture
) -> None:
    config = define()
    snapshot = keep(numbered(100), home)
    rows = partition_snapshot(snapshot, config)
    champion = champion_of(config, snapshot.model_copy(update={"version": 7}))
    with caplog.at_level(logging.WARNING):
        assert not find_learnt(rows, config, champion).any()
    assert "Version 1 may have learnt from test rows" in caplog.text
    caplog.clear()
    assert not find_learnt(rows, config, champion.model_copy(update={"snapshot": None})).any()
    assert "Version 1 may have learnt from test rows: its snapshot is not known" in caplog.text
    unreadable = champion_of(config, snapshot).model_copy(update={"definition": {"of": "another time"}})
    assert not find_learnt(rows, config, unreadable).any()  # split as now
    shutil.rmtree(home.pipeline("trips").rows)
    assert not find_learnt(rows, config, champion_of(config, snapshot)).any()

"""Old snapshots go by a stated retention, never those that a registered model was trained on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pipelines.data.storage.retention import vacuum_snapshots
from pipelines.data.storage.snapshots import read_snapshot
from pipelines.errors import DataError
from pipelines.ledger import Ledger
from pipelines.records import Attempt, Snapshot, TrainedModel


def rebuild(table: Any, kind: str) -> Snapshot:
    table.columns = {"a": kind, "y": "number"}
    return table.take_in()[1]  # type: ignore[no-any-return]


def test_what_a_live_model_was_trained_on_stays(table: Any) -> None:
    first = table.take_in("a,y\n1,1\n2,2\n")[1]
    second = rebuild(table, "number")
    third = rebuild(table, "category")
    ledger = Ledger.open(table.home)
    ledger.start_attempt(Attempt(id="one", pipeline="p", snapshot=first, folder="x"), {}, {})
    ledger.record_version("one", TrainedModel(attempt="one", kind="mlp", folder="x", files={}, seconds=1), 1)
    config = table.config.model_copy(
        update={"data": table.config.data.model_copy(update={"retention": timedelta(microseconds=1)})}
    )

    planned = vacuum_snapshots(table.home, config, dry_run=True)
    assert (planned.kept, planned.gone, planned.files) == ([0, 2], [1], 1)
    assert len(read_snapshot(second)) == 2
    assert vacuum_snapshots(table.home, config) == planned
    assert len(read_snapshot(first)) == len(read_snapshot(third)) == 2
    with pytest.raises(DataError, match="p@1 is gone"):
        read_snapshot(second)
    assert table.take_in("a,y\n1,1\n2,2\nnew,3\n")[1].rows == 3


def test_within_the_retention_all_stay(table: Any) -> None:
    table.take_in("a,y\n1,1\n")
    rebuild(table, "number")
    assert vacuum_snapshots(table.home, table.config).gone == []

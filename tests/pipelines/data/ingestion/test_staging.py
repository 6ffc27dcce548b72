"""What is new becomes a batch: rows are known by content, or by key, however they are delivered."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.held import rank
from pipelines.data.ingestion.staging import Staging, clear_abandoned
from pipelines.data.storage.snapshots import accept_batch, current_snapshot, parts_of, read_snapshot
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, ValidationReport


def definition(**data: Any) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "pipeline": "p",
            "task": "regression",
            "metric": "rmse",
            "data": {"source": "x", "target": "y", **data},
            "columns": {"a": {"type": "category"}, "y": {"type": "number"}},
        }
    )


def stage(home: Home, *deliveries: list[tuple[Any, Any]], config: PipelineConfig | None = None) -> Batch:
    """A batch of deliveries, each in tables of two rows."""
    with Staging(config or definition(), home) as staging:
        for rows in deliveries:
            for start in range(0, len(rows), 2):
                a, y = zip(*rows[start : start + 2], strict=True)
                staging.add(pa.table({"a": a, "y": y}))
            staging.end_delivery()
        batch = staging.finish([])
    Ledger.open(home).open_intake(batch)
    return batch


def accept(home: Home, batch: Batch) -> None:
    said = ValidationReport(pipeline="p", batch=batch.id, rows=batch.rows, quarantined=0, results=[])
    accept_batch(home, batch, said)


def held(home: Home) -> list[tuple[Any, Any]]:
    snapshot = current_snapshot(home, "p")
    return [] if snapshot is None else list(read_snapshot(snapshot).itertuples(index=False, name=None))


ROW = st.tuples(st.sampled_from(["x", "z", None]), st.sampled_from([1.0, 2.0]))
DELIVERY = st.lists(ROW, min_size=1, max_size=7)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(DELIVERY, min_size=1, max_size=3), min_size=1, max_size=3))
def test_each_row_is_held_as_often_as_the_fullest_delivery_has_it(batches: list[Any]) -> None:
    home = Home(Path(tempfile.mkdtemp()))
    most: Counter[Any] = Counter()
    for deliveries in batches:
        batch = stage(home, *deliveries)
        assert batch.rows + batch.known == sum(map(len, deliveries))
        if batch.rows:
            accept(home, batch)
        for rows in deliveries:
            most |= Counter(rows)
        assert Counter(held(home)) == most


def test_rows_keep_their_order(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = [("x", float(i)) for i in range(9)]
    accept(home, stage(home, rows[:5]))
    accept(home, stage(home, rows[3:]))
    assert held(home) == rows


@pytest.mark.parametrize(
    ("first", "then", "known", "problems"),
    [
        ([("k", 1)], [("k", 1)], 1, 0),
        ([("k", 1)], [("k", 2)], 0, 1),
        ([("k", 1)], [("l", 1), ("l", 1), ("l", 2)], 1, 1),
        ([], [("k", 1), ("m", 1), ("k", 3)], 0, 1),
    ],
)
def test_a_key_names_a_row(tmp_path: Path, first: Any, then: Any, known: int, problems: int) -> None:
    home, config = Home(tmp_path), definition(key="a")
    if first:
        accept(home, stage(home, first, config=config))
    batch = stage(home, then, config=config)
    assert (batch.known, batch.problems) == (known, problems)
    if problems:
        line = parquet.read_table(Path(batch.folder) / "problems.parquet").to_pylist()[0]
        assert line["rule"] == "key_is_new"
        assert line["found"] in {"a k", "a l"}


def test_the_same_rows_are_the_same_batch(tmp_path: Path) -> None:
    home = Home(tmp_path)
    one, two = stage(home, [("x", 1), ("z", 2)]), stage(home, [("z", 2)], [("x", 1)])
    assert one.id == two.id
    assert sum(parquet.read_metadata(part).num_rows for part in parts_of(two)) == 2
    assert stage(home, [("x", 1)]).id != one.id


def test_a_problem_goes_with_its_row(tmp_path: Path) -> None:
    home = Home(tmp_path)
    batch = stage(home, [("x", "bad"), ("x", "1")], [("x", "1"), ("x", "worse")])
    lines = parquet.read_table(Path(batch.folder) / "problems.parquet").to_pylist()
    parts = pa.concat_tables([parquet.read_table(part) for part in parts_of(batch)])
    assert [(line["_seq"], line["found"]) for line in lines] == [(0, "bad"), (3, "worse")]
    # Read as numbers the two are equals, so the second delivery's would be the first's: what a cell says
    # counts.
    assert parts["_seq"].to_pylist() == [0, 1, 3]


DYING = """
import os, signal, sys
import pyarrow as pa
from pathlib import Path
from pipelines.data.ingestion import staging
from pipelines.home import Home
from tests.pipelines.data.ingestion.test_staging import definition
with staging.Staging(definition(), Home(Path(sys.argv[1]))) as writer:
    writer.add(pa.table({"a": ["x"], "y": [1]}))
    writer.end_delivery()
    writer.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_nothing_that_stays(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=False)
    incoming = Home(tmp_path).pipeline("p").incoming
    assert done.returncode == -9
    assert len(list(incoming.iterdir())) == 1
    clear_abandoned(incoming)
    assert list(incoming.iterdir()) == []
    assert current_snapshot(Home(tmp_path), "p") is None


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    (tmp_path / f".staging-{os.getpid()}-1").mkdir()
    clear_abandoned(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


@given(st.lists(st.integers(0, 3)))
def test_rank(values: list[int]) -> None:
    import numpy as np

    assert rank(np.array(values, dtype=np.int64)).tolist() == [
        values[:i].count(v) for i, v in enumerate(values)
    ]

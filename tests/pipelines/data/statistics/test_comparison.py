"""A distance is 0 for the same rows, 1 for rows with nothing in common, and points at what moved."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import ColumnType, PipelineConfig
from pipelines.data.statistics.comparison import (
    BatchDrift,
    compare_snapshots,
    distance,
    estimate,
    measure_drift,
    normal,
    shares,
)
from pipelines.data.statistics.counting import ColumnStatistics
from pipelines.data.statistics.table_statistics import TableStatistics, describe_files
from pipelines.records import Batch

TYPES: dict[str, ColumnType] = {
    "at": "time",
    "zone": "category",
    "distance": "number",
    "passengers": "number",
    "y": "number",
}

Frames = Callable[..., pd.DataFrame]


@pytest.fixture
def reference(tmp_path: Path, trips: Frames) -> TableStatistics:
    return described(trips(4000), tmp_path)


def described(frame: pd.DataFrame, folder: Path) -> TableStatistics:
    frame.to_parquet(folder / "reference.parquet")
    return describe_files([str(folder / "reference.parquet")], TYPES, "y")


def drift(frame: pd.DataFrame, folder: Path, config: PipelineConfig, before: TableStatistics) -> BatchDrift:
    folder = folder / "batch"
    folder.mkdir(exist_ok=True)
    frame.assign(_row=0, _seq=np.arange(len(frame))).to_parquet(folder / "part-00000.parquet")
    batch = Batch(pipeline="trips", id="b", folder=str(folder), rows=len(frame), known=0, sources=[])
    return measure_drift(config, batch, before)


def test_the_same_rows_have_no_distance(
    tmp_path: Path, trips: Frames, define: Any, reference: TableStatistics
) -> None:
    found = drift(trips(4000).sample(frac=1, random_state=0), tmp_path, define(), reference)
    assert found.distances == dict.fromkeys(["zone", "distance", "passengers", "y"], 0.0)
    assert (found.rows, found.reversed, found.telling) == (4000, [], 1)


def test_rows_of_the_same_kind_are_near(
    tmp_path: Path, trips: Frames, define: Any, reference: TableStatistics
) -> None:
    later = trips(500, seed=5)
    later["at"] += pd.Timedelta(days=4000)
    found = drift(later, tmp_path, define(), reference)
    assert max(found.distances.values()) < 0.15
    assert found.reversed == []


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("distance", lambda frame: frame.assign(distance=frame["distance"] * 1000)),
        ("distance", lambda frame: frame.assign(distance=np.nan)),
        ("zone", lambda frame: frame.assign(zone="west")),
        ("zone", lambda frame: frame.assign(zone=pd.Series(None, index=frame.index, dtype=object))),
        ("passengers", lambda frame: frame.assign(passengers=frame["passengers"] + 0.5)),
        ("distance", lambda frame: frame.assign(distance=-frame["distance"])),
    ],
    ids=["unit", "silent", "new", "silent-category", "between", "sign"],
)
def test_what_moved_is_far(
    column: str,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    tmp_path: Path,
    trips: Frames,
    define: Any,
    reference: TableStatistics,
) -> None:
    found = drift(change(trips(500, seed=5)), tmp_path, define(), reference)
    assert found.distances.pop(column) > 0.8
    assert max(found.distances.values()) < 0.15


def test_labels_that_are_flipped_are_told(
    tmp_path: Path, trips: Frames, define: Any, reference: TableStatistics
) -> None:
    frame = trips(500, seed=5)
    found = drift(frame.assign(y=frame["y"].max() - frame["y"]), tmp_path, define(), reference)
    assert (found.reversed, found.telling) == (["distance"], 1)


def test_classes_that_are_flipped_are_told(tmp_path: Path, trips: Frames, define: Any) -> None:
    types: dict[str, ColumnType] = {**TYPES, "late": "category"}
    trips(4000).to_parquet(tmp_path / "reference.parquet")
    before = describe_files([str(tmp_path / "reference.parquet")], types, "late")
    frame = trips(500, seed=5)
    flipped = frame.assign(late=frame["late"].map({"yes": "no", "no": "yes"}))
    assert drift(flipped, tmp_path, define("binary"), before).reversed == ["distance"]
    assert drift(frame, tmp_path, define("binary"), before).reversed == []
    assert drift(frame.assign(late="no"), tmp_path, define("binary"), before).telling == 0


def test_keys_and_columns_not_used_have_no_distance(
    tmp_path: Path, trips: Frames, define: Any, reference: TableStatistics
) -> None:
    columns = {**{name: {"type": kind} for name, kind in TYPES.items()}, "new": {"type": "number"}}
    columns["zone"] = {"type": "category", "use": False}
    columns["distance"] = {"type": "category"}  # was a number
    data = {"source": "trips.csv", "target": "y", "timestamp": "at", "key": "passengers"}
    found = drift(trips(300).assign(new=1.0), tmp_path, define(columns=columns, data=data), reference)
    assert list(found.distances) == ["y"]


def test_an_empty_batch_is_no_drift(
    tmp_path: Path, trips: Frames, define: Any, reference: TableStatistics
) -> None:
    nothing = BatchDrift(rows=0, distances={}, reversed=[], telling=0)
    assert drift(trips(300).iloc[:0], tmp_path, define(), reference) == nothing
    batch = Batch(pipeline="trips", id="b", folder=str(tmp_path / "no"), rows=0, known=0, sources=[])
    assert measure_drift(define(), batch, reference) == nothing


# ------------------------------------------------------------------------------------------------ snapshots


def test_what_changed_between_two_snapshots(
    tmp_path: Path, trips: Frames, reference: TableStatistics
) -> None:
    frame = trips(5000, seed=3)
    frame["zone"] = frame["zone"].where(frame.index < 4000, "west")
    after = described(frame, tmp_path)
    columns = {name: column for name, column in after.columns.items() if name != "passengers"}
    columns["late"] = columns["y"]
    columns["at"] = columns["at"].model_copy(update={"type": "text"})
    found = compare_snapshots(reference, after.model_copy(update={"columns": columns}))
    assert (found.rows_before, found.rows_after) == (4000, 5000)
    assert (found.added, found.gone, found.retyped) == (["late"], ["passengers"], {"at": ("time", "text")})
    assert found.columns[0].name == "zone"
    assert found.columns[0].distance == pytest.approx(0.2, abs=0.02)
    assert all(c.distance is not None and c.distance < 0.1 for c in found.columns[1:])


def test_a_snapshot_is_at_no_distance_from_itself(reference: TableStatistics) -> None:
    assert all(not c.distance for c in compare_snapshots(reference, reference).columns)


numbers = st.lists(st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(-1e6, 1e6)), max_size=40)


@settings(max_examples=30, deadline=None)
@given(a=numbers, b=numbers)
def test_an_estimate_is_a_distance(
    tmp_path_factory: pytest.TempPathFactory, a: list[Any], b: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("numbers")
    left, right = (counted(values, folder) for values in (a, b))
    forth, back = estimate(left, right), estimate(right, left)
    assert (forth is None) == (back is None) == (not a or not b)
    if forth is not None and back is not None:
        assert 0 <= forth <= 1
        assert 0 <= back <= 1
        assert estimate(left, left) == pytest.approx(0, abs=1e-9)


def counted(values: list[Any], folder: Path) -> ColumnStatistics:
    pd.DataFrame({"x": pd.Series(values, dtype=float)}).to_parquet(folder / "x.parquet")
    return describe_files([str(folder / "x.parquet")], {"x": "number"}, "x").columns["x"]


counts = st.dictionaries(st.integers(-2, 9), st.integers(0, 1000).map(float))


@given(counts, counts)
def test_a_distance_is_symmetric_and_between_0_and_1(
    a: dict[int | str, float], b: dict[int | str, float]
) -> None:
    left, right = normal(a), normal(b)
    assert 0 <= distance(left, right) <= 1
    assert distance(left, right) == distance(right, left)
    assert distance(left, left) == 0


def test_shares_are_of_all_rows(reference: TableStatistics) -> None:
    assert all(sum(shares(column).values()) == pytest.approx(1) for column in reference.columns.values())

"""What is kept of a table is what numpy would say of it, whatever the order, the files and the names."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.config import ColumnType
from pipelines.data.statistics import counting
from pipelines.data.statistics.table_statistics import TableStatistics, describe_files, snapshot_statistics
from pipelines.data.storage.snapshots import current_snapshot
from pipelines.data.storage.tables import write_rows
from pipelines.errors import DataError
from pipelines.home import Home

N = 3000
TYPES: dict[str, ColumnType] = {
    "x": "number",
    "few": "number",
    "at": "time",
    "zone": "category",
    "name": "text",
    "y": "number",
    "yes": "category",
}


def table(rows: int = N, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    y = 2 * x + rng.normal(size=rows)
    return pd.DataFrame(
        {
            "x": np.where(rng.random(rows) < 0.1, np.nan, x),
            "few": rng.integers(0, 5, rows).astype(float),
            "at": pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(rows), unit="min").astype("m8[us]"),
            "zone": rng.choice(["n", "s", None], rows),
            "name": [f"name {i}" for i in range(rows)],
            "y": y,
            "yes": np.where(y > 0, "yes", "no"),
        }
    )


def describe(frame: pd.DataFrame, folder: Path, target: str = "y", parts: int = 2) -> TableStatistics:
    files = []
    for number, part in enumerate(np.array_split(np.arange(len(frame)), parts)):
        files.append(str(folder / f"part {number}.parquet"))
        frame.iloc[part].to_parquet(files[-1])
    return describe_files(files, TYPES, target)


def test_numbers_are_those_of_numpy(tmp_path: Path) -> None:
    frame = table()
    found = describe(frame, tmp_path)
    x, values = found.columns["x"], frame["x"].dropna()
    assert (found.rows, found.target, found.positive) == (N, "y", None)
    assert (x.missing, x.distinct, x.rows) == (int(frame["x"].isna().sum()), values.nunique(), N)
    assert (x.least, x.most) == (values.min(), values.max())
    assert x.mean == pytest.approx(values.mean())
    assert x.std == pytest.approx(values.std(ddof=0))
    assert x.correlation == pytest.approx(values.corr(frame["y"]))
    assert x.counts == pd.cut(values, x.edges, include_lowest=True).value_counts(sort=False).tolist()
    assert len(x.counts) == 10
    assert max(x.counts) - min(x.counts) < 5
    assert found.columns["few"].values == [0, 1, 2, 3, 4]
    assert found.columns["few"].counts == frame["few"].value_counts().sort_index().tolist()


def test_times_categories_and_texts(tmp_path: Path) -> None:
    frame = table()
    found = describe(frame, tmp_path).columns
    assert found["at"].least == frame["at"].min().timestamp()
    assert found["at"].most == frame["at"].max().timestamp()
    zones = dict(zip(found["zone"].values, found["zone"].counts, strict=True))
    assert zones == frame["zone"].value_counts().to_dict()
    assert (found["zone"].distinct, found["zone"].missing) == (2, int(frame["zone"].isna().sum()))
    assert (found["name"].distinct, found["name"].values, found["name"].other) == (N, [], N)


def test_of_two_classes_the_later_is_one(tmp_path: Path) -> None:
    frame = table()
    found = describe(frame, tmp_path, "yes")
    assert found.positive == "yes"
    assert found.columns["y"].correlation == pytest.approx(
        frame["y"].corr((frame["yes"] == "yes").astype(float))
    )
    assert found.columns["yes"].correlation is None


def test_of_many_classes_none_is(tmp_path: Path) -> None:
    frame = table().assign(yes=np.arange(N) % 3)
    frame["yes"] = frame["yes"].astype(str)
    found = describe(frame, tmp_path, "yes")
    assert (found.positive, found.columns["y"].correlation) == (None, None)


def test_order_and_files_do_not_matter(tmp_path: Path) -> None:
    frame = table()
    one, other = (tmp_path / name for name in ("one", "other"))
    one.mkdir()
    other.mkdir()
    a = describe(frame, one, parts=1)
    b = describe(frame.sample(frac=1, random_state=1), other, parts=4)
    assert a.model_dump(exclude={"columns"}) == b.model_dump(exclude={"columns"})
    for name in TYPES:
        left, right = a.columns[name], b.columns[name]
        rounded = {key: pytest.approx(getattr(left, key)) for key in ("mean", "std", "correlation")}
        assert right.model_dump() == left.model_dump() | rounded


def test_a_sample_chooses_the_bins_and_all_rows_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "SAMPLED", 500)
    found = describe(table(), tmp_path)
    x = found.columns["x"]
    assert sum(x.counts) + x.missing == N
    assert max(x.counts) < 2 * min(x.counts)
    assert all(column.rows == N for column in found.columns.values())


@pytest.mark.parametrize(
    "values", [[], [None, None], [math.inf, math.nan], [1e308, -1e308, 1e300], [7.0] * 9]
)
def test_awkward_numbers(tmp_path: Path, values: list[Any]) -> None:
    frame = pd.DataFrame({"x": pd.Series(values, dtype=float), "y": np.arange(len(values), dtype=float)})
    frame.to_parquet(tmp_path / "a.parquet")
    found = describe_files([str(tmp_path / "a.parquet")], {"x": "number", "y": "number"}, "y")
    assert found.columns["x"].rows == len(values)
    assert TableStatistics.model_validate_json(found.model_dump_json()) == found


def test_names_that_databases_dislike(tmp_path: Path) -> None:
    names = ["A", "a", 'q"uote', "sel[e]ct", "é'", "c41", "_place"]
    frame = pd.DataFrame({name: [float(i), i + 1.0] for i, name in enumerate(names)})
    frame.to_parquet(tmp_path / "we[i]rd *.parquet")
    found = describe_files(
        [str(tmp_path / "we[i]rd *.parquet")], {**dict.fromkeys(names, "number"), "gone": "text"}, "A"
    )
    assert [found.columns[name].least for name in names] == list(range(len(names)))
    assert found.columns["gone"].missing == 2


def test_a_snapshot_is_counted_once(home: Home, keep: Any, define: Any, trips: Any) -> None:
    config, frame = define(), trips(300)
    snapshot = keep(frame, home)
    found = snapshot_statistics(home, snapshot, config)
    kept = home.pipeline("trips").statistics / f"{snapshot.version}.json"
    assert (found.rows, list(found.columns)) == (300, list(frame.columns))
    assert found.columns["zone"].type == "category"
    before = kept.stat().st_mtime_ns
    assert snapshot_statistics(home, snapshot, config) == found
    assert kept.stat().st_mtime_ns == before
    kept.write_text('{"rows": 1}')  # of another version of Evergreen
    assert snapshot_statistics(home, snapshot, config) == found


def test_versions_are_told_apart_and_batches_are_folders(tmp_path: Path, define: Any, trips: Any) -> None:
    import pyarrow as pa

    home, config = Home(tmp_path / "a home, é"), define()
    path = home.pipeline("trips").rows
    frame = trips(100).assign(_row=np.arange(100), _seq=np.arange(100), _batch="b1")
    write_rows(path, pa.Table.from_pandas(frame, preserve_index=False))
    first = current_snapshot(home, "trips")
    write_rows(path, pa.Table.from_pandas(frame.assign(_batch="b2"), preserve_index=False))
    second = current_snapshot(home, "trips")
    assert first is not None
    assert second is not None
    assert snapshot_statistics(home, first, config).rows == 100
    found = snapshot_statistics(home, second, config)
    assert (found.rows, "_batch" in found.columns) == (200, False)


def test_files_that_are_gone_are_named(home: Home, keep: Any, define: Any, trips: Any) -> None:
    snapshot = keep(trips(50), home)
    for file in Path(snapshot.uri).rglob("*.parquet"):
        file.unlink()
    with pytest.raises(DataError, match="parquet"):
        snapshot_statistics(home, snapshot, define())


@pytest.mark.parametrize(
    ("columns", "rows", "together"),
    [(30, 100, 25), (5000, 1000, 250), (5000, 10_000, 100), (5000, 10**8, 25), (5000, 0, 250)],
)
def test_a_wide_table_of_few_rows_is_scanned_in_few_scans(columns: int, rows: int, together: int) -> None:
    assert counting.columns_together(columns, rows) == together

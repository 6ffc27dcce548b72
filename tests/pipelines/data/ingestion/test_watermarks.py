"""Databases that grow: each is read from its own mark on, and no value is taken for another kind's."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.config import Watermark
from pipelines.data.ingestion.watermarks import Trail
from pipelines.data.storage.snapshots import read_snapshot
from pipelines.errors import ConfigError
from pipelines.records import Batch


def insert(path: Path, kind: str, *rows: tuple[Any, ...]) -> str:
    """Add rows (a, y, t), t of this SQL type, and the database's address."""
    with sqlite3.connect(path) as database:
        database.execute(f"CREATE TABLE IF NOT EXISTS t (a TEXT, y REAL, t {kind})")
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    return f"sqlite:///{path}"


def mark(batch: Batch) -> str | None:
    return batch.sources[0].watermark.value if batch.sources[0].watermark else None


def rows_of(path: Path, *rows: tuple[Any, ...]) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER, a TEXT, y REAL)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)


def test_a_database_is_read_from_its_watermark_on(table: Any) -> None:
    path = table.folder / "d.db"
    watermark = {"column": "id", "late": 2}
    table.data = {"source": f"sqlite:///{path}", "table": "t", "key": ["id"], "watermark": watermark}
    table.columns = {"id": "number", **table.columns}
    rows_of(path, (1, "x", 1), (2, "x", 2), (5, "x", 5))
    batch, _ = table.take_in()
    assert (batch.rows, mark(batch)) == (3, "5")
    rows_of(path, (4, "late", 4), (7, "x", 7), (2, "too late", 3))
    batch, snapshot = table.take_in()
    assert (batch.rows, batch.known, mark(batch)) == (2, 1, "7")
    assert sorted(read_snapshot(snapshot)["id"]) == [1, 2, 4, 5, 7]


def test_a_row_of_the_future_does_not_move_the_watermark(table: Any) -> None:
    path = table.folder / "d.db"
    query = "SELECT a, y, CAST(t AS TIMESTAMP) AS t FROM v"
    table.data = {
        "source": f"duckdb:///{path}",
        "query": query,
        "watermark": {"column": "t", "late": "1 day"},
    }
    table.columns = {**table.columns, "t": "time"}
    with duckdb.connect(str(path)) as database:
        database.execute("CREATE TABLE v AS SELECT 'x' AS a, 1.0 AS y, '2024-01-05' AS t")
        database.execute("INSERT INTO v VALUES ('z', 2, '2099-01-01')")
    assert mark(table.take_in()[0]) == "2024-01-05T00:00:00"
    with duckdb.connect(str(path)) as database:
        database.execute("INSERT INTO v VALUES ('late', 3, '2024-01-04 12:00'), ('new', 4, '2024-01-06')")
    batch, _ = table.take_in()
    assert (batch.rows, mark(batch)) == (2, "2024-01-06T00:00:00")


def test_each_source_has_a_mark_of_its_own(table: Any) -> None:
    one = insert(table.folder / "1.db", "INTEGER", ("x", 1, 1000))
    two = insert(table.folder / "2.db", "INTEGER", ("z", 2, 1))
    table.data = {"source": [one, two], "table": "t", "watermark": {"column": "t"}}
    batch, _ = table.take_in()
    assert [source.watermark.value for source in batch.sources if source.watermark] == ["1000", "1"]
    insert(table.folder / "2.db", "INTEGER", ("new", 3, 2))
    batch, snapshot = table.take_in()
    assert (batch.rows, batch.known, snapshot.rows) == (1, 2, 3)


def test_another_table_is_read_from_its_beginning(table: Any) -> None:
    address = insert(table.folder / "d.db", "INTEGER", ("x", 1, 1000))
    table.data = {"source": address, "table": "t", "watermark": {"column": "t"}}
    table.take_in()
    table.data = {
        "source": address,
        "query": "SELECT 'q' AS a, 5.0 AS y, 7 AS t",
        "watermark": {"column": "t"},
    }
    assert table.take_in()[0].rows == 1


TEXTS = [
    (["2024-01-01 10:00:00", "2024-01-02 10:00:00"], ["2024-01-03 00:00:00"], 0),
    (["2024-01-02"], ["2024-01-02", "2024-01-03"], 0),
    (["2024-01-02T10:00:00Z", "2024-01-05T10:00:00Z"], ["2024-01-03T10:00:00Z"], "2 days"),
    (["2024-01-02", "2024-01-05"], ["2024-01-04"], "36 hours"),
    (["2024-01-02 10:00", "2099-01-01 00:00"], ["2024-01-03 10:00"], 0),
    (["123", "99"], ["100", "5"], 0),
    (["A-1", "B-1"], ["B-2", "C"], 0),
    (["2024-01-02", "never"], ["2024-01-03", ""], 0),
]


@pytest.mark.parametrize(("first", "more", "late"), TEXTS)
def test_texts(table: Any, first: list[str], more: list[str], late: Any) -> None:
    address = insert(table.folder / "d.db", "TEXT", *((f"x{t}", 1, t) for t in first))
    table.data = {"source": address, "table": "t", "watermark": {"column": "t", "late": late}}
    assert table.take_in()[0].rows == len(first)
    insert(table.folder / "d.db", "TEXT", *((f"new{t}", 2, t) for t in more))
    assert table.take_in()[0].rows == len(more)
    assert table.take_in()[0].rows == 0


def test_texts_without_an_order_are_told_and_read_each_time(table: Any) -> None:
    address = insert(table.folder / "d.db", "TEXT", ("x", 1, "9"), ("z", 2, "10"))
    table.data = {"source": address, "table": "t", "watermark": {"column": "t"}}
    batch, _ = table.take_in()
    assert mark(batch) is None
    assert "'t' have no order to go by, such as '9'" in batch.warnings[-1]


def test_days_of_duckdb(table: Any) -> None:
    path = table.folder / "d.db"
    with duckdb.connect(str(path)) as database:
        database.execute("CREATE TABLE t AS SELECT 'x' AS a, 1.0 AS y, DATE '2024-01-02' AS t")
        database.execute("INSERT INTO t VALUES ('z', 2, '2099-01-01')")
    table.data = {"source": f"duckdb:///{path}", "table": "t", "watermark": {"column": "t"}}
    assert mark(table.take_in()[0]) == "2024-01-02"
    with duckdb.connect(str(path)) as database:
        database.execute("INSERT INTO t VALUES ('same day', 3, '2024-01-02'), ('late', 4, '2024-01-01')")
    assert table.take_in()[0].rows == 1


def test_a_text_time_steps_back_in_its_own_spelling() -> None:
    def after(value: str, late: Any = timedelta(hours=12)) -> Any:
        trail = Trail(Watermark(column="t", late=late), "db", "")
        trail.see([value])
        return trail.after

    assert after("2024-01-02") == "2024-01-01"
    assert after("2024-01-02 03:04") == "2024-01-01 15:04"
    assert after("2024-01-02T03:04:05.123+02:00") == "2024-01-01T15:04:05.123+02:00"
    assert after("2024-01-02 03:04:05", 0) == "2024-01-02 03:04:05"


@pytest.mark.parametrize(
    ("value", "late"), [(5, timedelta(days=1)), (datetime(2024, 1, 1), 2.0), ("id-1", 2.0)]
)
def test_late_is_of_the_kind_of_the_values(value: Any, late: Any) -> None:
    with pytest.raises(ConfigError, match=r"data.watermark.late"):
        Trail(Watermark(column="t", late=late), "db", "").see([value])
